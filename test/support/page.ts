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

/** A page without its code, which may contain what only reads like a link or a heading. */
const withoutCode = (page: string): string => page.replace(/^```.*?^```$/gms, "");

/** The anchors that GitHub gives to a page's headings. */
export const anchorsOf = (page: string): string[] => {
	const seen: string[] = [];
	for (const [, heading = ""] of withoutCode(page).matchAll(/^#+ (.*)$/gm)) {
		const text = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase();
		seen.push(text.replace(/[^\p{L}\p{N}\s_-]/gu, "").replace(/\s/g, "-"));
	}
	return seen.map((anchor, index) => {
		const before = seen.slice(0, index).filter((other) => other === anchor).length;
		return before > 0 ? `${anchor}-${before}` : anchor;
	});
};

/** The relative links of a page. */
export const linksOf = (page: string): string[] =>
	[...withoutCode(page).matchAll(/\]\(([^)\s]+)\)/g)]
		.map(([, link = ""]) => link)
		.filter((link) => !/^[a-z]+:/.test(link));
