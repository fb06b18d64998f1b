import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { LuciaError } from "lucia-auth";
import { type AdapterTestRows, runAdapterTest } from "./support/adapter-test.js";
import { intercept } from "./support/faults.js";
import { openSqlite, type Sqlite } from "./support/sqlite.js";

let sqlite: Sqlite;
beforeEach(() => {
	sqlite = openSqlite();
});
afterEach(() => sqlite.db.close());

const rowsOf = (sqlite: Sqlite): AdapterTestRows => {
	const table = (name: string) => ({
		get: async () => sqlite.db.prepare(`SELECT * FROM ${name}`).all() as never[],
		insert: async (row: object) => {
			const values = Object.values(row).map((value: unknown) =>
				typeof value === "boolean" ? Number(value) : value,
			);
			const columns = Object.keys(row).join(", ");
			const marks = values.map(() => "?").join(", ");
			sqlite.db.prepare(`INSERT INTO ${name} (${columns}) VALUES (${marks})`).run(...values);
		},
		clear: async () => {
			sqlite.db.exec(`DELETE FROM ${name}`);
		},
	});
	return {
		user: table("auth_user"),
		session: table("auth_session"),
		key: { ...table("auth_key"), get: async () => sqlite.keys() },
	};
};

describe("the SQLite adapter under the tests", () => {
	test("passes Lucia's own tests of adapters", async () => {
		const passed = await runAdapterTest(sqlite.adapter(LuciaError), rowsOf(sqlite));
		expect(passed).toHaveLength(41);
	});

	test("fails Lucia's tests when it is broken", async () => {
		const broken = intercept(sqlite.adapter(LuciaError), async (name, run) =>
			name === "deleteNonPrimaryKey" ? undefined : run(),
		);
		await expect(runAdapterTest(broken, rowsOf(sqlite))).rejects.toThrow("deleteNonPrimaryKey()");
	});
});
