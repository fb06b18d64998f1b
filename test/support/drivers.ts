import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { KeySchema } from "lucia-auth";
import type { KeyStore } from "../../src/index.js";
import { libsql, type LibsqlClient } from "../../src/stores/libsql.js";
import { mysql2, type Mysql2Pool } from "../../src/stores/mysql2.js";
import { pg, type Pglite, type PostgresSql } from "../../src/stores/pg.js";
import type { Tables } from "../../src/stores/sql.js";
import { importHeavy } from "../matrix/heavy.js";
import type { Database } from "./database.js";
import {
	openMysql,
	type OpenOptions,
	openPostgres,
	POSTGRES,
	quoteOwnTables,
	schema,
	SQLITE,
	toKey,
	withDollars,
} from "./databases.js";

// Databases with a driver that Lucia 1 has no adapter for, or none of its own.

/** A database, and native stores on it with one of the drivers. */
export interface DriverDb extends Omit<Database, "defaultSource" | "statements"> {
	/** A store in a transaction of the app's, which is rolled back after `run`. */
	rolledBack(run: (store: KeyStore) => Promise<void>): Promise<void>;
}

type Native = Pick<DriverDb, "nativeSource" | "createStore">;

const native = (create: (options?: { tables: Tables }) => KeyStore): Native => ({
	nativeSource: create(),
	createStore: (tables) => create({ tables }),
});

// What a transaction's function throws, so that the driver rolls it back.
const ROLLBACK = new Error("rollback");

const isRollback = (error: unknown): void => {
	if (error !== ROLLBACK) throw error;
};

/** What the tests use of postgres.js. */
export interface PostgresJs extends PostgresSql {
	unsafe(text: string, values?: unknown[], options?: object): ReturnType<PostgresSql["unsafe"]>;
	begin(run: (sql: PostgresSql) => Promise<void>): Promise<void>;
	reserve(): Promise<PostgresSql & { release(): void }>;
	end(): Promise<void>;
}

export const openPostgresJs = async (
	url: string,
	options?: OpenOptions,
	config: object = {},
): Promise<DriverDb & { readonly raw: PostgresJs }> => {
	const { default: postgres } = await importHeavy<{
		default: (url: string, config: object) => PostgresJs;
	}>("postgres");
	const db = await openPostgres(url, options);
	const raw = postgres(url, { connection: { search_path: db.name }, onnotice() {}, ...config });
	return {
		...db,
		...native((options) => pg(raw, options)),
		raw,
		rolledBack: (run) =>
			raw
				.begin(async (sql) => {
					await run(pg(sql));
					throw ROLLBACK;
				})
				.catch(isRollback),
		close: async () => {
			await raw.end();
			await db.close();
		},
	};
};

/** What the tests use of PGlite. */
export interface PgliteDb extends Pglite {
	query(text: string, values?: unknown[]): ReturnType<Pglite["query"]>;
	transaction(run: (transaction: Pglite) => Promise<void>): Promise<void>;
}

let pglite: Promise<PgliteDb> | undefined;

/** A schema in one PGlite, which has one connection. Only one schema can be open at a time. */
export const openPglite = async (
	options?: OpenOptions,
): Promise<DriverDb & { readonly raw: PgliteDb }> => {
	pglite ??= importHeavy<{ PGlite: { create(): Promise<PgliteDb> } }>("@electric-sql/pglite").then(
		({ PGlite }) => PGlite.create(),
	);
	const raw = await pglite;
	const name = "lucia_tokens";
	await raw.exec(`CREATE SCHEMA ${name}; SET search_path = ${name}`);
	for (const text of schema(POSTGRES, options)) await raw.query(text);
	const sql = async (text: string, values: unknown[] = []): Promise<unknown[]> =>
		(await raw.query(withDollars(text), values)).rows;
	return {
		...native((options) => pg(raw, options)),
		raw,
		name,
		ownTables: quoteOwnTables(POSTGRES),
		sql,
		keys: async () => ((await sql("SELECT * FROM auth_key")) as KeySchema[]).map(toKey),
		rolledBack: (run) =>
			raw
				.transaction(async (transaction) => {
					await run(pg(transaction));
					throw ROLLBACK;
				})
				.catch(isRollback),
		close: async () => {
			await raw.exec(`DROP SCHEMA ${name} CASCADE`);
		},
	};
};

/** What the tests use of mariadb. */
export interface MariadbPool extends Mysql2Pool {
	getConnection(): Promise<
		Mysql2Pool & {
			query(sql: string): Promise<unknown>;
			beginTransaction(): Promise<void>;
			rollback(): Promise<void>;
			release(): Promise<void>;
		}
	>;
	end(): Promise<void>;
}

export const openMariadb = async (
	url: string,
	options?: OpenOptions,
	config: object = {},
): Promise<DriverDb & { readonly raw: MariadbPool }> => {
	const { createPool } = await importHeavy<{ createPool: (config: object) => MariadbPool }>(
		"mariadb",
	);
	const db = await openMysql(url, options);
	const { hostname: host, port, username, password } = new URL(url);
	const raw = createPool({
		host,
		port: Number(port || 3306),
		user: decodeURIComponent(username),
		password: decodeURIComponent(password),
		database: db.name,
		...config,
	});
	return {
		...db,
		...native((options) => mysql2(raw, options)),
		raw,
		rolledBack: async (run) => {
			const connection = await raw.getConnection();
			await connection.beginTransaction();
			await run(mysql2(connection)).finally(() => connection.rollback());
			await connection.release();
		},
		close: async () => {
			await raw.end();
			await db.close();
		},
	};
};

/** What the tests use of @libsql/client. */
export interface Libsql extends LibsqlClient {
	execute(
		statement: string | { sql: string; args: unknown[] },
	): Promise<{ rows: readonly object[] }>;
	transaction(mode: "write"): Promise<LibsqlClient & { rollback(): Promise<void> }>;
	close(): void;
}

/** A file, because a client has only one connection to a database in memory. */
export const openLibsqlClient = async (
	options?: OpenOptions,
	config: object = {},
): Promise<DriverDb & { readonly raw: Libsql }> => {
	const { createClient } = await importHeavy<{ createClient: (config: object) => Libsql }>(
		"@libsql/client",
	);
	const folder = await mkdtemp(join(tmpdir(), "lucia-tokens-"));
	const raw = createClient({ url: `file:${join(folder, "app.db")}`, ...config });
	for (const text of schema(SQLITE, options)) await raw.execute(text);
	const sql = async (text: string, args: unknown[] = []): Promise<unknown[]> => [
		...(await raw.execute({ sql: text, args })).rows,
	];
	return {
		...native((options) => libsql(raw, options)),
		raw,
		name: "main",
		ownTables: quoteOwnTables(SQLITE),
		sql,
		keys: async () =>
			((await sql("SELECT * FROM auth_key")) as KeySchema[]).map((row) =>
				// With intMode, a client returns a number as a string or a BigInt.
				toKey({ ...row, primary_key: Boolean(Number(row.primary_key)) }),
			),
		rolledBack: async (run) => {
			const transaction = await raw.transaction("write");
			await run(libsql(transaction)).finally(() => transaction.rollback());
		},
		close: async () => {
			raw.close();
			await rm(folder, { recursive: true });
		},
	};
};
