import { ownOptions } from "../check.js";
import type { KeyStore } from "../key-store.js";
import { checkDriver, type Mistake, type Tables, type TablesOption } from "./sql.js";
import { sqliteStore } from "./sqlite.js";

/** A prepared statement of D1. */
export interface D1Statement {
	bind(...values: unknown[]): D1Statement;
	all(): Promise<{ results: unknown[] }>;
}

/** A D1 database or a session of one. Only the method that the store calls is declared. */
export interface D1Database {
	prepare(sql: string): D1Statement;
}

/** The options of `d1()`. */
export type D1Options = TablesOption;

const MISTAKES: readonly Mistake[] = [
	[["close", "prepare"], "one of a driver such as better-sqlite3: pass that to betterSqlite3()"],
	[["batch", "execute"], "a client of @libsql/client: pass that to libsql()"],
];

/**
 * A store on Cloudflare D1. It keeps tokens in the `auth_key` table of Lucia's adapter, and runs one
 * statement for each operation.
 *
 * @param db the D1 database that you pass to Lucia's adapter: a binding of your worker, such as `env.DB`
 * @param options `tables`: the names of tables of your own
 * @returns the store; pass it to `idToken()` or `passwordToken()` in place of `auth`
 * @throws TypeError `db` is not a D1 database, a name in `tables` is missing, or an option is unknown
 * @throws RangeError a name in `tables` is not a valid table name
 *
 * @example
 * const magicLink = idToken(d1(env.DB), "magic-link", { expiresIn: 60 * 10 });
 */
export const d1 = (db: D1Database, options?: D1Options): KeyStore => {
	checkDriver(db, "db must be a D1 database", ["prepare", "batch"], MISTAKES);
	const { tables } = ownOptions(options, ["tables"]);

	const all = async (sql: string, ...values: unknown[]): Promise<unknown[]> =>
		(
			await db
				.prepare(sql)
				.bind(...values)
				.all()
		).results;

	return sqliteStore({ all, run: all }, tables as Tables | undefined);
};
