import { ownOptions } from "../check.js";
import type { KeyStore } from "../key-store.js";
import type { Tables, TablesOption } from "./sql.js";
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

/** What was passed in place of a D1 database, and what to pass; `undefined` if it may be one. */
const whatElse = (db: unknown): string | undefined => {
	if (db === undefined || db === null) return String(db);
	if (typeof db !== "object") return `a ${typeof db}`;
	const has = (method: string): boolean =>
		typeof (db as Record<string, unknown>)[method] === "function";

	if (has("prepare") && has("batch")) return undefined;
	if (has("prepare")) return "one of a driver such as better-sqlite3: pass that to betterSqlite3()";
	return has("batch")
		? "a client of @libsql/client: open the file with libsql, and pass that to betterSqlite3()"
		: "an object without prepare() and batch()";
};

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
	const wrong = whatElse(db);
	if (wrong) throw new TypeError(`db must be a D1 database, not ${wrong}`);
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
