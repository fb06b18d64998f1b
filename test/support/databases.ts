import { betterSqlite3 as sqliteAdapter } from "@lucia-auth/adapter-sqlite";
import { mysql2 as mysqlAdapter } from "@lucia-auth/adapter-mysql";
import { pg as pgAdapter } from "@lucia-auth/adapter-postgresql";
import Libsql from "libsql";
import type { KeySchema } from "lucia-auth";
import mysql from "mysql2/promise";
import postgres from "pg";
import { betterSqlite3 } from "../../src/stores/better-sqlite3.js";
import { mysql2 } from "../../src/stores/mysql2.js";
import { pg } from "../../src/stores/pg.js";
import type { Tables } from "../../src/stores/sql.js";
import { createAuth, type Database } from "./database.js";

// For test/matrix, where another pg comes with Prisma.
export { Libsql as libsql, postgres };

export interface OpenOptions {
	/** Whether the schema has foreign keys. @default true */
	readonly foreignKeys?: boolean;
	/** The collation of all text, MySQL and MariaDB alone. @default the server's */
	readonly collation?: string;
	/** The type of user ids. @default the type of all text */
	readonly userId?: string;
}

/** How a database writes types and names. */
interface Dialect {
	readonly text: string;
	readonly boolean: string;
	readonly quote: string;
}

/** Tables of an app's own: a word that PostgreSQL reserves, and one whose case counts. */
export const OWN_TABLES = { user: "user", key: "userToken" };

export const quoteOwnTables = ({ quote }: Dialect): Tables => ({
	user: quote + OWN_TABLES.user + quote,
	key: quote + OWN_TABLES.key + quote,
});

export const schema = (
	dialect: Dialect,
	{ foreignKeys = true, userId = dialect.text }: OpenOptions = {},
): string[] => {
	const { text, boolean } = dialect;
	const own = quoteOwnTables(dialect);
	const references = (user: string): string =>
		foreignKeys ? `, FOREIGN KEY (user_id) REFERENCES ${user} (id)` : "";
	return [
		// A user's attributes may be named as the columns of a key.
		`CREATE TABLE auth_user (
			id ${userId} NOT NULL PRIMARY KEY,
			username ${text}, user_id ${text}, hashed_password ${text}, primary_key ${boolean}, expires BIGINT
		)`,
		`CREATE TABLE auth_session (
			id ${text} NOT NULL PRIMARY KEY, user_id ${userId} NOT NULL,
			active_expires BIGINT NOT NULL, idle_expires BIGINT NOT NULL ${references("auth_user")}
		)`,
		`CREATE TABLE auth_key (
			id ${text} NOT NULL PRIMARY KEY, user_id ${userId} NOT NULL,
			primary_key ${boolean} NOT NULL, hashed_password ${text}, expires BIGINT ${references("auth_user")}
		)`,
		"CREATE INDEX auth_key_user_id ON auth_key (user_id)",
		`CREATE TABLE ${own.user} (id ${userId} NOT NULL PRIMARY KEY, user_id ${text}, expires BIGINT)`,
		`CREATE TABLE ${own.key} (
			id ${text} NOT NULL PRIMARY KEY, user_id ${userId} NOT NULL, expires BIGINT NOT NULL
			${references(own.user)}
		)`,
	];
};

export const SQLITE = { text: "TEXT", boolean: "INTEGER", quote: '"' };
export const POSTGRES = { text: "VARCHAR(255)", boolean: "BOOLEAN", quote: '"' };
const MYSQL = { text: "VARCHAR(255)", boolean: "TINYINT(1)", quote: "`" };

const unique = (): string => `lucia_tokens_${crypto.randomUUID().replaceAll("-", "").slice(0, 16)}`;

export const toKey = (row: KeySchema): KeySchema => ({
	...row,
	primary_key: Boolean(row.primary_key),
	expires: row.expires === null ? null : Number(row.expires),
});

/** What a `Database` of better-sqlite3 and of libsql have in common. */
export type SqliteDb = Libsql.Database;

export const openSqliteDb = async (db: SqliteDb, options: OpenOptions = {}): Promise<Database> => {
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
		defaultSource: createAuth(sqliteAdapter(counted as never)),
		nativeSource: betterSqlite3(counted),
		name: "main",
		createStore: (tables) => betterSqlite3(counted, { tables }),
		ownTables: quoteOwnTables(SQLITE),
		statements,
		sql,
		keys: async () => ((await sql("SELECT * FROM auth_key")) as KeySchema[]).map(toKey),
		close: async () => {
			db.close();
		},
	};
};

export const openLibsql = async (
	options?: OpenOptions,
): Promise<Database & { readonly raw: SqliteDb }> => {
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
): Promise<Database & { readonly pool: postgres.Pool }> => {
	const name = unique();
	const pool = new postgres.Pool({
		connectionString: url,
		...config,
		options: `-c search_path=${name} ${config.options ?? ""}`,
	});
	await pool.query(`CREATE SCHEMA ${name}`);
	for (const text of schema(POSTGRES, options)) {
		await pool.query(text);
	}
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
		name,
		pool,
		defaultSource: createAuth(pgAdapter(counted as never)),
		nativeSource: pg(counted),
		createStore: (tables) => pg(counted, { tables }),
		ownTables: quoteOwnTables(POSTGRES),
		statements,
		sql,
		keys: async () => ((await sql("SELECT * FROM auth_key")) as KeySchema[]).map(toKey),
		close: async () => {
			await pool.query(`DROP SCHEMA ${name} CASCADE`);
			await pool.end();
		},
	};
};

export const openMysql = async (
	url: string,
	options: OpenOptions = {},
	config: mysql.PoolOptions = {},
): Promise<Database & { readonly pool: mysql.Pool }> => {
	const name = unique();
	const server = await mysql.createConnection(url);
	await server.query(
		`CREATE DATABASE ${name} ${options.collation ? `COLLATE ${options.collation}` : ""}`,
	);
	await server.end();
	const { hostname, port, username, password } = new URL(url);
	const pool = mysql.createPool({
		host: hostname,
		port: Number(port || 3306),
		user: decodeURIComponent(username),
		password: decodeURIComponent(password),
		database: name,
		...config,
	});
	for (const text of schema(MYSQL, options)) {
		await pool.query(text);
	}
	const statements: string[] = [];
	const counted = {
		query: (text: string, values: string[]) => {
			statements.push(text);
			return pool.query(text, values);
		},
		execute: (text: string, values: string[]) => {
			statements.push(text);
			return pool.execute(text, values);
		},
	};
	const sql = async (text: string, values: unknown[] = []): Promise<unknown[]> => {
		const [rows] = await pool.query(text, values);
		return rows as unknown[];
	};
	return {
		name,
		pool,
		defaultSource: createAuth(mysqlAdapter(counted as never)),
		nativeSource: mysql2(counted),
		createStore: (tables) => mysql2(counted, { tables }),
		ownTables: quoteOwnTables(MYSQL),
		statements,
		sql,
		keys: async () => ((await sql("SELECT * FROM auth_key")) as KeySchema[]).map(toKey),
		close: async () => {
			await pool.query(`DROP DATABASE ${name}`);
			await pool.end();
		},
	};
};
