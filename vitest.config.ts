import { suite } from "./vitest.shared.js";

export default suite("unit", {
	include: ["test/**/*.test.ts"],
	exclude: ["test/browser/**", "test/matrix/**", "test/package/**", "**/node_modules/**"],
	typecheck: { enabled: true, include: ["test/types/**/*.test-d.ts"] },
	coverage: {
		provider: "v8",
		include: ["src/**"],
		thresholds: { lines: 100, branches: 100, functions: 100, statements: 100 },
	},
});
