import type BetterSqlite3 from "better-sqlite3";
import type Libsql from "libsql";
import type { Connection, Pool as MysqlPool, PoolConnection } from "mysql2/promise";
import type { Client, Pool, PoolClient } from "pg";
import { expectTypeOf, test } from "vitest";
import type { KeyStore } from "../../src/index.js";
import { betterSqlite3 } from "../../src/stores/better-sqlite3.js";
import { type D1Database, d1 } from "../../src/stores/d1.js";
import { type LibsqlClient, libsql } from "../../src/stores/libsql.js";
import { mysql2 } from "../../src/stores/mysql2.js";
import { pg } from "../../src/stores/pg.js";

test("the stores take what the drivers give", () => {
	expectTypeOf<Pool | PoolClient | Client>().toExtend<Parameters<typeof pg>[0]>();
	expectTypeOf<MysqlPool | PoolConnection | Connection>().toExtend<Parameters<typeof mysql2>[0]>();
	expectTypeOf<BetterSqlite3.Database | Libsql.Database>().toExtend<
		Parameters<typeof betterSqlite3>[0]
	>();
});

test("the stores give a KeyStore", () => {
	type Store = typeof betterSqlite3 | typeof d1 | typeof libsql | typeof mysql2 | typeof pg;
	expectTypeOf<Store>().returns.toEqualTypeOf<KeyStore>();
});

test("the stores do not take each other's driver", () => {
	// @ts-expect-error a pool of mysql2 is not one of pg
	pg({} as MysqlPool);
	// @ts-expect-error a pool of pg is not one of mysql2
	mysql2({} as Pool);
	// @ts-expect-error a pool is not a Database
	betterSqlite3({} as Pool);
	// @ts-expect-error a database of D1 is asynchronous
	betterSqlite3({} as D1Database);
	// @ts-expect-error a Database of better-sqlite3 is synchronous
	d1({} as BetterSqlite3.Database);
	// @ts-expect-error a Database of libsql is no client of @libsql/client
	libsql({} as Libsql.Database);
	// @ts-expect-error a client of @libsql/client is asynchronous
	betterSqlite3({} as LibsqlClient);
});

test("the query() of a wrapper needs no types", () => {
	pg({ query: async ({ text, values }) => ({ rows: [text, ...values], rowCount: null }) });
});

test("both tables are named, or none", () => {
	const tables = { user: "users", key: "user_token" };
	pg({} as Pool, { tables, prepare: false });
	mysql2({} as MysqlPool, { tables });
	betterSqlite3({} as BetterSqlite3.Database, { tables: undefined });
	// @ts-expect-error the table of users is missing
	d1({} as D1Database, { tables: { key: "user_token" } });
});
