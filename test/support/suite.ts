import { defineConfig, type ViteUserConfig } from "vitest/config";

type Test = NonNullable<ViteUserConfig["test"]>;

/**
 * Configures a suite. In CI, it also writes `reports/NAME.json`, which `.ci/run` uses to count the tests.
 */
export const suite = (name: string, test: Test): ViteUserConfig =>
	defineConfig({
		test: {
			reporters: process.env["CI"] ? ["default", "json"] : ["default"],
			outputFile: { json: `reports/${name}.json` },
			...test,
		},
	});
