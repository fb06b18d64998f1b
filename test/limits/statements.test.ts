import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { idToken, passwordToken } from "../../src/index.js";
import {
	betterSqlite3,
	type SqliteDatabase,
	type SqliteStatement,
} from "../../src/stores/better-sqlite3.js";
import { openSqlite, type Sqlite } from "../support/sqlite.js";

// The table of statements in docs/stores.md.

let sqlite: Sqlite;
let user: string;
beforeEach(async () => {
	vi.useFakeTimers({ now: 1_000_000, toFake: ["Date"] });
	sqlite = openSqlite();
	user = await sqlite.createUser("user");
});
afterEach(() => {
	vi.useRealTimers();
	sqlite.db.close();
});

const STORES = [
	{
		name: "the default store",
		counts: { issue: 1, link: 5, right: 7, look: 4, wrong: 2, first: 2, renewal: 8, refused: 3 },
		source: () => sqlite.auth,
	},
	{
		name: "a native store",
		counts: { issue: 1, link: 1, right: 3, look: 3, wrong: 2, first: 2, renewal: 2, refused: 3 },
		source: () => {
			const counted = (): SqliteDatabase => ({
				prepare: (sql) => {
					const statement = sqlite.db.prepare(sql) as unknown as SqliteStatement;
					const counted =
						(run: (...values: unknown[]) => unknown[]) =>
						(...values: unknown[]) => {
							sqlite.calls.push(sql);
							return run(...values);
						};
					return {
						all: counted((...values) => statement.all(...values)),
						run: counted((...values) => [statement.run(...values)]),
					};
				},
			});
			return betterSqlite3(counted());
		},
	},
];

describe.each(STORES)("the statements of $name", ({ counts, source }) => {
	const counted = async (run: () => Promise<unknown>): Promise<number> => {
		sqlite.calls.length = 0;
		await run().catch(() => {});
		return sqlite.calls.length;
	};

	test("match the documented counts for links and codes", async () => {
		const store = source();
		const [link, code] = [
			idToken(store, "link", { expiresIn: 60, generate: () => "link" }),
			passwordToken(store, "code", { expiresIn: 60, generate: () => "right" }),
		];
		const other = passwordToken(store, "code", { expiresIn: 60 });
		expect(await counted(() => link.issue(user))).toBe(counts.issue);
		expect(await counted(() => link.validate("link"))).toBe(counts.link);
		expect(await counted(() => code.issue(user))).toBe(counts.issue);
		expect(await counted(() => code.validate("wrong", user))).toBe(counts.wrong);
		expect(await counted(() => code.getToken("right", user))).toBe(counts.look);
		await other.issue(user);
		expect(await counted(() => code.validate("wrong", user))).toBe(counts.wrong + 1);
		expect(await counted(() => code.validate("right", user))).toBe(counts.right);
	});

	test("are the same for known and unknown users without a code, and write nothing", async () => {
		const store = source();
		const code = passwordToken(store, "code");
		const known = await counted(() => code.validate("wrong", user));
		expect(known).toBeLessThanOrEqual(2);
		expect(await counted(() => code.validate("wrong", "nobody"))).toBe(known);
		expect(sqlite.keys()).toEqual([]);
	});

	test("match the documented counts with minInterval", async () => {
		const link = idToken(source(), "link", { expiresIn: 60, minInterval: 60 });
		expect(await counted(() => link.issue(user))).toBe(counts.issue + counts.first);
		expect(await counted(() => link.issue(user))).toBe(counts.refused);
		vi.setSystemTime(1_060_000);
		expect(await counted(() => link.issue(user))).toBe(counts.issue + counts.renewal);
	});
});
