import type { Adapter, Auth } from "lucia-auth";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { idToken, type IdTokenWrapper, type KeyStore } from "../../src/index.js";
import { betterSqlite3, type SqliteDatabase } from "../../src/stores/better-sqlite3.js";
import { mysql2, type Mysql2Pool } from "../../src/stores/mysql2.js";
import { pg, type PgPool } from "../../src/stores/pg.js";
import { createAuth } from "../support/database.js";
import { createFault, type Fault } from "../support/faults.js";
import { DATABASES, type Shared } from "./contenders.js";
import { report } from "./race.js";
import { createUser, NAME, options } from "./tokens.js";

// Each call of the adapter, or of the driver under a native store, fails once before it takes effect
// and once after, in every operation on a token that is good and on one that has expired.

type Operation = Exclude<keyof IdTokenWrapper, "getUserTokens" | "invalidateToken">;
type State = "good" | "expired";

interface Case {
	readonly operation: Operation;
	readonly state: State;
	/** The outcome without a fault, and of a retry after a fault. */
	readonly outcome: string;
	/** Calls of the default store's adapter. */
	readonly calls: number;
}

const CASES: readonly Case[] = [
	{ operation: "issue", state: "good", outcome: "success", calls: 1 },
	{ operation: "validate", state: "good", outcome: "success", calls: 5 },
	{ operation: "validate", state: "expired", outcome: "EXPIRED_TOKEN", calls: 5 },
	{ operation: "getToken", state: "good", outcome: "success", calls: 1 },
	{ operation: "getToken", state: "expired", outcome: "EXPIRED_TOKEN", calls: 1 },
	{ operation: "invalidate", state: "good", outcome: "success", calls: 2 },
	{ operation: "getAllUserTokens", state: "good", outcome: "success", calls: 1 },
	{ operation: "invalidateAllUserTokens", state: "good", outcome: "success", calls: 2 },
	{ operation: "deleteExpiredUserTokens", state: "expired", outcome: "success", calls: 2 },
];

/** The cases in which the caller does not get the database's error, or a retry does not complete the call. */
const EXCEPTIONS: Record<"default" | "one statement" | "two statements", readonly string[]> = {
	default: [
		// The answer to the claim is lost, so nobody knows whose it is. It stays, and blocks the token.
		"validate a good token, call 1 fails after it took effect: the error; claim and token left; then INVALID_TOKEN",
		// The deciding delete takes effect, but its answer is lost. So the token is lost.
		"validate a good token, call 3 fails after it took effect: the error; nothing left; then INVALID_TOKEN",
		// Only the cleanup fails, so the call succeeds.
		"validate a good token, call 4 fails before it takes effect: success; claim left; then INVALID_TOKEN",
		"validate a good token, call 4 fails after it took effect: success; nothing left; then INVALID_TOKEN",
		// The same for an expired token. Only the answer EXPIRED_TOKEN can be lost.
		"validate an expired token, call 1 fails after it took effect: the error; claim and token left; then INVALID_TOKEN",
		"validate an expired token, call 3 fails after it took effect: the error; nothing left; then INVALID_TOKEN",
		"validate an expired token, call 4 fails before it takes effect: EXPIRED_TOKEN; claim left; then INVALID_TOKEN",
		"validate an expired token, call 4 fails after it took effect: EXPIRED_TOKEN; nothing left; then INVALID_TOKEN",
	],
	// PostgreSQL and SQLite: the one statement deletes and decides.
	"one statement": [
		"validate a good token, call 0 fails after it took effect: the error; nothing left; then INVALID_TOKEN",
		"validate an expired token, call 0 fails after it took effect: the error; nothing left; then INVALID_TOKEN",
	],
	// MySQL: a look, then the delete that decides.
	"two statements": [
		"validate a good token, call 1 fails after it took effect: the error; nothing left; then INVALID_TOKEN",
		"validate an expired token, call 1 fails after it took effect: the error; nothing left; then INVALID_TOKEN",
	],
};

type Exceptions = keyof typeof EXCEPTIONS;

interface Store {
	readonly name: string;
	readonly exceptions: Exceptions;
	/** How many calls there are in a case. */
	readonly callsIn: (one: Case) => number;
	readonly source: (db: Shared, fault: Fault) => Auth | KeyStore;
}

const sqlite = ({ handle }: Shared, fault: Fault): KeyStore =>
	betterSqlite3({
		prepare: (sql) => {
			const statement = (handle as SqliteDatabase).prepare(sql);
			return {
				all: (...values) => fault.callSync("all", () => statement.all(...values)),
				run: (...values) => fault.callSync("run", () => statement.run(...values)),
			};
		},
	});

const NATIVE: Record<string, (db: Shared, fault: Fault) => KeyStore> = {
	libsql: sqlite,
	"better-sqlite3": sqlite,
	PostgreSQL: ({ handle }, fault) =>
		pg({ query: (query) => fault.call("query", () => (handle as PgPool).query(query)) }),
	"MySQL or MariaDB": ({ handle }, fault) =>
		mysql2({
			execute: (sql, values) =>
				fault.call("execute", () => (handle as Mysql2Pool).execute(sql, values)),
		}),
};

const storesOn = (database: string, native: string): readonly Store[] => [
	{
		name: "default store",
		exceptions: "default",
		callsIn: ({ calls }) => calls,
		source: ({ defaultSource }, fault) => {
			const { adapter } = defaultSource as unknown as { adapter: Adapter };
			return createAuth(() => fault.wrap(adapter));
		},
	},
	{
		name: native,
		exceptions: native === "mysql2" ? "two statements" : "one statement",
		callsIn: ({ operation }) => (native === "mysql2" && operation === "validate" ? 2 : 1),
		source: NATIVE[database] as Store["source"],
	},
];

describe.each(DATABASES)("on $name", ({ name: database, native, isThere, open }) => {
	let db: Shared;
	beforeAll(async () => {
		if (!isThere) return;
		db = await open();
		await createUser(db, "user");
	});
	afterAll(() => db?.close());

	const run = async (
		{ source }: Store,
		{ operation, state, outcome }: Case,
		at: number,
		when: Fault["when"],
	) => {
		const fault = createFault();
		const handler = idToken(source(db, fault), NAME, options);
		await db.sql("DELETE FROM auth_key");
		if (operation !== "issue") {
			const expires = state === "good" ? Date.now() + 600_000 : 1;
			await db.sql(
				`INSERT INTO auth_key (id, user_id, primary_key, hashed_password, expires)
				VALUES ('${NAME}:token', 'user', FALSE, NULL, ${expires})`,
			);
		}
		const ofToken = ["validate", "getToken", "invalidate"].includes(operation);
		let issued: unknown;
		const attempt = async (): Promise<string> => {
			try {
				issued = await handler[operation](ofToken ? "token" : "user");
				return "success";
			} catch (error) {
				return error === fault.error ? "the error" : (error as Error).message;
			}
		};

		Object.assign(fault, { at, when });
		const first = await attempt();
		const calls = fault.calls.length;
		fault.at = -1;
		const left = (await db.keys()).map(({ id }) => (id.startsWith(":") ? "claim" : "token"));
		const retry = await attempt();
		const third = operation === "validate" ? await attempt() : "";
		// Never twice.
		const used = [first, retry, third].filter((one) => one === "success").length;
		if (operation === "validate") expect(used).toBeLessThanOrEqual(1);
		if (operation === "issue") await handler.validate(String(issued));

		// Whatever is left, a sweep clears it when its time is over.
		await db.sql("UPDATE auth_key SET expires = 1");
		await handler.deleteExpiredUserTokens("user");
		expect(await db.keys()).toEqual([]);

		const normal = first === "the error" && retry === outcome && !left.includes("claim");
		const article = state === "good" ? "a" : "an";
		const what = `${operation} ${article} ${state} token, call ${at} fails`;
		const time = when === "before" ? "before it takes effect" : "after it took effect";
		const rest = `${left.sort().join(" and ") || "nothing"} left`;
		return { first, calls, normal, line: `${what} ${time}: ${first}; ${rest}; then ${retry}` };
	};

	test.skipIf(!isThere).each(storesOn(database, native))(
		"every call of every operation fails once before and once after: $name",
		async (store) => {
			const exceptions: string[] = [];
			let faults = 0;
			for (const one of CASES) {
				const calls = store.callsIn(one);
				expect(await run(store, one, -1, "before")).toMatchObject({ calls, first: one.outcome });
				for (let at = 0; at < calls; at++) {
					for (const when of ["before", "after"] as const) {
						faults++;
						const { normal, line } = await run(store, one, at, when);
						if (!normal) exceptions.push(line);
					}
				}
			}
			report(`forced faults, ${store.name} on ${database}`, {
				faults,
				"after which a retry does the rest": faults - exceptions.length,
				"listed exceptions": exceptions.length,
			});
			expect(exceptions).toEqual(EXCEPTIONS[store.exceptions]);
		},
	);
});
