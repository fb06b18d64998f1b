import type { KeyStore } from "../key-store.js";
import { sqliteStore } from "./sqlite.js";
import type { TablesOption } from "./tables.js";

/** A prepared statement. It takes values one by one, because all four drivers do. */
export interface SqliteStatement {
	all(...values: unknown[]): unknown[];
	run(...values: unknown[]): unknown;
}

/**
 * A `Database` of `better-sqlite3`, `libsql`, or `bun:sqlite`, or a `DatabaseSync` of `node:sqlite`. Only
 * the method that the store calls is declared.
 */
export interface SqliteDatabase {
	prepare(sql: string): SqliteStatement;
}

/** The options of `betterSqlite3()`. */
export type SqliteOptions = TablesOption;

/**
 * A store on SQLite with `better-sqlite3`, `libsql`, `bun:sqlite`, or `node:sqlite`. It keeps tokens in
 * the `auth_key` table of Lucia's adapter, and runs one statement for each operation.
 *
 * @param db the `Database` that you pass to Lucia's adapter, or a `DatabaseSync` of `node:sqlite`
 * @param options `tables`: the names of tables of your own
 * @returns the store; pass it to `idToken()` or `passwordToken()` in place of `auth`
 * @throws TypeError `db` has no `prepare` method, or a name in `tables` is missing
 * @throws RangeError a name in `tables` is not a valid table name
 *
 * @example
 * const db = new Database("app.db");
 * const magicLink = idToken(betterSqlite3(db), "magic-link", { expiresIn: 60 * 10 });
 */
export const betterSqlite3 = (db: SqliteDatabase, { tables }: SqliteOptions = {}): KeyStore => {
	if (typeof db?.prepare !== "function") {
		throw new TypeError(
			"db must be a database of better-sqlite3, libsql, bun:sqlite, or node:sqlite",
		);
	}

	// Prepared at first use, because an app may create its tables after its handlers.
	const statements = new Map<string, SqliteStatement>();
	const prepared = (sql: string): SqliteStatement => {
		const statement = statements.get(sql) ?? db.prepare(sql);
		statements.set(sql, statement);
		return statement;
	};

	return sqliteStore(
		{
			all: (sql, ...values) => prepared(sql).all(...values),
			run: (sql, ...values) => prepared(sql).run(...values),
		},
		tables,
	);
};
