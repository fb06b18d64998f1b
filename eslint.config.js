import js from "@eslint/js";
import { defineConfig, globalIgnores } from "eslint/config";
import tseslint from "typescript-eslint";

export default defineConfig(
	globalIgnores([
		"**/dist/",
		"**/coverage/",
		"**/reports/",
		"**/.stryker-tmp/",
		"test/package/consumers/",
		"examples/sveltekit/{.svelte-kit,build}/",
		"examples/nextjs/{.next/,next-env.d.ts}",
	]),
	js.configs.recommended,
	{
		files: ["**/*.{ts,tsx}"],
		extends: [tseslint.configs.recommendedTypeChecked],
		languageOptions: { parserOptions: { projectService: true } },
		rules: {
			// Apps put a token into a link by a template, which calls its toString().
			"@typescript-eslint/restrict-template-expressions": "off",
			// A method of the port is async for its callers, even if it awaits nothing.
			"@typescript-eslint/require-await": "off",
			"no-empty": ["error", { allowEmptyCatch: true }],
		},
	},
	{
		// Linted without types, because their packages may not be installed.
		files: ["examples/{nextjs,stores,sveltekit}/**/*.{ts,tsx}"],
		extends: [tseslint.configs.recommended, tseslint.configs.disableTypeChecked],
	},
	{
		// Lucia reads the app's types from a global namespace.
		files: ["examples/**/*.{ts,tsx}"],
		rules: { "@typescript-eslint/no-namespace": ["error", { allowDeclarations: true }] },
	},
	{
		files: ["**/*.js"],
		languageOptions: {
			globals: Object.fromEntries(
				["Buffer", "clearTimeout", "console", "crypto", "performance", "process", "setImmediate"]
					.concat(["setTimeout", "URL"])
					.map((name) => [name, "readonly"]),
			),
		},
	},
	{ files: ["src/**/*.ts"], rules: { "no-console": "error" } },
);
