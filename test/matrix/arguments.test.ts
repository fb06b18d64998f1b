import mysqlWithCallbacks from "mysql2";
import { describe, expect, test } from "vitest";
import { betterSqlite3 } from "../../src/stores/better-sqlite3.js";
import { d1 } from "../../src/stores/d1.js";
import { libsql } from "../../src/stores/libsql.js";
import { mysql2 } from "../../src/stores/mysql2.js";
import { pg } from "../../src/stores/pg.js";

type Create = (driver: never, options?: never) => unknown;

/** The native stores, and what each says of anything but its driver. */
const STORES = {
	pg: [pg, "pool must be a Pool or Client of pg, the sql of postgres.js, or a PGlite"],
	mysql2: [mysql2, "pool must be a pool or connection of mysql2/promise or mariadb"],
	betterSqlite3: [
		betterSqlite3,
		"db must be a database of better-sqlite3, libsql, bun:sqlite, or node:sqlite",
	],
	libsql: [libsql, "client must be a client or transaction of @libsql/client"],
	d1: [d1, "db must be a D1 database"],
} as const satisfies Record<string, readonly [Create, string]>;

const method = () => Promise.reject(new Error("asked"));
const withCallback = (sql: string, values: unknown, callback: (asked: unknown[]) => void) =>
	callback([sql, values]);

// What a store is likely to be passed in place of its driver, and what the message says of it.
const OTHERS: readonly (readonly [keyof typeof STORES, value: unknown, string])[] = [
	["pg", Object.assign(() => method(), { unsafe: method, flush: method }), "the SQL of Bun"],
	["pg", { createQueryRunner: method, query: method }, "a DataSource of TypeORM: pass the Pool"],
	["pg", { getQueryInterface: method, query: method }, "a Sequelize: create a Pool of pg"],
	["pg", Object.assign(() => method(), { raw: method }), "a Knex: create a Pool of pg"],
	["pg", { selectFrom: method }, "a Kysely: pass the Pool"],
	["pg", { $client: {}, query: {} }, "a database of Drizzle: pass its $client"],
	["pg", { exec: method, prepare: method, query: method }, "one of SQLite: pass that"],
	[
		"pg",
		{ getConnection: method, query: method },
		"one of MySQL or MariaDB: pass that to mysql2()",
	],
	["pg", { beginTransaction: method, query: method }, "one of MySQL or MariaDB"],
	[
		"pg",
		Object.assign(() => method(), { unsafe: method, query: method, transaction: method }),
		"neon() of Neon, which has no connection: create a Pool of it",
	],
	["pg", () => method(), "an object without query()"],
	[
		"mysql2",
		{ batch: method, execute: withCallback },
		"one of mariadb/callback: create it with mariadb",
	],
	["mysql2", { batch: method, execute: method, executeMultiple: method }, "one of @libsql/client"],
	["mysql2", { $client: {}, execute: method }, "a database of Drizzle: pass its $client"],
	["mysql2", { transaction: method, execute: method }, "a client such as PlanetScale's"],
	["mysql2", { query: method, totalCount: 0 }, "a Pool of pg: pass that to pg()"],
	["betterSqlite3", { prepare: method, batch: method }, "a D1 database, which is asynchronous"],
	["betterSqlite3", { execute: method, batch: method }, "a client of @libsql/client"],
	["d1", { prepare: method, close: method }, "one of a driver such as better-sqlite3"],
	["d1", { prepare: method }, "an object without prepare() and batch()"],
	["d1", { execute: method, batch: method }, "a client of @libsql/client"],
	["libsql", { prepare: method, batch: method }, "a D1 database: pass that to d1()"],
	["libsql", { prepare: method, exec: method }, "a database of libsql or another driver like it"],
	["libsql", { $client: {}, batch: method }, "a database of Drizzle: pass its $client"],
	["libsql", { getConnection: method, execute: method, batch: method }, "one of MariaDB"],
	["libsql", { beginTransaction: method, execute: method, batch: method }, "one of MariaDB"],
];

describe("a native store rejects anything but its driver", () => {
	const expectRefusal = (name: keyof typeof STORES, driver: unknown, what: string): void => {
		const [create, expected] = STORES[name];
		const expectation = expect(() => create(driver as never));
		expectation.toThrow(TypeError);
		expectation.toThrow(`${expected}, not ${what}`);
	};

	test.each([undefined, null, "postgres://localhost", 1, {}, { query: 1 }])("%o", (value) => {
		for (const name of Object.keys(STORES)) expectRefusal(name as keyof typeof STORES, value, "");
	});

	test.each(OTHERS)("%s: %o is %s", expectRefusal);

	test("mysql2: a pool with callbacks", () => {
		const pool = mysqlWithCallbacks.createPool({});
		expect(() => mysql2(pool as never)).toThrow("one with callbacks: pass pool.promise()");
		mysql2(pool.promise());
		pool.end();
	});
});

describe.each<[keyof typeof STORES, driver: object]>([
	["betterSqlite3", { prepare: method }],
	["d1", { prepare: method, batch: method }],
	["libsql", { execute: method, batch: method }],
	["mysql2", { execute: method }],
	["pg", { query: method }],
])("%s checks its options when it is created", (name, driver) => {
	const create = (options: unknown) => STORES[name][0](driver as never, options as never);

	test.each([
		["auth_user", "auth_key"],
		["user", "User-Token$"],
		["auth.user", "auth.user_token"],
		["Benutzer", "Schlüssel2"],
	])("%s and %s are table names", (user, key) => {
		create({ tables: { user, key } });
	});

	test.each(["users", 1, { user: "users" }, { user: "users", key: 1 }, null])(
		"%o is not a pair of names",
		(tables) => {
			const expected = expect(() => create({ tables }));
			expected.toThrow(TypeError);
			expected.toThrow(
				/^(tables\.(user|key) must be the name of a table|tables must be an object)/,
			);
		},
	);

	test.each(["", ".", "a.", ".a", "a.b.c", "a b", 'a"b', "a`b", "a;", "a\0", "a'", "a\\", "a\n"])(
		"%j is not a name",
		(name) => {
			for (const table of ["user", "key"]) {
				const expected = expect(() => create({ tables: { user: "a", key: "a", [table]: name } }));
				expected.toThrow(RangeError);
				expected.toThrow(`tables.${table} must be the name of a table`);
			}
		},
	);

	test.each([
		[{ table: { user: "a", key: "b" } }, "table"],
		[{ tables: { user: "a", key: "b", session: "c" } }, "session"],
		[Object.create({ tables: { user: "a", key: "b" } }), "tables"],
	])("%o has an unknown or inherited option", (options, option) => {
		const expected = expect(() => create(options));
		expected.toThrow(TypeError);
		expected.toThrow(option);
	});

	test.each([null, "tables", 1, []])("%o is not options", (options) => {
		expect(() => create(options)).toThrow(TypeError);
	});
});

describe("a result that the driver would not give is an error", () => {
	test.each([undefined, {}, [undefined], [{}]])("mysql2: %o", async (result) => {
		const store = mysql2({ execute: () => Promise.resolve(result as never) });
		const message = "execute() must return what that of mysql2/promise does";
		await expect(store.get("n:a")).rejects.toThrow(message);
		await expect(store.insert({ id: "n:a", userId: "u", expires: 1 })).rejects.toThrow(message);
	});

	test.each([undefined, {}, []])("pg: %o", async (result) => {
		const store = pg({ query: () => Promise.resolve(result as never) });
		await expect(store.get("n:a")).rejects.toThrow("query() must return what that of pg does");
	});
});

test.each([
	[{ inTransaction: true }, true],
	[{ inTransaction: false }, false],
	[{ isTransaction: true }, true],
	[{ isTransaction: false }, false],
	[{}, false],
])("a database of SQLite that has %o: %s", async (properties, expected) => {
	const store = betterSqlite3({ prepare: () => ({}) as never, ...properties });
	expect(await store.isInTransaction?.()).toBe(expected);
});

test("prepare must be a boolean", () => {
	expect(() => pg({ query: method }, { prepare: "no" as never })).toThrow(
		new TypeError("prepare must be a boolean"),
	);
});
