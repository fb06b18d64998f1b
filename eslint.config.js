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
		files: ["**/*.ts"],
		extends: [tseslint.configs.recommendedTypeChecked],
		languageOptions: { parserOptions: { projectService: true } },
		rules: {
			// A template is how a token is put into a link: toString() is its meaning.
			"@typescript-eslint/restrict-template-expressions": "off",
			// A port's method is async for its callers, not for what it awaits.
			"@typescript-eslint/require-await": "off",
			"no-empty": ["error", { allowEmptyCatch: true }],
		},
	},
	{
		// Without types, which they have only where their own packages are installed.
		files: ["examples/{sveltekit,nextjs}/**/*.{ts,tsx}"],
		extends: [tseslint.configs.recommended, tseslint.configs.disableTypeChecked],
		// Lucia takes the app's types from a global namespace.
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
