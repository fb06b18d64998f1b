import { expect, test } from "vitest";
import { type KeyStore, LuciaTokenError } from "../src/index.js";
import { betterSqlite3 } from "../src/stores/better-sqlite3.js";
import { mysql2 } from "../src/stores/mysql2.js";
import { pg } from "../src/stores/pg.js";

// Writes down what each native store asks its database, and fails where docs/statements.md says
// anything else. `npx vitest run test/statements.test.ts -u` brings the page up to date.

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

const mysqlStore = (version: string): KeyStore =>
	mysql2({
		execute: async (sql) =>
			note<[unknown, unknown]>(sql, [
				Object.assign([{ ...rows[0], Variable_name: "version", Value: version }], {
					affectedRows: 1,
				}),
				[],
			]),
	});

const stores: Record<string, KeyStore> = {
	// Nothing inserted, so that it asks why.
	"pg: PostgreSQL": pg({ query: async ({ text }) => note(text, { rows, rowCount: 0 }) }),
	"mysql2: MariaDB": mysqlStore("10.11.6-MariaDB"),
	"mysql2: MySQL": mysqlStore("8.4.0"),
	"better-sqlite3: SQLite": betterSqlite3({
		prepare: (sql: string) => ({
			all: () => note(sql, rows),
			run: () => note(sql, rows),
		}),
	}),
};

const OPERATIONS: readonly [keyof KeyStore, string, (store: KeyStore) => Promise<unknown>][] = [
	["insert", "issue", (store) => store.insert({ id: "name:token", userId: "user", expires: 1 })],
	["get", "getToken", (store) => store.get("name:token")],
	["consume", "validate", (store) => store.consume("name:token")],
	[
		"consumeAndDelete",
		"validate",
		async (store) =>
			store.consumeAndDelete?.({ id: "name:token", userId: "user", expires: 1 }, ":name:token 1 1"),
	],
	[
		"takeAttempts",
		"validate",
		async (store) =>
			store.takeAttempts?.({
				userId: "user",
				prefix: "name:user.",
				id: "name:user.code",
				maxAttempts: 5,
				now: 1,
			}),
	],
	[
		"consumeAndRevoke",
		"validate",
		async (store) => store.consumeAndRevoke?.("name:token", "user", ["name:", "other:"], 1),
	],
	["delete", "invalidate", (store) => store.delete("name:token")],
	["getAllByUser", "getAllUserTokens", (store) => store.getAllByUser("user", "name:")],
	["deleteAllByUser", "invalidateAllUserTokens", (store) => store.deleteAllByUser("user", "name:")],
	[
		"deleteExpiredByUser",
		"deleteExpiredUserTokens",
		(store) => store.deleteExpiredByUser("user", "name:", 1),
	],
	["deleteExpired", "deleteExpiredTokens", async (store) => store.deleteExpired?.("name:", 1, "")],
	["deleteOldest", "issue", async (store) => store.deleteOldest?.("user", "name:", 3, 1)],
];

test("docs/statements.md holds every statement of every native store", async () => {
	const page = [
		"# Statements\n",
		"These are the SQL statements that each native store sends to its database. A wrong code uses `takeAttempts`, and a right one `consumeAndDelete` as well. Links, and codes without `maxAttempts`, use `consume`. MySQL takes attempts one by one, with `getAllByUser` and `insert`. `test/statements.test.ts` writes this page. [stores.md](stores.md) helps you choose a store. With `tables`, your names replace `auth_user` and `auth_key`, and the statements leave out `primary_key` and `hashed_password`.\n",
	];
	for (const [name, store] of Object.entries(stores)) {
		page.push(`## ${name}\n`);
		for (const [operation, method, run] of OPERATIONS) {
			statements.length = 0;
			await run(store).catch((error: unknown) => {
				expect(error).toBeInstanceOf(LuciaTokenError);
			});
			expect(statements.length).toBeGreaterThan(0);
			page.push(`\`${operation}\`, for \`${method}()\`:\n`);
			page.push(`\`\`\`sql\n${statements.join(";\n")}\n\`\`\`\n`);
		}
	}
	await expect(page.join("\n")).toMatchFileSnapshot("../docs/statements.md");
});
