import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { anchorsOf, linksOf, readPage } from "../support/page.js";
import { root } from "../support/packed.js";

// The guides quote the files of their app. Here, each quotation is what the file says, and each link leads
// somewhere.

const APP = "examples/magic-link";

// Pages with apps of their own, which test/guides/servers.test.ts runs.
const SERVERS = ["hono", "fastify"].map((name) => `docs/guides/${name}.md`);

// Pages with files of their own beside the app's.
const WITH_FILES = ["csp", "languages", "limits", "logging", "mail", "testing"].map(
	(name) => `docs/guides/${name}.md`,
);

const pages = [
	...readdirSync(join(root, "docs/guides"))
		.filter((name) => name.endsWith(".md"))
		.map((name) => `docs/guides/${name}`),
	`${APP}/README.md`,
];

interface Block {
	readonly language: string;
	readonly lines: readonly string[];
}

const blocksOf = (page: string): Block[] =>
	[...readPage(page).matchAll(/^```(\w*)\n(.*?)\n```$/gms)].map(([, language = "", code = ""]) => ({
		language,
		lines: code.split("\n"),
	}));

/** Says why a block is no quotation. An empty string if it is one. */
const problemOf = ({ language, lines: [first = "", ...quoted] }: Block): string => {
	const [, comment, name = ""] = /^(\/\/|--) (\S+)$/.exec(first) ?? [];
	if (comment !== (language === "sql" ? "--" : "//")) return `names no file: ${first}`;
	const path = join(root, APP, name);
	if (!existsSync(path)) return `no such file: ${name}`;
	if (language !== "sql" && !name.endsWith(`.${language}`)) return `${name} is not ${language}`;
	if (quoted.length === 0) return `quotes nothing of ${name}`;
	const lines = readFileSync(path, "utf8").split("\n");
	const isAt = (start: number): boolean => {
		const [dedent = ""] = /^\t*/.exec(lines[start] ?? "") ?? [];
		return quoted.every((line, index) => {
			const whole = line === "" ? "" : dedent + line;
			return whole === lines[start + index];
		});
	};
	return lines.some((_line, start) => isAt(start)) ? "" : `not in ${name}: ${quoted.join("\n")}`;
};

const leads = (page: string, link: string): boolean => {
	const [path = "", anchor] = link.split("#");
	const target = path ? join(dirname(page), path) : page;
	if (!existsSync(join(root, target))) return false;
	return anchor === undefined || anchorsOf(readPage(target)).includes(anchor);
};

it.each(pages.filter((page) => !SERVERS.includes(page)))(
	"%s quotes the files of the app",
	(page) => {
		const blocks = blocksOf(page).filter(({ language }) => /^(tsx?|sql)$/.test(language));
		const isFine = (problem: string): boolean =>
			problem === "" || (WITH_FILES.includes(page) && problem.startsWith("no such file"));
		expect(blocks.map(problemOf).filter((problem) => !isFine(problem))).toEqual([]);
	},
);

describe.each(pages)("%s", (page) => {
	it("has no dead link", () => {
		expect(linksOf(readPage(page)).filter((link) => !leads(page, link))).toEqual([]);
	});

	it("has lines of 120 characters at most", () => {
		// A table can't be wrapped.
		const lines = readPage(page).split("\n");
		expect(lines.filter((line) => line.length > 120 && !line.startsWith("|"))).toEqual([]);
	});
});

describe("the pages together", () => {
	it("quote every flow", () => {
		const quoted = pages.flatMap(blocksOf).map(({ lines: [first = ""] }) => first.slice(3));
		const flows = readdirSync(join(root, APP, "flows")).map((name) => `flows/${name}`);
		expect(flows.filter((flow) => !quoted.includes(flow))).toEqual([]);
	});
});

describe("the app's README", () => {
	const page = readPage(`${APP}/README.md`);

	it("has each setting of the app, with its default", () => {
		const config = readFileSync(join(root, APP, "config.ts"), "utf8");
		const settings = [...config.matchAll(/\bread(?:Number)?\("(\w+)"/g)].map(([, name]) => name);
		const rows = [...page.matchAll(/^\| `(\w+)` .*?\|.*?\| (.*?) *\|$/gm)];
		expect(rows.map(([, name]) => name).sort()).toEqual(settings.sort());
		for (const [, name = "", value = ""] of rows) {
			const [, number] = new RegExp(`"${name}"\\)?(?:,| \\?\\?) (\\d+)`).exec(config) ?? [];
			if (number !== undefined) expect(value).toBe(`\`${number}\``);
		}
	});

	it("has each file of the app, and no other", () => {
		const [tree = ""] = /(?<=^## Files\n\n```\n).*?(?=^```$)/ms.exec(page) ?? [];
		let folder = "";
		const named = tree.split("\n").flatMap((line) => {
			const [, indent = "", name = ""] = /^( *)(\S+)/.exec(line) ?? [];
			if (name.endsWith("/")) folder = name;
			return name === "" ? [] : (indent && !name.endsWith("/") ? folder : "") + name;
		});
		expect(named.filter((name) => !existsSync(join(root, APP, name)))).toEqual([]);
		const files = readdirSync(join(root, APP), { recursive: true, encoding: "utf8" });
		const all = files.filter((file) => /\.tsx?$/.test(file) && !file.includes("node_modules"));
		// A folder stands for its files, unless they are listed.
		const isNamed = (file: string): boolean =>
			named.includes(file) ||
			(named.includes(`${dirname(file)}/`) &&
				!named.some(
					(name) => name.startsWith(dirname(file) + "/") && name !== `${dirname(file)}/`,
				));
		expect(all.filter((file) => !isNamed(file))).toEqual([]);
	});
});
