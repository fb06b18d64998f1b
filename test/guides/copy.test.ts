import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { afterAll, describe, expect, onTestFinished, test } from "vitest";
import { FOLDER } from "../examples/app.js";
import { root } from "../support/packed.js";
import { linksOf, readPage } from "../support/page.js";
import { temporaryFolder } from "../support/server.js";
import { addedBy, follow, install, packagesOf, typeErrors } from "./folder.js";

// The guides quote the files of their app. Here, each quotation is what the file says. The links of the guides
// are checked in test/package/package.test.ts.

const guides = readdirSync(join(root, "docs/guides")).map(
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

// Follows docs/guides/README.md in an empty folder, in strict TypeScript.

const FLOWS = [
	"magic-links",
	"one-time-codes",
	"link-and-code",
	"password-reset",
	"email-verification",
];

const followed = follow("README");
afterAll(followed.remove);

/** A folder in which somebody has followed the page. */
const copy = (): string => {
	const folder = temporaryFolder("copy");
	onTestFinished(folder.remove);
	cpSync(followed.path, folder.path, { recursive: true, verbatimSymlinks: true });
	return folder.path;
};

/** Edits a file, which must change. */
const edit = (path: string, pattern: RegExp, text: string): void => {
	const before = readFileSync(path, "utf8");
	expect(before).toMatch(pattern);
	writeFileSync(path, before.replace(pattern, text));
};

/** The files that a page says to copy, of those in `flows`. */
const flowsOf = (page: string): string[] => {
	const [copy = ""] = /\*\*Copy\*\*.*?(?=\n\n)/s.exec(readPage(`docs/guides/${page}.md`)) ?? [];
	return [...copy.matchAll(/`flows\/(\S+\.tsx)`/g)].map(([, name = ""]) => name);
};

describe("a strict app", () => {
	test("can copy the app, which has the versions that the page installs", async () => {
		expect(readdirSync(followed.path)).toContain("main.ts");
		expect(await typeErrors(followed.path)).toBe("");
		const { dependencies, devDependencies } = JSON.parse(
			readFileSync(join(FOLDER, "package.json"), "utf8"),
		) as Record<"dependencies" | "devDependencies", Record<string, string>>;
		for (const [name, version] of packagesOf("README")) {
			const tested = { ...dependencies, ...devDependencies }[name];
			expect(tested?.split(".")[0], name).toBe(version ?? tested?.split(".")[0]);
			expect(tested, name).toBeDefined();
		}
	});

	test("can copy the app with one database", async () => {
		const folder = copy();
		rmSync(join(folder, "database/postgresql.ts"));
		const end = /await \(databaseUrl.*?\)\);/s;
		edit(join(folder, "database.ts"), end, 'await import("./database/sqlite.js");');
		expect(await typeErrors(folder)).toBe("");
	});

	test.each(FLOWS)("can copy %s without the other flows", async (page) => {
		const copied = flowsOf(page);
		expect(copied).not.toEqual([]);
		const folder = copy();
		for (const name of readdirSync(join(folder, "flows"))) {
			if (!copied.includes(name)) rmSync(join(folder, "flows", name));
		}
		// In main.ts, it deletes the import and the name of each other flow, and adds its own.
		const main = join(folder, "main.ts");
		edit(main, /^import .* from "\.\/flows\/.*\n/gm, "");
		const names = copied.map((name) => basename(name, ".tsx"));
		const flows = names.map((name) => name.replace(/-./g, (text) => text.slice(1).toUpperCase()));
		const lines = names.map(
			(name, index) => `import { ${flows[index]} } from "./flows/${name}.js";\n`,
		);
		edit(main, /(?<=^const flows = \[).*(?=\];$)/m, [...flows, "mailboxPage"].join(", "));
		edit(main, /^/, lines.join(""));
		expect(await typeErrors(folder)).toBe("");
	});

	test("can add the files of the other pages", async () => {
		const folder = copy();
		const pages = { mail: 1, limits: 2, testing: 2, logging: 2, languages: 1, csp: 1 };
		for (const [page, count] of Object.entries(pages)) {
			install(page, folder);
			expect([page, addedBy(page).size]).toEqual([page, count]);
			for (const [name, code] of addedBy(page)) writeFileSync(join(folder, name), code);
		}
		expect(await typeErrors(folder)).toBe("");
		edit(join(folder, "wording.ts"), /^\t*EXPIRED_TOKEN: "Dieser.*\n/m, "");
		expect(await typeErrors(folder)).toContain("Property 'EXPIRED_TOKEN' is missing");
	});
});
