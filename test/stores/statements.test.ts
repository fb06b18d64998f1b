import { describe, expect, test, vi } from "vitest";
import { idToken, type KeyStore, LuciaTokenError, passwordToken } from "../../src/index.js";
import { betterSqlite3, type SqliteDatabase } from "../../src/stores/better-sqlite3.js";
import { mysql2 } from "../../src/stores/mysql2.js";
import { pg } from "../../src/stores/pg.js";
import { NOW, openStopped, type Sqlite } from "../support/sqlite.js";

/** A native store that counts its statements among the calls to the adapter. */
const native = ({ db, calls }: Sqlite) => {
	const prepare: SqliteDatabase["prepare"] = (sql) => {
		const statement = db.prepare(sql);
		return {
			all: (...values) => (calls.push(sql), statement.all(...values)),
			run: (...values) => (calls.push(sql), statement.run(...values)),
		};
	};
	return betterSqlite3({ prepare });
};

// The table in docs/stores.md, and what comes on top of it.
describe.each([
	{
		store: "the default store",
		source: ({ auth }: Sqlite) => auth,
		counts: { issue: 2, limited: 5, link: 3, right: 5, read: 3, each: 1, first: 6 },
	},
	{
		store: "a native store",
		source: native,
		counts: { issue: 1, limited: 3, link: 1, right: 2, read: 2, each: 0, first: 5 },
	},
])("the number of statements of $store", ({ source, counts }) => {
	const open = async () => {
		const sqlite = await openStopped();
		const count = async (run: () => Promise<unknown>): Promise<number> => {
			sqlite.calls.length = 0;
			await run().catch(() => {});
			return sqlite.calls.length;
		};
		return { sqlite, store: source(sqlite), count };
	};

	test("for a link", async () => {
		const { sqlite, store, count } = await open();
		const link = idToken(store, "link", { expiresIn: 60, generate: () => "link" });
		expect(await count(() => link.issue("user"))).toBe(counts.issue);
		expect(await count(() => link.validate("wrong"))).toBe(1);
		expect(await count(() => link.validate("link"))).toBe(counts.link);
		expect(sqlite.tokens()).toEqual([]);
	});

	test("for a right and a wrong code, whatever is outstanding beside it", async () => {
		const { store, count } = await open();
		const options = { expiresIn: 60, maxAttempts: 99 };
		const right = passwordToken(store, "code", { ...options, generate: () => "right" });
		const other = passwordToken(store, "code", options);
		for (let codes = 1; codes <= 12; codes++) {
			await right.issue("user");
			expect(await count(() => right.getToken("right", "user"))).toBe(counts.read);
			// A wrong guess takes an attempt of each good code, and ten are good.
			const wrong = 1 + counts.each * Math.min(codes, 10);
			expect(await count(() => right.validate("wrong", "user"))).toBe(wrong);
			expect(await count(() => right.validate("right", "user"))).toBe(counts.right);
			vi.advanceTimersByTime(8);
			await other.issue("user");
		}
	});

	test("is the same for known and unknown users without a code, and nothing is written", async () => {
		const { sqlite, store, count } = await open();
		const code = passwordToken(store, "code");
		const known = await count(() => code.validate("wrong", "user"));
		expect(known).toBeLessThanOrEqual(2);
		expect(await count(() => code.validate("wrong", "nobody"))).toBe(known);
		expect(sqlite.keys()).toEqual([]);
	});

	test("with minInterval, and with maxTokensPerUser where a token is deleted", async () => {
		const { store, count } = await open();
		const link = idToken(store, "link", { expiresIn: 60, minInterval: 60 });
		expect(await count(() => link.issue("user"))).toBe(counts.first);
		expect(await count(() => link.issue("user"))).toBe(1);
		vi.setSystemTime(NOW + 60_000);
		expect(await count(() => link.issue("user"))).toBe(3);

		const limited = idToken(store, "limited", { expiresIn: 60, maxTokensPerUser: 1 });
		await limited.issue("user");
		expect(await count(() => limited.issue("user"))).toBe(counts.limited);
	});
});

const statements: string[] = [];
const rows = [{ is_taken: true, id: "name:token", user_id: "user", expires: 1 }];
const note = <Result>(sql: string, result: Result): Result => {
	statements.push(
		sql
			.replace(/\s+/g, " ")
			.replace(/ (WHERE|AND (?:NOT )?auth_key|LEFT JOIN|RETURNING)/g, "\n\t$1")
			.trim(),
	);
	return result;
};

const mysqlStore = (version: string): KeyStore => {
	const found = [{ ...rows[0], Variable_name: "version", Value: version }];
	const response = Object.assign(found, { affectedRows: 1 });
	return mysql2({ execute: async (sql) => note<[unknown, unknown]>(sql, [response, []]) });
};

const NATIVE: Record<string, KeyStore> = {
	// Nothing inserted, so that it asks why.
	"pg: PostgreSQL": pg({ query: async ({ text }) => note(text, { rows, rowCount: 0 }) }),
	"mysql2: MariaDB": mysqlStore("10.11.6-MariaDB"),
	"mysql2: MySQL": mysqlStore("8.4.0"),
	"better-sqlite3: SQLite": betterSqlite3({
		prepare: (sql: string) => ({ all: () => note(sql, rows), run: () => note(sql, rows) }),
	}),
};

const KEY = { id: "name:token", userId: "user", expires: 1 };
const GUESS = {
	userId: "user",
	prefix: "name:user.",
	id: "name:user.code",
	maxAttempts: 5,
	now: 1,
};

type Run = (...args: unknown[]) => Promise<unknown>;

/** For each operation, the method that needs it, and its arguments. */
const OPERATIONS: Partial<Record<keyof KeyStore, [method: string, ...args: unknown[]]>> = {
	insert: ["issue", KEY],
	get: ["getToken", KEY.id],
	consume: ["validate", KEY.id],
	consumeAndDelete: ["validate", KEY, ":name:token 1 1"],
	takeAttempts: ["validate", GUESS],
	consumeAndRevoke: ["validate", KEY.id, "user", ["name:", "other:"], 1],
	delete: ["invalidate", KEY.id],
	getAllByUser: ["getAllUserTokens", "user", "name:"],
	deleteAllByUser: ["invalidateAllUserTokens", "user", "name:"],
	deleteExpiredByUser: ["deleteExpiredUserTokens", "user", "name:", 1],
	deleteExpired: ["deleteExpiredTokens", "name:", 1, ""],
	deleteOldest: ["issue", "user", "name:", 3, 1],
};

// `npx vitest run test/stores/statements.test.ts -u` brings the page up to date. Stryker would take each
// mutant of a statement for noticed.
test.runIf(!process.env["STRYKER_MUTATOR_WORKER"])(
	"statements.md holds every statement of every native store",
	async () => {
		const page = [
			"# Statements\n",
			"These are the SQL statements that each native store sends to its database. `statements.test.ts`",
			"writes this page.\n",
			"- Links, and codes without `maxAttempts`, use `consume`.",
			"- A wrong code uses `takeAttempts`, and a right one `consumeAndDelete` as well. MySQL takes attempts",
			"  one by one, with `getAllByUser` and `insert`.",
			"- With `tables`, your names replace `auth_user` and `auth_key`, and the statements leave out",
			"  `primary_key` and `hashed_password`.\n",
		];
		for (const [name, store] of Object.entries(NATIVE)) {
			page.push(`## ${name}\n`);
			for (const [operation, [method, ...args]] of Object.entries(OPERATIONS)) {
				statements.length = 0;
				const { [operation]: run } = store as unknown as Record<string, Run>;
				await run?.(...args).catch((error: unknown) => {
					expect(error).toBeInstanceOf(LuciaTokenError);
				});
				page.push(`\`${operation}\`, for \`${method}()\`:\n`);
				page.push(`\`\`\`sql\n${statements.join(";\n")}\n\`\`\`\n`);
			}
		}
		await expect(page.join("\n")).toMatchFileSnapshot("statements.md");
	},
);
