import { ownOptions } from "../check.js";
import type { KeyStore } from "../key-store.js";
import { checkDriver, type Mistake, type Tables, type TablesOption } from "./sql.js";
import { sqliteStore } from "./sqlite.js";

/** A prepared statement. It takes values one by one, because all four drivers do. */
export interface SqliteStatement {
	all(...values: unknown[]): unknown[];
	run(...values: unknown[]): unknown;
}

/**
 * A `Database` of `better-sqlite3`, `libsql`, or `bun:sqlite`, or a `DatabaseSync` of `node:sqlite`. Only
 * what the store uses is declared.
 */
export interface SqliteDatabase {
	prepare(sql: string): SqliteStatement;
	exec?(sql: string): unknown;
	/** Only libsql has this method. */
	readonly syncUntil?: unknown;
	/** Whether the app has begun a transaction, on all but `node:sqlite`. */
	readonly inTransaction?: boolean;
	/** The same on `node:sqlite`. */
	readonly isTransaction?: boolean;
}

/** The options of `betterSqlite3()`. */
export type SqliteOptions = TablesOption;

const MISTAKES: readonly Mistake[] = [
	[["batch", "execute"], "a client of @libsql/client: pass that to libsql()"],
	[["batch"], "a D1 database, which is asynchronous: pass it to d1()"],
];

/**
 * A store on SQLite with `better-sqlite3`, `libsql`, `bun:sqlite`, or `node:sqlite`. It keeps tokens in
 * the `auth_key` table of Lucia's adapter, and runs one statement for each operation. In a
 * transaction that the app has begun, handlers with `maxAttempts` or `minInterval` throw an `Error`, because a
 * rollback forgets what was counted.
 *
 * @param db the `Database` that you pass to Lucia's adapter, or a `DatabaseSync` of `node:sqlite`
 * @param options `tables`: the names of tables of your own
 * @returns the store; pass it to `idToken()` or `passwordToken()` in place of `auth`
 * @throws TypeError `db` is not such a database, a name in `tables` is missing, or an option is unknown
 * @throws RangeError a name in `tables` is not a valid table name
 *
 * @example
 * const db = new Database("app.db");
 * const magicLink = idToken(betterSqlite3(db), "magic-link", { expiresIn: 60 * 10 });
 */
export const betterSqlite3 = (db: SqliteDatabase, options?: SqliteOptions): KeyStore => {
	checkDriver(
		db,
		"db must be a database of better-sqlite3, libsql, bun:sqlite, or node:sqlite",
		["prepare"],
		MISTAKES,
	);
	const { tables } = ownOptions(options, ["tables"]);

	// Prepared at first use, because an app may create its tables after its handlers.
	const statements = new Map<string, SqliteStatement>();
	const prepared = (sql: string): SqliteStatement => {
		const statement = statements.get(sql) ?? db.prepare(sql);
		statements.set(sql, statement);
		return statement;
	};

	const isInTransaction = (): boolean => Boolean(db.inTransaction ?? db.isTransaction);

	// libsql does not reset a statement that fails with SQLITE_BUSY. Later writes on the connection seem to succeed,
	// but are not committed, and may be rolled back. In a transaction, they are an error.
	const libsql = db.syncUntil === undefined ? null : (db as Required<SqliteDatabase>);
	const run = <Result>(sql: string, statement: () => Result): Result => {
		if (!libsql || sql.startsWith("SELECT") || isInTransaction()) return statement();
		libsql.exec("BEGIN IMMEDIATE");
		try {
			const result = statement();
			libsql.exec("COMMIT");
			return result;
		} catch (error) {
			if (isInTransaction()) libsql.exec("ROLLBACK");
			throw error;
		}
	};

	const store = sqliteStore(
		{
			all: (sql, ...values) => run(sql, () => prepared(sql).all(...values)),
			run: (sql, ...values) => run(sql, () => prepared(sql).run(...values)),
		},
		tables as Tables | undefined,
	);
	return { ...store, isInTransaction };
};
