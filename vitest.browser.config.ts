import { defineConfig } from "vitest/config";

// The demo in a real browser, driven from Node.
export default defineConfig({
	test: {
		include: ["test/browser/**/*.test.ts"],
		testTimeout: 60_000,
		hookTimeout: 60_000,
	},
});
