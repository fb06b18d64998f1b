import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { FOLDER } from "../examples/app.js";
import { root } from "../support/packed.js";
import { linksOf, readPage } from "../support/page.js";

// The guides quote the files of their app. Here, each quotation is what the file says. The links of the guides
// are checked in test/package/package.test.ts.

const names = readdirSync(join(root, "docs/guides"));
const guides = names.map(
	(name) => [basename(name, ".md"), readPage(`docs/guides/${name}`)] as const,
);

// Pages with apps of their own, which test/guides/servers.test.ts runs.
const SERVERS = ["hono", "fastify"];

// Pages with files of their own beside the app's, which test/guides/pages.test.ts runs.
const WITH_FILES = ["csp", "languages", "limits", "logging", "mail", "testing"];

/** Says why a block is no quotation. An empty string if it is one. */
const problemOf = (language: string, [first = "", ...quoted]: string[]): string => {
	const [, comment, name = ""] = /^(\/\/|--) (\S+)$/.exec(first) ?? [];
	if (comment !== (language === "sql" ? "--" : "//")) return `names no file: ${first}`;
	const path = join(FOLDER, name);
	if (!existsSync(path)) return `no such file: ${name}`;
	if (quoted.length === 0) return `quotes nothing of ${name}`;
	const lines = readFileSync(path, "utf8").split("\n");
	const isAt = (start: number): boolean => {
		const [dedent = ""] = /^\t*/.exec(lines[start] ?? "") ?? [];
		return quoted.every((line, index) => (line && dedent + line) === lines[start + index]);
	};
	return lines.some((_line, start) => isAt(start)) ? "" : `not in ${name}: ${quoted.join("\n")}`;
};

test.each(guides.filter(([page]) => !SERVERS.includes(page)))(
	"%s.md quotes the files of the app",
	(page, text) => {
		for (const [, language = "", code = ""] of text.matchAll(/^```(tsx?|sql)\n(.*?)\n```$/gms)) {
			const problem = problemOf(language, code.split("\n"));
			if (!WITH_FILES.includes(page) || !problem.startsWith("no such file"))
				expect(problem).toBe("");
		}
	},
);

test("the pages together quote every flow", () => {
	const all = guides.map(([, text]) => text).join("\n");
	for (const flow of readdirSync(join(FOLDER, "flows")))
		expect(all).toContain(`// flows/${flow}\n`);
});

test.each(["magic-link", "nextjs", "sveltekit"])("the README of %s has no dead link", (example) => {
	const page = `examples/${example}/README.md`;
	const paths = linksOf(readPage(page)).map((link) =>
		join(root, dirname(page), link.replace(/#.*/, "")),
	);
	expect(paths.filter((path) => !existsSync(path))).toEqual([]);
});

describe("the app's README", () => {
	const page = readPage("examples/magic-link/README.md");

	test("has each setting of the app, with its default", () => {
		const config = readFileSync(join(FOLDER, "config.ts"), "utf8");
		const settings = [...config.matchAll(/\bread(?:Number)?\("(\w+)"/g)].map(([, name]) => name);
		const rows = [...page.matchAll(/^\| `(\w+)` .*?\|.*?\| (.*?) *\|$/gm)];
		expect(rows.map(([, name]) => name).sort()).toEqual(settings.sort());
		for (const [, name = "", value = ""] of rows) {
			const [, number] = new RegExp(`"${name}"\\)?(?:,| \\?\\?) (\\d+)`).exec(config) ?? [];
			if (number !== undefined) expect(value).toBe(`\`${number}\``);
		}
	});

	test("has each file of the app, and no other", () => {
		const [, tree = ""] = /^## Files\n\n```\n(.*?)^```$/ms.exec(page) ?? [];
		const named = [...tree.matchAll(/^ *(\S+)/gm)].map(([, name]) => name);
		const folders = readdirSync(FOLDER, { withFileTypes: true })
			.filter((entry) => entry.isDirectory() && entry.name !== "node_modules")
			.map(({ name }) => name);
		const files = [FOLDER, join(FOLDER, "flows")]
			.flatMap((folder) => readdirSync(folder))
			.filter((name) => /\.tsx?$/.test(name));
		expect(named.sort()).toEqual([...files, ...folders.map((name) => `${name}/`)].sort());
	});
});
