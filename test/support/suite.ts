import { defineConfig, type ViteUserConfig } from "vitest/config";

type Test = NonNullable<ViteUserConfig["test"]>;

/**
 * A suite of its own, which in CI reports to `reports/NAME.json` as well, from where `.ci/run` counts
 * all the tests that ran.
 */
export const suite = (name: string, test: Test): ViteUserConfig =>
	defineConfig({
		test: {
			reporters: process.env["CI"] ? ["default", "json"] : ["default"],
			outputFile: { json: `reports/${name}.json` },
			...test,
		},
	});
