import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import * as tokens from "../src/index.js";
import * as nativeStore from "../src/stores/better-sqlite3.js";
import * as testing from "../src/testing.js";
import type { KeyStoreRow } from "../src/testing.js";
import { blocksOf, readPage, runBlock } from "./support/page.js";
import { openSqlite, type Sqlite } from "./support/sqlite.js";

// Runs every TypeScript block of the README, docs/stores.md, and docs/hashed.md as a module. The modules
// and variables that a block uses are defined here.

const PAGES = ["README.md", "docs/stores.md", "docs/hashed.md"];

let sqlite: Sqlite;

beforeEach(() => {
	sqlite = openSqlite();
	vi.spyOn(console, "log").mockImplementation(() => {});
});
afterEach(() => {
	vi.restoreAllMocks();
	sqlite.db.close();
});

const run = async (code: string): Promise<void> => {
	const tests: Promise<void>[] = [];
	const modules: Record<string, unknown> = {
		"@lucia-auth/tokens": tokens,
		"@lucia-auth/tokens/better-sqlite3": nativeStore,
		"@lucia-auth/tokens/testing": testing,
		"./lucia.js": { auth: sqlite.auth },
		"./db.js": {
			db: sqlite.db,
			createUser: (id: string) => sqlite.createUser(id),
			insertRow: async (row: KeyStoreRow) => sqlite.insertKey(row),
			getRows: async (id: string) => sqlite.keys().filter((row) => row.user_id === id),
		},
		// One after the other, as runners do.
		"./runner.js": {
			test: (_name: string, run: () => Promise<void>) => {
				const [last] = tests.slice(-1);
				tests.push(Promise.resolve(last).then(run));
			},
		},
	};
	const userId = await sqlite.createUser();
	await runBlock(code, modules, { user: { userId, email: "user@example.com" } });
	await Promise.all(tests);
	if (code.includes("keyStoreCases")) expect(tests.length).toBeGreaterThan(20);
	// Each other example uses up or revokes what it has issued.
	else expect(sqlite.keys().filter(({ id }) => !id.startsWith(":"))).toEqual([]);
};

describe.each(PAGES)("%s", (page) => {
	const blocks = blocksOf(readPage(page));

	test.each(blocks)("has an example that runs: %#", async (code) => {
		expect(code).toContain("@lucia-auth/tokens");
		await run(code);
	});

	test("has an example that fails when its token is not the one that was issued", async () => {
		const [code = ""] = blocks;
		const broken = code.replace(/validate\((\w+)\)/, "validate(`${$1}x`)");
		expect(broken).not.toBe(code);
		await expect(run(broken)).rejects.toThrow("INVALID_TOKEN");
	});
});

test("the README's badges say what CI enforces", () => {
	const manifest = JSON.parse(readPage("package.json")) as {
		readonly license: string;
		readonly dependencies?: object;
		readonly "size-limit": readonly { readonly path: string; readonly limit: string }[];
	};
	const size = manifest["size-limit"].find(({ path }) => path === "dist/index.js")?.limit;
	const badges = [...readPage("README.md").matchAll(/^!\[(.*?)\]\(https:\/\/img/gm)];
	expect(badges.map(([, text]) => text)).toEqual([
		`coverage ${/lines: (\d+)/.exec(readPage("vitest.config.ts"))?.[1]}%`,
		`size ${size} at most`,
		`${manifest.dependencies === undefined ? "no" : "some"} dependencies`,
		`license ${manifest.license}`,
	]);
});

test("the workflow runs every job of .ci/run", () => {
	const [, jobs] = /^jobs=\((.*)\)$/m.exec(readPage(".ci/run")) ?? [];
	const [, run] = /\bjob: \[(.*)\]$/m.exec(readPage(".github/workflows/ci.yml")) ?? [];
	expect(run?.split(", ")).toEqual(jobs?.split(" "));
});
