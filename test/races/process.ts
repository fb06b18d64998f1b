// A racer in a process of its own, like a second server of an app. It makes the calls that its parent asks for,
// until its parent exits.
import { mysql2 as mysqlAdapter } from "@lucia-auth/adapter-mysql";
import { pg as pgAdapter } from "@lucia-auth/adapter-postgresql";
import { betterSqlite3 as sqliteAdapter } from "@lucia-auth/adapter-sqlite";
import mysql, { type Pool } from "mysql2/promise";
import { betterSqlite3 } from "../../src/stores/better-sqlite3.js";
import { mysql2 } from "../../src/stores/mysql2.js";
import { pg } from "../../src/stores/pg.js";
import {
	createAuth,
	libsql,
	openBetterSqlite3,
	postgres,
	type SqliteDb,
} from "../support/database.js";
import { createRacer, type Task } from "./racer.js";
import type { Connection } from "./racers.js";

process.on("disconnect", () => process.exit());

const openSqlite = (db: SqliteDb) => {
	db.pragma("busy_timeout = 60000");
	db.pragma("synchronous = NORMAL");
	db.pragma("foreign_keys = ON");
	return { auth: createAuth(sqliteAdapter(db as never)), native: betterSqlite3(db) };
};

const open = async ({ driver, url = "", urls = [url], database, ...options }: Connection) => {
	if (driver === "libsql") return openSqlite(new libsql(database));
	if (driver === "better-sqlite3") return openSqlite(await openBetterSqlite3(database));
	if (driver === "pg") {
		const pool = new postgres.Pool({
			connectionString: url,
			options: `-c search_path=${database}`,
			application_name: `racer ${database}`,
		});
		// Without a listener, an idle connection that is cut would end the process.
		pool.on("error", () => {});
		const { prepare = true } = options;
		return { auth: createAuth(pgAdapter(pool as never)), native: pg(pool, { prepare }) };
	}
	const { session } = options;
	const pools = urls.map((url) => mysql.createPool(new URL(database, url).href));
	for (const { pool } of session ? pools : []) {
		pool.on("connection", (connection) => connection.query(session as string));
	}
	let turn = 0;
	const next = () => pools[turn++ % pools.length] as Pool;
	const pool = {
		execute: (sql: string, values: string[]) => next().execute(sql, values),
		query: (sql: string, values: string[]) => next().query(sql, values),
	};
	return { auth: createAuth(mysqlAdapter(pool as never)), native: mysql2(pool) };
};

interface Request {
	readonly id: number;
	readonly method: string;
	readonly args: readonly unknown[];
}

const send = (message: object): boolean | undefined => process.send?.(message);
const { connection, ...task } = JSON.parse(process.argv[2] ?? "") as Task & {
	readonly connection: Connection;
};
const { auth, native } = await open(connection);
const racer = createRacer((call) => call(task.store === "native" ? native : auth), auth, task);

process.on("message", ({ id, method, args }: Request) => {
	const call = racer[method as "validate"] as (...args: readonly unknown[]) => Promise<unknown>;
	call(...args).then(
		(value) => send({ id, value }),
		({ message }: Error) => send({ id, error: message }),
	);
});

// Connects to the database first, so that all processes start their calls together.
await racer.validate("warm-up").catch(() => {});
send({ id: 0, value: Object.keys(racer) });
