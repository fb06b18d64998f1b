import { defineConfig } from "vitest/config";

export default defineConfig({
	test: {
		include: ["test/matrix/*.test.ts"],
		globalSetup: "test/matrix/setup.ts",
		testTimeout: 30_000,
		hookTimeout: 60_000,
	},
});
