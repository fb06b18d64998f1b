import { mysql2 as mysqlAdapter } from "@lucia-auth/adapter-mysql";
import { pg as pgAdapter } from "@lucia-auth/adapter-postgresql";
import { betterSqlite3 as sqliteAdapter } from "@lucia-auth/adapter-sqlite";
import { betterSqlite3 as sqliteStore } from "@lucia-auth/tokens/better-sqlite3";
import { mysql2 as mysqlStore } from "@lucia-auth/tokens/mysql2";
import { pg as pgStore } from "@lucia-auth/tokens/pg";
import BetterSqlite3 from "better-sqlite3";
import Libsql from "libsql";
import mysql from "mysql2/promise";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { luciaSchema, toAddress, uniqueName } from "./databases/schema.js";

const DAY = 86_400_000;

/** How most apps open a file of SQLite. */
export const WAL = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL";

const sqlite = (Database) => ({
	types: { text: "TEXT", boolean: "INTEGER" },
	random: "hex(randomblob(16))",
	withoutChecks: (sql) => `PRAGMA foreign_keys = OFF; ${sql}; PRAGMA foreign_keys = ON`,
	dropIndex: "DROP INDEX auth_key_user_id",
	async create(_url, later) {
		const folder = await mkdtemp(join(tmpdir(), "lucia-tokens-bench-"));
		later(() => rm(folder, { recursive: true }));
		return join(folder, "bench.db");
	},
	connect(_url, file, setUp) {
		const db = new Database(file);
		if (setUp) db.exec(setUp);
		return {
			run: async (sql) => db.exec(sql),
			native: sqliteStore(db),
			adapter: sqliteAdapter(db),
			close: async () => db.close(),
		};
	},
});

const recursion = (from, to) =>
	`WITH RECURSIVE series (n) AS (SELECT ${from} UNION ALL SELECT n + 1 FROM series WHERE n < ${to})
	SELECT n FROM series`;

const KINDS = {
	PostgreSQL: {
		types: { text: "VARCHAR(255)", boolean: "BOOLEAN" },
		random: "md5(concat(n))",
		withoutChecks: (sql) =>
			`ALTER TABLE auth_key DISABLE TRIGGER ALL; ${sql}; ALTER TABLE auth_key ENABLE TRIGGER ALL`,
		dropIndex: "DROP INDEX auth_key_user_id",
		async create(url, later) {
			const name = uniqueName();
			const admin = new pg.Client({ connectionString: url });
			await admin.connect();
			later(() => admin.end());
			await admin.query(`CREATE DATABASE ${name}`);
			later(() => admin.query(`DROP DATABASE ${name} WITH (FORCE)`));
			return name;
		},
		connect(url, database) {
			const pool = new pg.Pool({ ...toAddress(url, 5432), database });
			pool.on("error", () => {});
			return {
				run: (sql) => pool.query(sql),
				native: pgStore(pool),
				adapter: pgAdapter(pool),
				close: () => pool.end(),
			};
		},
	},
	MariaDB: {
		types: { text: "VARCHAR(255)", boolean: "TINYINT(1)" },
		random: "md5(concat(n))",
		withoutChecks: (sql) => `SET foreign_key_checks = 0; ${sql}; SET foreign_key_checks = 1`,
		// A recursion would write a temporary table to the disk.
		series: (from, to) => `SELECT seq AS n FROM seq_${from}_to_${to}`,
		// The foreign key keeps an index unless nobody checks.
		dropIndex:
			"SET foreign_key_checks = 0; DROP INDEX auth_key_user_id ON auth_key; SET foreign_key_checks = 1",
		async create(url, later) {
			const name = uniqueName();
			const admin = await mysql.createConnection(toAddress(url, 3306));
			later(() => admin.end());
			await admin.query(`CREATE DATABASE ${name}`);
			later(() => admin.query(`DROP DATABASE ${name}`));
			return name;
		},
		connect(url, database) {
			const address = toAddress(url, 3306);
			const pool = mysql.createPool({ ...address, database, multipleStatements: true });
			return {
				run: (sql) => pool.query(sql),
				native: mysqlStore(pool),
				adapter: mysqlAdapter(pool),
				close: () => pool.end(),
			};
		},
	},
	"better-sqlite3": sqlite(BetterSqlite3),
	libsql: sqlite(Libsql),
};

/** Connects to a database that `createLarge` has made, perhaps in another process. */
export const connect = (kind, ...where) => KINDS[kind].connect(...where);

/**
 * Makes a database with Lucia's tables, for millions of rows.
 *
 * @returns it, and functions that fill it and that add and drop the index
 */
export const createLarge = async (kind, url, later, setUp) => {
	const { types, random, series = recursion, withoutChecks, dropIndex, create } = KINDS[kind];
	const database = await create(url, later);
	const db = connect(kind, url, database, setUp);
	later(db.close);
	const schema = luciaSchema(types);
	for (const sql of schema) await db.run(sql);

	const insert = (table, from, to, values) =>
		db.run(
			withoutChecks(`INSERT INTO ${table} SELECT ${values} FROM (${series(from, to)}) AS numbers`),
		);
	const link = `concat('link:', ${random})`;
	return {
		...db,
		database,
		addIndex: () => db.run(schema.at(-1)),
		dropIndex: () => db.run(dropIndex),
		/** Adds users with these numbers, each with a login. */
		async addUsers(from, to) {
			await insert("auth_user", from, to, "concat('user', n)");
			const login = "concat('email:', n, '@example.com'), concat('user', n), TRUE, NULL, NULL";
			await insert("auth_key", from, to, login);
		},
		/** Adds a link that expired a day ago to each of the users with these numbers. */
		addExpired: (from, to) =>
			insert("auth_key", from, to, `${link}, concat('user', n), FALSE, NULL, ${Date.now() - DAY}`),
		/** Adds outstanding links to one user. */
		addLinks: (userId, count) =>
			insert(
				"auth_key",
				1,
				count,
				`concat(${link}, '${Math.random()}'), '${userId}', FALSE, NULL, ${Date.now() + 1000} + n`,
			),
		analyze: () => db.run(kind === "MariaDB" ? "ANALYZE TABLE auth_key" : "ANALYZE"),
	};
};
