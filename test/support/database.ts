import { betterSqlite3 as sqliteAdapter } from "@lucia-auth/adapter-sqlite";
import { mysql2 as mysqlAdapter } from "@lucia-auth/adapter-mysql";
import { pg as pgAdapter } from "@lucia-auth/adapter-postgresql";
import Libsql from "libsql";
import lucia, {
	type Adapter,
	type Auth,
	type KeySchema,
	type LuciaErrorConstructor,
} from "lucia-auth";
import mysql from "mysql2/promise";
import postgres from "pg";
import type { KeyStore } from "../../src/index.js";
import { betterSqlite3 } from "../../src/stores/better-sqlite3.js";
import { mysql2 } from "../../src/stores/mysql2.js";
import { pg } from "../../src/stores/pg.js";
import type { Tables } from "../../src/stores/sql.js";
import { importHeavy } from "../matrix/heavy.js";
import {
	type Dialect,
	MYSQL,
	POSTGRES,
	quoteOwnTables,
	schema,
	type SchemaOptions,
	SQLITE,
} from "./schema.js";

// For test/matrix, where another pg comes with Prisma.
export { Libsql as libsql, postgres };

/** A schema or database of the suite's own, and the stores on it. */
export interface Database {
	/** Lucia on its adapter: the default store. */
	readonly defaultSource: Auth;
	readonly nativeSource: KeyStore;
	/** The name of the schema or database. */
	readonly name: string;
	/** The native store on tables of an app's own. */
	createStore(tables: Tables): KeyStore;
	/** The names of such tables, as SQL quotes them. */
	readonly ownTables: Tables;
	/** Every statement of a store since the last `statements.length = 0`. */
	readonly statements: string[];
	/** Runs a statement directly, without a store. It has `?` for each value. */
	sql(text: string, values?: unknown[]): Promise<unknown[]>;
	keys(): Promise<KeySchema[]>;
	/** Drops what was made. */
	close(): Promise<void>;
}

/** What a test needs of a database with Lucia on it. */
export type Opened = Pick<Database, "defaultSource" | "sql" | "keys" | "close">;

export interface OpenOptions extends SchemaOptions {
	/** The collation of all text, MySQL and MariaDB alone. @default the server's */
	readonly collation?: string;
}

export const createAuth = (adapter: (error: LuciaErrorConstructor) => Adapter): Auth =>
	lucia({ adapter, env: "DEV" }) as Auth;

const unique = (): string => `lucia_tokens_${crypto.randomUUID().replaceAll("-", "").slice(0, 16)}`;

export const toKey = (row: KeySchema): KeySchema => ({
	...row,
	// A client may be set to return a number as a string.
	primary_key: Boolean(Number(row.primary_key)),
	expires: row.expires === null ? null : Number(row.expires),
});

/** What a database has by its native store, and by a function that runs a statement. */
export const nativeOn = (
	dialect: Dialect,
	sql: Database["sql"],
	create: (options?: { tables: Tables }) => KeyStore,
) => ({
	sql,
	nativeSource: create(),
	createStore: (tables: Tables) => create({ tables }),
	ownTables: quoteOwnTables(dialect),
	keys: async () => ((await sql("SELECT * FROM auth_key")) as KeySchema[]).map(toKey),
});

/** Runs a transaction of the app's: `run` gets a store in it, and a function that runs a statement in it. */
export type Transact = (
	end: "COMMIT" | "ROLLBACK",
	run: (store: KeyStore, sql: (text: string) => Promise<unknown>) => Promise<void>,
) => Promise<void>;

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

/** What a `Database` of better-sqlite3 and of libsql have in common. */
export type SqliteDb = Libsql.Database;

/** Opens a file, or `:memory:`, with better-sqlite3. */
export const openBetterSqlite3 = async (file: string): Promise<SqliteDb> => {
	const { default: Sqlite } = await importHeavy<{
		readonly default: new (file: string) => SqliteDb;
	}>("better-sqlite3");
	return new Sqlite(file);
};

export const openSqliteDb = async (db: SqliteDb, options: OpenOptions = {}) => {
	db.pragma(`foreign_keys = ${options.foreignKeys === false ? "OFF" : "ON"}`);
	db.exec(schema(SQLITE, options).join(";"));
	const statements: string[] = [];
	const counted = new Proxy(db, {
		get: (_target, name) => {
			if (name !== "prepare") return Reflect.get(db, name) as unknown;
			return (sql: string) => {
				const statement = db.prepare(sql);
				const count =
					(method: "all" | "run") =>
					(...values: unknown[]): unknown => {
						statements.push(sql);
						return statement[method](...values);
					};
				return { all: count("all"), run: count("run") };
			};
		},
	});
	const sql = async (text: string, values: unknown[] = []): Promise<unknown[]> => {
		const statement = db.prepare(text);
		return /^\s*(SELECT|EXPLAIN)/.test(text) ? statement.all(values) : [statement.run(values)];
	};
	return {
		...nativeOn(SQLITE, sql, (options) => betterSqlite3(counted, options)),
		defaultSource: createAuth(sqliteAdapter(counted as never)),
		name: "main",
		statements,
		transact: transactOn(
			async () => ({ query: async (text) => db.exec(text) }),
			() => betterSqlite3(db),
		),
		close: async () => {
			db.close();
		},
	};
};

export const openLibsql = async (options?: OpenOptions) => {
	const raw = new Libsql(":memory:");
	return { raw, ...(await openSqliteDb(raw, options)) };
};

/** SQL of the tests is written with question marks, for all databases. */
export const withDollars = (text: string): string => {
	let n = 0;
	return text.replace(/\?/g, () => `$${++n}`);
};

export const openPostgres = async (
	url: string,
	options: OpenOptions = {},
	config: postgres.PoolConfig = {},
) => {
	const name = unique();
	const pool = new postgres.Pool({
		connectionString: url,
		...config,
		options: `-c search_path=${name} ${config.options ?? ""}`,
	});
	await pool.query([`CREATE SCHEMA ${name}`, ...schema(POSTGRES, options)].join(";"));
	const statements: string[] = [];
	const counted = {
		// By it, the store knows a pool.
		totalCount: 0,
		query: async (query: string | postgres.QueryConfig, values?: unknown[]) => {
			statements.push(typeof query === "string" ? query : query.text);
			// `pool.query()` closes a connection whose query failed. Races lose thousands of inserts.
			const client = await pool.connect();
			return client.query(query, values).finally(() => client.release());
		},
	};
	const sql = async (text: string, values: unknown[] = []): Promise<unknown[]> =>
		(await pool.query(withDollars(text), values)).rows as unknown[];
	return {
		...nativeOn(POSTGRES, sql, (options) => pg(counted, options)),
		name,
		pool,
		defaultSource: createAuth(pgAdapter(counted as never)),
		statements,
		transact: transactOn(() => pool.connect(), pg),
		close: async () => {
			await pool.query(`DROP SCHEMA ${name} CASCADE`);
			await pool.end();
		},
	};
};

/** What a pool of MySQL or MariaDB takes, with each driver. */
export const toMysqlConfig = (url: string, database: string) => {
	const { hostname: host, port, username, password } = new URL(url);
	return {
		host,
		port: Number(port || 3306),
		user: decodeURIComponent(username),
		password: decodeURIComponent(password),
		database,
	};
};

export const openMysql = async (
	url: string,
	options: OpenOptions = {},
	config: mysql.PoolOptions = {},
) => {
	const name = unique();
	const server = await mysql.createConnection(url);
	await server.query(
		`CREATE DATABASE ${name} ${options.collation ? `COLLATE ${options.collation}` : ""}`,
	);
	await server.end();
	const pool = mysql.createPool({ ...toMysqlConfig(url, name), ...config });
	for (const text of schema(MYSQL, options)) await pool.query(text);
	const statements: string[] = [];
	const count =
		(run: (text: string, values: string[]) => Promise<[unknown, unknown]>): typeof run =>
		(text, values) => {
			statements.push(text);
			return run(text, values);
		};
	const counted = {
		query: count((...args) => pool.query(...args)),
		execute: count((...args) => pool.execute(...args)),
	};
	const sql = async (text: string, values: unknown[] = []): Promise<unknown[]> => {
		const [rows] = await pool.query(text, values);
		return rows as unknown[];
	};
	return {
		...nativeOn(MYSQL, sql, (options) => mysql2(counted, options)),
		name,
		pool,
		defaultSource: createAuth(mysqlAdapter(counted as never)),
		statements,
		transact: transactOn(() => pool.getConnection(), mysql2),
		close: async () => {
			await pool.query(`DROP DATABASE ${name}`);
			await pool.end();
		},
	};
};
