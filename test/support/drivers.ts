import { inject } from "vitest";
import { libsql, type LibsqlClient } from "../../src/stores/libsql.js";
import { mysql2, type Mysql2Pool } from "../../src/stores/mysql2.js";
import { pg, type Pglite, type PostgresSql } from "../../src/stores/pg.js";
import { importHeavy, isInstalled } from "../matrix/heavy.js";
import {
	type Database,
	nativeOn,
	openBetterSqlite3,
	openLibsql,
	openMysql,
	type OpenOptions,
	openPostgres,
	openSqliteDb,
	toMysqlConfig,
	type Transact,
	transactOn,
	withDollars,
} from "./database.js";
import { MYSQL, POSTGRES, schema, SQLITE } from "./schema.js";
import { temporaryFolder } from "./server.js";

const [postgres, mysql] = [inject("postgres"), inject("mysql")];

/** A database, and native stores on it with one of the drivers. Lucia 1 has adapters for some of them. */
export interface DriverDb
	extends Omit<Database, "defaultSource" | "statements">, Partial<Pick<Database, "defaultSource">> {
	readonly transact: Transact;
	/** What the app has of the driver. */
	readonly raw?: unknown;
}

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

export const openPostgresJs = async (options?: OpenOptions, config: object = {}) => {
	const { default: connect } = await importHeavy<{
		default: (url: string, config: object) => PostgresJs;
	}>("postgres");
	const db = await openPostgres(postgres, options);
	const raw = connect(postgres, { connection: { search_path: db.name }, onnotice() {}, ...config });
	return {
		...db,
		...nativeOn(POSTGRES, db.sql, (options) => pg(raw, options)),
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
export const openPglite = async (options?: OpenOptions) => {
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
		...nativeOn(POSTGRES, sql, (options) => pg(raw, options)),
		name,
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

const openMariadb = async (options?: OpenOptions, config: object = {}) => {
	const { createPool } = await importHeavy<{ createPool: (config: object) => MariadbPool }>(
		"mariadb",
	);
	const db = await openMysql(mysql, options);
	const raw = createPool({ ...toMysqlConfig(mysql, db.name), ...config });
	return {
		...db,
		...nativeOn(MYSQL, db.sql, (options) => mysql2(raw, options)),
		raw,
		transact: transactOn(() => raw.getConnection(), mysql2),
		close: async () => {
			await raw.end();
			await db.close();
		},
	};
};

/** What the tests use of @libsql/client. */
interface Libsql extends LibsqlClient {
	transaction(
		mode: "write",
	): Promise<LibsqlClient & { commit(): Promise<void>; rollback(): Promise<void> }>;
	executeMultiple(script: string): Promise<void>;
	close(): void;
}

/** A file, because a client has only one connection to a database in memory. */
export const openLibsqlClient = async (options?: OpenOptions, config: object = {}) => {
	const { createClient } = await importHeavy<{ createClient: (config: object) => Libsql }>(
		"@libsql/client",
	);
	const { path, remove } = temporaryFolder("libsql-client");
	const raw = createClient({ url: `file:${path}/db`, ...config });
	const sql = async (text: string, values: unknown[] = []): Promise<unknown[]> => [
		...(await raw.execute({ sql: text, args: values as string[] })).rows,
	];
	for (const text of schema(SQLITE, options)) await sql(text);
	const transact: Transact = async (end, run) => {
		const transaction = await raw.transaction("write");
		const sql = (text: string) => transaction.execute({ sql: text, args: [] });
		await run(libsql(transaction), sql).finally(() =>
			end === "COMMIT" ? transaction.commit() : transaction.rollback(),
		);
	};
	return {
		...nativeOn(SQLITE, sql, (options) => libsql(raw, options)),
		raw,
		name: "main",
		transact,
		close: async () => {
			raw.close();
			remove();
		},
	};
};

interface Driver {
	readonly database: "PostgreSQL" | "MySQL or MariaDB" | "SQLite";
	readonly isThere: boolean;
	readonly open: (options?: OpenOptions, config?: object) => Promise<DriverDb>;
}

type DriverName =
	| "pg"
	| "postgres.js"
	| "PGlite"
	| "mysql2"
	| "mariadb"
	| "libsql"
	| "better-sqlite3"
	| "@libsql/client";

/** The drivers: of each database, first the one that Lucia 1 has an adapter for. */
export const DRIVERS: Readonly<Record<DriverName, Driver>> = {
	pg: {
		database: "PostgreSQL",
		isThere: postgres !== "",
		open: (options) => openPostgres(postgres, options),
	},
	"postgres.js": {
		database: "PostgreSQL",
		isThere: postgres !== "" && isInstalled("postgres"),
		open: openPostgresJs,
	},
	PGlite: {
		database: "PostgreSQL",
		isThere: isInstalled("@electric-sql/pglite"),
		open: openPglite,
	},
	mysql2: {
		database: "MySQL or MariaDB",
		isThere: mysql !== "",
		open: (options) => openMysql(mysql, options),
	},
	mariadb: {
		database: "MySQL or MariaDB",
		isThere: mysql !== "" && isInstalled("mariadb"),
		open: openMariadb,
	},
	libsql: { database: "SQLite", isThere: true, open: openLibsql },
	"better-sqlite3": {
		database: "SQLite",
		isThere: isInstalled("better-sqlite3"),
		open: async (options) => openSqliteDb(await openBetterSqlite3(":memory:"), options),
	},
	"@libsql/client": {
		database: "SQLite",
		isThere: isInstalled("@libsql/client"),
		// User ids can be larger than a number.
		open: (options, config = { intMode: "bigint" }) => openLibsqlClient(options, config),
	},
};
