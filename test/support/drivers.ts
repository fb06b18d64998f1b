import type { KeyStore } from "../../src/index.js";
import { libsql, type LibsqlClient } from "../../src/stores/libsql.js";
import { mysql2, type Mysql2Pool } from "../../src/stores/mysql2.js";
import { pg, type Pglite, type PostgresSql } from "../../src/stores/pg.js";
import type { Tables } from "../../src/stores/sql.js";
import { importHeavy } from "../matrix/heavy.js";
import {
	type Database,
	openMysql,
	type OpenOptions,
	openPostgres,
	readKeys,
	toMysqlConfig,
	withDollars,
} from "./database.js";
import { POSTGRES, quoteOwnTables, schema, SQLITE } from "./schema.js";
import { temporaryFolder } from "./server.js";

// Databases with a driver that Lucia 1 has no adapter for, or none of its own.

/** Runs a transaction of the app's: `run` gets a store in it, and a function that runs a statement in it. */
export type Transact = (
	end: "COMMIT" | "ROLLBACK",
	run: (store: KeyStore, sql: (text: string) => Promise<unknown>) => Promise<void>,
) => Promise<void>;

/** A database, and native stores on it with one of the drivers. */
export interface DriverDb extends Omit<Database, "defaultSource" | "statements"> {
	readonly transact: Transact;
}

/** Transactions of an app that takes a connection and begins and ends them itself. */
export const transactOn =
	<Connection extends { query(text: string): Promise<unknown>; release?(): unknown }>(
		connect: () => Promise<Connection>,
		toStore: (connection: Connection) => KeyStore,
	): Transact =>
	async (end, run) => {
		const connection = await connect();
		const sql = (text: string) => connection.query(text);
		await sql("BEGIN");
		await run(toStore(connection), sql).finally(() => sql(end));
		await connection.release?.();
	};

type Native = Pick<DriverDb, "nativeSource" | "createStore">;

const native = (create: (options?: { tables: Tables }) => KeyStore): Native => ({
	nativeSource: create(),
	createStore: (tables) => create({ tables }),
});

// Rolls a transaction back whose function throws it.
const ROLLBACK = new Error("rollback");

/** Transactions of a driver that runs a function in each, and rolls back if that throws. */
const transactIn =
	(begin: (run: Parameters<Transact>[1]) => Promise<void>): Transact =>
	(end, run) =>
		begin(async (...inner) => {
			await run(...inner);
			if (end === "ROLLBACK") throw ROLLBACK;
		}).catch((error: unknown) => {
			if (error !== ROLLBACK) throw error;
		});

/** What the tests use of postgres.js. */
interface PostgresJs extends PostgresSql {
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
		transact: transactIn((run) =>
			raw.begin((sql) => run(pg(sql), async (text) => sql.unsafe(text, [], { prepare: false }))),
		),
		close: async () => {
			await raw.end();
			await db.close();
		},
	};
};

/** What the tests use of PGlite. */
interface PgliteDb extends Pglite {
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
	await raw.exec(schema(POSTGRES, options).join(";"));
	const sql = async (text: string, values: unknown[] = []): Promise<unknown[]> =>
		(await raw.query(withDollars(text), values)).rows;
	return {
		...native((options) => pg(raw, options)),
		raw,
		name,
		ownTables: quoteOwnTables(POSTGRES),
		sql,
		keys: readKeys(sql),
		transact: transactIn((run) =>
			raw.transaction((transaction) => run(pg(transaction), (text) => transaction.exec(text))),
		),
		close: async () => {
			await raw.exec(`DROP SCHEMA ${name} CASCADE`);
		},
	};
};

/** What the tests use of mariadb. */
interface MariadbPool extends Mysql2Pool {
	getConnection(): Promise<
		Mysql2Pool & { query(sql: string): Promise<unknown>; release(): Promise<void> }
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
	const raw = createPool({ ...toMysqlConfig(url, db.name), ...config });
	return {
		...db,
		...native((options) => mysql2(raw, options)),
		raw,
		transact: transactOn(() => raw.getConnection(), mysql2),
		close: async () => {
			await raw.end();
			await db.close();
		},
	};
};

/** What the tests use of @libsql/client. */
export interface Libsql extends LibsqlClient {
	transaction(
		mode: "write",
	): Promise<LibsqlClient & { commit(): Promise<void>; rollback(): Promise<void> }>;
	close(): void;
}

/** Opens a database with @libsql/client. */
export const openClient = async (config: object): Promise<Libsql> => {
	const { createClient } = await importHeavy<{ createClient: (config: object) => Libsql }>(
		"@libsql/client",
	);
	return createClient(config);
};

/** A file, because a client has only one connection to a database in memory. */
export const openLibsqlClient = async (
	options?: OpenOptions,
	config: object = {},
): Promise<DriverDb & { readonly raw: Libsql }> => {
	const { path, remove } = temporaryFolder("libsql-client");
	const raw = await openClient({ url: `file:${path}/db`, ...config });
	const sql = async (text: string, values: unknown[] = []): Promise<unknown[]> => [
		...(await raw.execute({ sql: text, args: values as string[] })).rows,
	];
	for (const text of schema(SQLITE, options)) await sql(text);
	return {
		...native((options) => libsql(raw, options)),
		raw,
		name: "main",
		ownTables: quoteOwnTables(SQLITE),
		sql,
		keys: readKeys(sql),
		transact: async (end, run) => {
			const transaction = await raw.transaction("write");
			const sql = (text: string) => transaction.execute({ sql: text, args: [] });
			await run(libsql(transaction), sql).finally(() =>
				end === "COMMIT" ? transaction.commit() : transaction.rollback(),
			);
		},
		close: async () => {
			raw.close();
			remove();
		},
	};
};
