import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { FOLDER } from "../examples/app.js";
import { readPage } from "../support/page.js";
import { temporaryFolder } from "../support/server.js";
import { addedBy, follow, install, packagesOf, typeErrors } from "./folder.js";

// Follows docs/guides/README.md in an empty folder, in strict TypeScript.

const FLOWS = [
	"magic-links",
	"one-time-codes",
	"link-and-code",
	"password-reset",
	"email-verification",
];

let followed: ReturnType<typeof follow>;
beforeAll(() => {
	followed = follow("README");
});
afterAll(() => followed?.remove());

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
	test("can copy the app, which has the versions that the page installs", () => {
		expect(readdirSync(followed.path)).toContain("main.ts");
		expect(typeErrors(followed.path)).toBe("");
		const { dependencies, devDependencies } = JSON.parse(
			readFileSync(join(FOLDER, "package.json"), "utf8"),
		) as Record<"dependencies" | "devDependencies", Record<string, string>>;
		for (const { name, version } of packagesOf("README")) {
			const tested = { ...dependencies, ...devDependencies }[name];
			expect(tested?.split(".")[0], name).toBe(version ?? tested?.split(".")[0]);
			expect(tested, name).toBeDefined();
		}
	});

	test("can copy the app with one database", () => {
		const folder = copy();
		rmSync(join(folder, "database/postgresql.ts"));
		const end = /await \(databaseUrl.*?\)\);/s;
		edit(join(folder, "database.ts"), end, 'await import("./database/sqlite.js");');
		expect(typeErrors(folder)).toBe("");
	});

	test.each(FLOWS)("can copy %s without the other flows", (page) => {
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
		expect(typeErrors(folder)).toBe("");
	});

	test("can add the files of the other pages", () => {
		const folder = copy();
		const pages = { mail: 1, limits: 2, testing: 2, logging: 2, languages: 1, csp: 1 };
		for (const [page, count] of Object.entries(pages)) {
			install(page, folder);
			expect([page, addedBy(page).size]).toEqual([page, count]);
			for (const [name, code] of addedBy(page)) writeFileSync(join(folder, name), code);
		}
		expect(typeErrors(folder)).toBe("");
		edit(join(folder, "wording.ts"), /^\t*EXPIRED_TOKEN: "Dieser.*\n/m, "");
		expect(typeErrors(folder)).toContain("Property 'EXPIRED_TOKEN' is missing");
	});
});
