import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { idToken, passwordToken } from "../../src/index.js";
import {
	betterSqlite3,
	type SqliteDatabase,
	type SqliteStatement,
} from "../../src/stores/better-sqlite3.js";
import { openSqlite, type Sqlite } from "../support/sqlite.js";

// The table of statements in docs/stores.md.

const NOW = 1_000_001;

let sqlite: Sqlite;
let user: string;
beforeEach(async () => {
	// Tokens of these tests do not expire at a multiple of 8, so that issue() does not sweep.
	vi.useFakeTimers({ now: NOW, toFake: ["Date"] });
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
		counts: {
			issue: 2,
			link: 3,
			right: 5,
			look: 3,
			wrong: 1,
			each: 1,
			first: 6,
			later: 3,
			refused: 1,
		},
		source: () => sqlite.auth,
	},
	{
		name: "a native store",
		counts: {
			issue: 1,
			link: 1,
			right: 2,
			look: 2,
			wrong: 1,
			each: 0,
			first: 5,
			later: 3,
			refused: 1,
		},
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
			passwordToken(store, "code", { expiresIn: 60, generate: () => "right", maxAttempts: 99 }),
		];
		const other = passwordToken(store, "code", { expiresIn: 60 });
		expect(await counted(() => link.issue(user))).toBe(counts.issue);
		expect(await counted(() => link.validate("link"))).toBe(counts.link);
		expect(await counted(() => code.issue(user))).toBe(counts.issue);
		for (let codes = 1; codes <= 12; codes++) {
			// A wrong guess takes an attempt of each good code, and ten are good.
			const wrong = counts.wrong + counts.each * Math.min(codes, 10);
			const look = code.getToken("right", user);
			expect(
				await look.then(
					() => "good",
					() => "bad",
				),
			).toBe(codes <= 10 ? "good" : "bad");
			expect(await counted(() => code.validate("wrong", user))).toBe(wrong);
			vi.advanceTimersByTime(8);
			await other.issue(user);
		}
	});

	test("match the documented counts for a right code, whatever is outstanding beside it", async () => {
		const store = source();
		const code = passwordToken(store, "code", { expiresIn: 60, generate: () => "right" });
		const other = passwordToken(store, "code", { expiresIn: 60 });
		for (let others = 0; others < 9; others += 4) {
			await code.issue(user);
			expect(await counted(() => code.getToken("right", user))).toBe(counts.look);
			expect(await counted(() => code.validate("right", user))).toBe(counts.right);
			vi.advanceTimersByTime(8);
			for (let count = 0; count < 4; count++) await other.issue(user);
		}
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
		expect(await counted(() => link.issue(user))).toBe(counts.first);
		expect(await counted(() => link.issue(user))).toBe(counts.refused);
		vi.setSystemTime(NOW + 60_000);
		expect(await counted(() => link.issue(user))).toBe(counts.later);
	});
});
