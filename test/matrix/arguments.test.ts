import { describe, expect, test } from "vitest";
import { betterSqlite3 } from "../../src/stores/better-sqlite3.js";
import { d1 } from "../../src/stores/d1.js";
import { mysql2 } from "../../src/stores/mysql2.js";
import { pg } from "../../src/stores/pg.js";
import type { Tables } from "../../src/stores/tables.js";

const WRONG: readonly unknown[] = [undefined, null, "postgres://localhost", 1, {}, { query: 1 }];

describe("a native store rejects anything but its driver", () => {
	test.each(WRONG)("%o", (value) => {
		expect(() => pg(value as never)).toThrow(new TypeError("pool must be a Pool of pg"));
		expect(() => mysql2(value as never)).toThrow(
			new TypeError("pool must be a pool of mysql2/promise"),
		);
		expect(() => d1(value as never)).toThrow(new TypeError("db must be a D1 database"));
		expect(() => betterSqlite3(value as never)).toThrow(
			new TypeError("db must be a database of better-sqlite3, libsql, bun:sqlite, or node:sqlite"),
		);
	});
});

const STORES: readonly (readonly [string, (tables: Tables) => unknown])[] = [
	["betterSqlite3", (tables) => betterSqlite3({ prepare: () => ({}) as never }, { tables })],
	["d1", (tables) => d1({ prepare: () => ({}) as never }, { tables })],
	["mysql2", (tables) => mysql2({ execute: () => Promise.reject(new Error("asked")) }, { tables })],
	["pg", (tables) => pg({ query: () => Promise.reject(new Error("asked")) }, { tables })],
];

describe.each(STORES)("%s checks table names when it is created", (_name, create) => {
	test.each([
		["auth_user", "auth_key"],
		["user", "User-Token$"],
		["auth.user", "auth.user_token"],
		["Benutzer", "Schlüssel2"],
	])("%s and %s are table names", (user, key) => {
		create({ user, key });
	});

	test.each([null, "users", 1, {}, { user: "users" }, { user: "users", key: 1 }])(
		"%o is not a pair of names",
		(tables) => {
			const option = typeof tables === "object" && tables?.user ? "key" : "user";
			const expected = expect(() => create(tables as never));
			expected.toThrow(TypeError);
			expected.toThrow(`tables.${option} must be the name of a table`);
		},
	);

	test.each(["", ".", "a.", ".a", "a.b.c", "a b", 'a"b', "a`b", "a;", "a\0", "a'", "a\\", "a\n"])(
		"%j is not a name",
		(name) => {
			for (const table of ["user", "key"]) {
				const expected = expect(() => create({ user: "a", key: "a", [table]: name }));
				expected.toThrow(RangeError);
				expected.toThrow(`tables.${table} must be the name of a table`);
			}
		},
	);
});
