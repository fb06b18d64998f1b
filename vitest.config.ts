import { defineConfig } from "vitest/config";

export default defineConfig({
	test: {
		include: ["test/**/*.test.ts"],
		exclude: ["test/browser/**", "test/matrix/**", "**/node_modules/**"],
		typecheck: { enabled: true, include: ["test/types/**/*.test-d.ts"] },
		coverage: {
			provider: "v8",
			include: ["src/**"],
			thresholds: { lines: 100, branches: 100, functions: 100, statements: 100 },
		},
	},
});
