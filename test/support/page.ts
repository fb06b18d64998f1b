import { readFileSync } from "node:fs";
import ts from "typescript";

/** A page from the root of the repository. */
export const readPage = (page: string): string =>
	readFileSync(new URL(`../../${page}`, import.meta.url), "utf8");

/** The blocks of code in one language, in their order. */
export const blocksOf = (text: string, language = "ts"): string[] =>
	[...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, "gms"))].map(
		([, code = ""]) => code,
	);

type Run = (...values: unknown[]) => Promise<void>;

const AsyncFunction = (async () => {}).constructor as new (...source: string[]) => Run;

/**
 * Runs a TypeScript block as a module. The block can use `sendMail`, and `value`: the last word or path
 * segment of the last email.
 *
 * @param modules the modules that the block imports, by name
 * @param givens the other variables that it uses, by name
 * @returns the block's exports
 */
export const runBlock = async (
	code: string,
	modules: Readonly<Record<string, unknown>>,
	givens: Readonly<Record<string, unknown>>,
): Promise<Readonly<Record<string, unknown>>> => {
	const { outputText } = ts.transpileModule(code, {
		compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022 },
	});
	const require = (name: string) => {
		if (!(name in modules)) throw new Error(`the block imports ${name}`);
		return modules[name];
	};
	let mail = "";
	const sendMail = async (_to: string, text: string): Promise<void> => {
		mail = text;
	};
	Object.defineProperty(globalThis, "value", {
		configurable: true,
		get: () => /[^/ ]+$/.exec(mail)?.[0],
	});
	const exports = {};
	try {
		const names = ["require", "exports", "sendMail", ...Object.keys(givens)];
		const values = [require, exports, sendMail, ...Object.values(givens)];
		await new AsyncFunction(...names, outputText)(...values);
	} finally {
		Reflect.deleteProperty(globalThis, "value");
	}
	return exports;
};
