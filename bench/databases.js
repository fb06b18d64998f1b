import PostgresAdapter from "@auth/pg-adapter";
import { mysql2 as mysqlAdapter } from "@lucia-auth/adapter-mysql";
import { pg as pgAdapter } from "@lucia-auth/adapter-postgresql";
import { betterSqlite3 as sqliteAdapter } from "@lucia-auth/adapter-sqlite";
import { betterSqlite3 as sqliteStore } from "@lucia-auth/tokens/better-sqlite3";
import { mysql2 as mysqlStore } from "@lucia-auth/tokens/mysql2";
import { pg as pgStore } from "@lucia-auth/tokens/pg";
import BetterSqlite3 from "better-sqlite3";
import { Kysely, MysqlDialect, PostgresDialect, sql, SqliteDialect } from "kysely";
import mysql from "mysql2";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";

/** Enough that each call in a turn has a user of its own. */
export const USERS = Array.from({ length: 256 }, (_, i) => `user${i}@example.com`);

/** Those whose tokens fill the table, as in a real one. */
const OTHERS = Array.from({ length: 1000 }, (_, i) => `other${i}@example.com`);

// All contenders share them.
const CONNECTIONS = 8;
const ROWS_PER_INSERT = 1000;

const INSERT = "INSERT INTO auth_key (id, user_id, primary_key, hashed_password, expires) VALUES";
const TAKE = "DELETE FROM auth_key WHERE id =";
const RETURNING = "RETURNING id, user_id, expires";

/** On each database: how to connect, and the driver's own statements, prepared. */
const KINDS = {
	PostgreSQL: {
		variable: "POSTGRES_URL",
		defaultUrl: "postgres://postgres@127.0.0.1:5432/postgres",
		type: "postgres",
		text: "TEXT",
		boolean: "BOOLEAN",
		version: "split_part(version(), ' ', 2)",
		drop: "WITH (FORCE)",
		inFlight: [1, 8],
		// Autovacuum could start at any time. This does its work between rounds.
		settle: "VACUUM ANALYZE auth_key, verification, verification_token",
		connect(connectionString) {
			const pool = new pg.Pool({ connectionString, max: CONNECTIONS });
			pool.on("error", () => {});
			const query = async (name, text, values) =>
				(await pool.query({ name, text, values })).rows[0];
			return {
				dialect: new PostgresDialect({ pool }),
				native: pgStore(pool),
				adapter: pgAdapter(pool),
				authJs: PostgresAdapter(pool),
				insert: (...values) =>
					query("driver-insert", `${INSERT} ($1, $2, false, NULL, $3)`, values),
				take: (id) => query("driver-take", `${TAKE} $1 ${RETURNING}`, [id]),
			};
		},
	},
	MariaDB: {
		variable: "MYSQL_URL",
		defaultUrl: "mysql://root@127.0.0.1:3306",
		type: "mysql",
		text: "VARCHAR(255)",
		boolean: "TINYINT(1)",
		version: "substring_index(version(), '-', 1)",
		inFlight: [1, 8],
		connect(uri) {
			const callbackPool = mysql.createPool({ uri, connectionLimit: CONNECTIONS });
			const pool = callbackPool.promise();
			return {
				dialect: new MysqlDialect({ pool: callbackPool }),
				native: mysqlStore(pool),
				adapter: mysqlAdapter(pool),
				insert: (...values) => pool.execute(`${INSERT} (?, ?, 0, NULL, ?)`, values),
				take: async (id) => (await pool.execute(`${TAKE} ? ${RETURNING}`, [id]))[0][0],
			};
		},
	},
	SQLite: {
		type: "sqlite",
		text: "TEXT",
		boolean: "INTEGER",
		version: "sqlite_version()",
		// The driver is synchronous.
		inFlight: [1],
		settle: "PRAGMA wal_checkpoint(TRUNCATE)",
		connect(file) {
			const db = new BetterSqlite3(file);
			for (const pragma of ["journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON"]) {
				db.pragma(pragma);
			}
			// Prepared at the first call, when there is a table.
			const statements = new Map();
			const prepare = (text) => {
				if (!statements.has(text)) statements.set(text, db.prepare(text));
				return statements.get(text);
			};
			return {
				dialect: new SqliteDialect({ database: db }),
				native: sqliteStore(db),
				adapter: sqliteAdapter(db),
				insert: async (...values) => prepare(`${INSERT} (?, ?, 0, NULL, ?)`).run(...values),
				// Not get(), which leaves the checkpoint of the WAL to a later statement.
				take: async (id) => prepare(`${TAKE} ? ${RETURNING}`).all(id)[0],
			};
		},
	},
};

export const DATABASE_NAMES = Object.keys(KINDS);

/** There is no server at the default address, or it is somebody else's. */
export class NoServer extends Error {}

const createDatabase = async ({ variable, defaultUrl, connect, drop = "" }, later) => {
	if (!defaultUrl) {
		const folder = await mkdtemp(join(tmpdir(), "lucia-tokens-bench-"));
		later(() => rm(folder, { recursive: true }));
		return join(folder, "bench.db");
	}
	const url = process.env[variable] ?? defaultUrl;
	const name = `lucia_tokens_bench_${crypto.randomUUID().slice(0, 8)}`;
	const admin = new Kysely({ dialect: connect(url).dialect });
	later(() => admin.destroy());
	try {
		await sql.raw(`CREATE DATABASE ${name}`).execute(admin);
	} catch (cause) {
		// A server that you named must be there.
		if (process.env[variable]) throw cause;
		const reason = cause.code ?? cause.message;
		throw new NoServer(`${reason} at ${defaultUrl}, and ${variable} is not set`, { cause });
	}
	later(() => sql.raw(`DROP DATABASE ${name} ${drop}`).execute(admin));
	return Object.assign(new URL(url), { pathname: name }).href;
};

/** Connects to a database that `open` has made, perhaps in another process. */
export const connect = (name, url) => KINDS[name].connect(url);

/**
 * Makes a database with Lucia's tables, by its documentation, with an index on `user_id`.
 *
 * @param rows how many tokens other users have
 * @param later puts a task off until the end
 */
export const open = async (name, rows, later) => {
	const kind = KINDS[name];
	const { type, text, boolean, settle } = kind;
	const url = await createDatabase(kind, later);
	const { dialect, ...driver } = kind.connect(url);
	const db = new Kysely({ dialect });
	later(() => db.destroy());
	const run = (statement) => sql.raw(statement).execute(db);
	const insert = async (table, values) => {
		for (let i = 0; i < values.length; i += ROWS_PER_INSERT) {
			await db
				.insertInto(table)
				.values(values.slice(i, i + ROWS_PER_INSERT))
				.execute();
		}
	};

	await run(`CREATE TABLE auth_user (id ${text} NOT NULL PRIMARY KEY)`);
	await run(`CREATE TABLE auth_key (
		id ${text} NOT NULL PRIMARY KEY,
		user_id ${text} NOT NULL,
		primary_key ${boolean} NOT NULL,
		hashed_password ${text},
		expires BIGINT,
		FOREIGN KEY (user_id) REFERENCES auth_user (id)
	)`);
	await run("CREATE INDEX auth_key_user_id ON auth_key (user_id)");
	const everyone = [...USERS, ...OTHERS];
	await insert(
		"auth_user",
		everyone.map((id) => ({ id })),
	);

	const database = {
		...driver,
		name,
		url,
		inFlight: kind.inFlight,
		/** What better-auth takes. */
		betterAuth: { db, type, transaction: true },
		insertRows: insert,
		/** Adds a row for each id, to one user after the other. */
		addKeys: (ids, users = OTHERS, expires = Date.now() + 86_400_000) =>
			insert(
				"auth_key",
				ids.map((id, i) => {
					const user_id = users[i % users.length];
					return { id, user_id, primary_key: 0, hashed_password: null, expires };
				}),
			),
		/** Removes all rows of `USERS`: attempts and spent rows would pile up. */
		empty: () => run("DELETE FROM auth_key WHERE user_id >= 'user' AND user_id < 'usf'"),
		settle: async () => {
			if (settle) await run(settle);
		},
		run,
	};
	await database.addKeys(Array.from({ length: rows }, () => `link:${randomToken()}`));
	const { version } = (await run(`SELECT ${kind.version} AS version`)).rows[0];
	return { ...database, version: `${name} ${version}` };
};

/** A random token as long as this library's, made where no clock runs. */
export const randomToken = () => (crypto.randomUUID() + crypto.randomUUID()).slice(0, 43);
