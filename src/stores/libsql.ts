import { ownOptions } from "../check.js";
import type { KeyStore } from "../key-store.js";
import { checkDriver, type Mistake, type Tables, type TablesOption } from "./sql.js";
import { sqliteStore } from "./sqlite.js";

/** A client of `@libsql/client`, or a transaction of one. Only what the store uses is declared. */
export interface LibsqlClient {
	execute(statement: { sql: string; args: (string | number | null)[] }): Promise<{
		rows: readonly object[];
	}>;
	batch(
		statements: { sql: string; args: (string | number | null)[] }[],
		mode: "write",
	): Promise<{ rows: readonly object[] }[]>;
	/** A transaction has this method; a client does not. */
	readonly commit?: unknown;
}

/** The options of `libsql()`. */
export type LibsqlOptions = TablesOption;

const MISTAKES: readonly Mistake[] = [
	[["prepare", "batch"], "a D1 database: pass that to d1()"],
	[["prepare"], "a database of libsql or another driver like it: pass that to betterSqlite3()"],
	[["$client"], "a database of Drizzle: pass its $client"],
	[["getConnection"], "one of MariaDB: pass that to mysql2()"],
	[["beginTransaction"], "one of MariaDB: pass that to mysql2()"],
];

/**
 * A store on SQLite, sqld, or Turso with `@libsql/client`. It keeps tokens in the `auth_key` table of Lucia's
 * adapter, and runs one statement for each operation. In a transaction of the client, handlers with
 * `maxAttempts` or `minInterval` throw an `Error`, because a rollback forgets what was counted.
 *
 * @param client the client that you pass to Lucia's adapter
 * @param options `tables`: the names of tables of your own
 * @returns the store; pass it to `idToken()` or `passwordToken()` in place of `auth`
 * @throws TypeError `client` is not a client or transaction of `@libsql/client`, a name in `tables` is
 * missing, or an option is unknown
 * @throws RangeError a name in `tables` is not a valid table name
 *
 * @example
 * const client = createClient({ url: process.env.DATABASE_URL });
 * const magicLink = idToken(libsql(client), "magic-link", { expiresIn: 60 * 10 });
 */
export const libsql = (client: LibsqlClient, options?: LibsqlOptions): KeyStore => {
	checkDriver(
		client,
		"client must be a client or transaction of @libsql/client",
		["execute", "batch"],
		MISTAKES,
	);
	const { tables } = ownOptions(options, ["tables"]);

	const all = async (sql: string, ...values: unknown[]): Promise<unknown[]> => {
		const statement = { sql, args: values as (string | number | null)[] };
		// A statement of its own would not be committed after one that failed with SQLITE_BUSY, which libsql does
		// not reset. In a batch, which is a transaction, that is an error.
		const isAlone = sql.startsWith("SELECT") || client.commit !== undefined;
		const results = isAlone
			? [await client.execute(statement)]
			: await client.batch([statement], "write");
		return results.flatMap(({ rows }) => [...rows]);
	};

	const store = sqliteStore({ all, run: all }, tables as Tables | undefined);
	return { ...store, isInTransaction: () => client.commit !== undefined };
};
