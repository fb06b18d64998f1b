// A separate process on an existing database, like a second server of an app. It runs the built package and
// does what its parent asks, until its parent exits.
import { createRequire } from "node:module";
import { mysql2 as mysqlAdapter } from "@lucia-auth/adapter-mysql";
import { pg as pgAdapter } from "@lucia-auth/adapter-postgresql";
import { betterSqlite3 as sqliteAdapter } from "@lucia-auth/adapter-sqlite";
import * as current from "@lucia-auth/tokens";
import { betterSqlite3 } from "@lucia-auth/tokens/better-sqlite3";
import { mysql2 } from "@lucia-auth/tokens/mysql2";
import { pg } from "@lucia-auth/tokens/pg";
import Libsql from "libsql";
import lucia from "lucia-auth";
import mysql from "mysql2/promise";
import postgres from "pg";
import * as published from "published";
import { callingOn } from "./again.js";

process.on("disconnect", () => process.exit());

const openSqlite = (db) => {
	db.pragma("busy_timeout = 60000");
	db.pragma("synchronous = NORMAL");
	db.pragma("foreign_keys = ON");
	return { adapter: sqliteAdapter(db), native: betterSqlite3(db) };
};

let deadlocks = 0;

const DRIVERS = {
	pg: ({ url, database, prepare }) => {
		const pool = new postgres.Pool({
			connectionString: url,
			options: `-c search_path=${database}`,
			application_name: `racer ${database}`,
		});
		// Without a listener, an idle connection that is cut would end the process.
		pool.on("error", () => {});
		return { adapter: pgAdapter(pool), native: pg(pool, { prepare }) };
	},
	mysql2: ({ url, urls = [url], database, session }) => {
		const pools = urls.map((url) => mysql.createPool(new URL(database, url).href));
		for (const pool of session ? pools : []) {
			pool.on("connection", (connection) => connection.query(session));
		}
		let turn = 0;
		const inTurn =
			(method) =>
			async (...args) => {
				try {
					return await pools[turn++ % pools.length][method](...args);
				} catch (error) {
					if (error.code === "ER_LOCK_DEADLOCK") deadlocks++;
					throw error;
				}
			};
		const pool = { execute: inTurn("execute"), query: inTurn("query") };
		return { adapter: mysqlAdapter(pool), native: mysql2(pool) };
	},
	libsql: ({ database }) => openSqlite(new Libsql(database)),
	"better-sqlite3": ({ database }) => {
		const require = createRequire(new URL("../matrix/package.json", import.meta.url));
		const Database = require("better-sqlite3");
		return openSqlite(new Database(database));
	},
};

const { connection, store, version, name, maxAttempts } = JSON.parse(process.argv[2]);
const { adapter, native } = DRIVERS[connection.driver](connection);
const auth = lucia({ adapter, env: "DEV" });
const { idToken, passwordToken } = version === "published" ? published : current;
const source = store === "native" ? native : auth;
const handler = idToken(source, name, { expiresIn: 600 });
const codes = passwordToken(source, `${name}-code`, { expiresIn: 600, maxAttempts });
const spaced = idToken(source, `${name}-spaced`, { expiresIn: 600, minInterval: 600 });

const revoke = [name, `${name}-code`];
const calling = callingOn(store);
const validate = calling(handler.validate);
const guess = calling(codes.validate);
const issue = calling(spaced.issue);

const outcomes = async (calls) => {
	const results = await Promise.allSettled(calls);
	return results.map(({ reason }) => reason?.message ?? "ok");
};

const METHODS = {
	validate: async (token) => {
		await validate(token);
	},
	invalidate: calling(handler.invalidate),
	invalidateAllUserTokens: calling(handler.invalidateAllUserTokens),
	countDeadlocks: () => deadlocks,
	deleteUser: (userId) => auth.deleteUser(userId),

	guessAll: (userId, guesses) => outcomes(guesses.map((code) => guess(code, userId))),
	useAll: (userId, links, typed) =>
		outcomes([
			...links.map((link) => validate(link, { revoke })),
			...typed.map((code) => guess(code, userId, { revoke })),
		]),
	issueAll: (userId, count) => outcomes(Array.from({ length: count }, () => issue(userId))),

	// Validates the tokens in the given order, many concurrently. Reports each success immediately, because
	// this process may be killed. Returns the number of failures by message.
	validateAll: async (tokens, atOnce, calls) => {
		const failures = {};
		const queue = tokens.values();
		const run = async () => {
			for (const token of queue) {
				const results = await Promise.allSettled(
					Array.from({ length: calls }, async () => {
						await validate(token);
						process.send({ won: token });
					}),
				);
				for (const { reason } of results) {
					if (reason) failures[reason.message] = (failures[reason.message] ?? 0) + 1;
				}
			}
		};
		await Promise.all(Array.from({ length: atOnce }, run));
		return failures;
	},
};

process.on("message", async ({ id, method, args }) => {
	try {
		process.send({ id, value: await METHODS[method](...args) });
	} catch (error) {
		process.send({ id, error: error.message });
	}
});

// Connects to the database first, so that all processes start their calls together.
await handler.validate("warm-up").catch(() => {});
process.send({ ready: true });
