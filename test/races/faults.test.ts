import type { Adapter, Auth } from "lucia-auth";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { idToken, type KeyStore, passwordToken, type Token } from "../../src/index.js";
import { betterSqlite3, type SqliteDatabase } from "../../src/stores/better-sqlite3.js";
import { mysql2, type Mysql2Pool } from "../../src/stores/mysql2.js";
import { pg, type PgPool } from "../../src/stores/pg.js";
import { createAuth } from "../support/database.js";
import { createFault, type Fault } from "../support/faults.js";
import { DATABASES, type Shared } from "./contenders.js";
import { createOutage } from "./outage.js";
import { report } from "./race.js";
import { createUser, EXPIRES_IN, insertRow, NAME, options } from "./tokens.js";

// Each call of the adapter, or of the driver under a native store, fails once before it takes effect and
// once after, in every operation. Then all calls from one on fail.

const USER = "user";

const createHandlers = (source: Auth | KeyStore) => ({
	links: idToken(source, NAME, options),
	codes: passwordToken(source, NAME, options),
	spaced: idToken(source, NAME, { ...options, minInterval: EXPIRES_IN }),
});

type Handlers = ReturnType<typeof createHandlers>;

interface Case {
	readonly what: string;
	/** What is stored before: `race:token`, `race:user.token`, or an interval that is over. */
	readonly stored?: "link" | "code" | "expired link" | "expired code" | "interval";
	readonly call: (handlers: Handlers, token: Token) => Promise<unknown>;
	/** The outcome without a fault, and of a retry after a fault. */
	readonly outcome: string;
	/** Calls of the default store's adapter. */
	readonly calls: number;
	/** Statements of a native store: 1 unless it says otherwise. */
	readonly statements?: number;
	/** Whether the issued token is one of those whose call sweeps. */
	readonly sweeps?: boolean;
}

const VALIDATE_LINK: Case = {
	what: "validate a link",
	stored: "link",
	call: ({ links }) => links.validate("token"),
	outcome: "success",
	calls: 3,
};

const VALIDATE_CODE: Case = {
	what: "validate a code",
	stored: "code",
	call: ({ codes }) => codes.validate("token", USER),
	outcome: "success",
	calls: 5,
	statements: 2,
};

const CASES: readonly Case[] = [
	{
		what: "issue",
		call: ({ links }) => links.issue(USER),
		outcome: "success",
		calls: 2,
	},
	{
		what: "issue and sweep",
		stored: "expired link",
		sweeps: true,
		call: ({ links }) => links.issue(USER),
		outcome: "success",
		calls: 4,
	},
	{
		what: "issue after an interval",
		stored: "interval",
		call: ({ spaced }) => spaced.issue(USER),
		outcome: "success",
		calls: 3,
		statements: 3,
	},
	{
		what: "issue the first token with an interval",
		call: ({ spaced }) => spaced.issue(USER),
		outcome: "success",
		calls: 6,
		statements: 5,
	},
	VALIDATE_LINK,
	{
		...VALIDATE_LINK,
		what: "validate an expired link",
		stored: "expired link",
		outcome: "EXPIRED_TOKEN",
	},
	VALIDATE_CODE,
	{
		...VALIDATE_CODE,
		what: "validate an expired code",
		stored: "expired code",
		outcome: "EXPIRED_TOKEN",
	},
	{
		what: "validate a wrong code",
		stored: "code",
		call: ({ codes }) => codes.validate("wrong", USER),
		outcome: "INVALID_TOKEN",
		calls: 2,
	},
	{
		what: "getToken",
		stored: "link",
		call: ({ links }) => links.getToken("token"),
		outcome: "success",
		calls: 1,
	},
	{
		what: "getToken, expired",
		stored: "expired link",
		call: ({ links }) => links.getToken("token"),
		outcome: "EXPIRED_TOKEN",
		calls: 1,
	},
	{
		what: "invalidate",
		stored: "link",
		call: ({ links }) => links.invalidate("token"),
		outcome: "success",
		calls: 2,
	},
	{
		what: "withdraw",
		stored: "link",
		call: ({ links }, token) => links.withdraw(token),
		outcome: "success",
		calls: 2,
	},
	{
		what: "getAllUserTokens",
		stored: "link",
		call: ({ links }) => links.getAllUserTokens(USER),
		outcome: "success",
		calls: 1,
	},
	{
		what: "invalidateAllUserTokens",
		stored: "link",
		call: ({ links }) => links.invalidateAllUserTokens(USER),
		outcome: "success",
		calls: 2,
	},
	{
		what: "deleteExpiredUserTokens",
		stored: "expired link",
		call: ({ links }) => links.deleteExpiredUserTokens(USER),
		outcome: "success",
		calls: 2,
	},
];

const BEFORE = "before it takes effect";
const AFTER = "after it took effect";

type Protocol = "default" | "native";

// A row of an interval is stored, and its answer, or the next one's row, is lost. So the interval has begun
// without a token.
const intervals = (afterOne: number, first: number): readonly string[] => {
	const line = (what: string, call: number, when: string, rows: number) =>
		`${what}, call ${call} fails ${when}: the error; ${Array(rows).fill("interval").join(" and ")} left; then ISSUED_RECENTLY`;
	const firstToken = "issue the first token with an interval";
	return [
		line("issue after an interval", afterOne, AFTER, 2),
		line(firstToken, first, AFTER, 1),
		line(firstToken, first + 1, BEFORE, 1),
		line(firstToken, first + 1, AFTER, 2),
		line(firstToken, first + 2, BEFORE, 2),
		line(firstToken, first + 2, AFTER, 3),
	];
};

/** The cases in which the caller does not get the database's error, or a retry does not complete the call. */
const EXCEPTIONS: Record<Protocol, readonly string[]> = {
	default: [
		// The token is stored, so a sweep that fails changes nothing.
		"issue and sweep, call 2 fails before it takes effect: success; token and token left; then success",
		"issue and sweep, call 2 fails after it took effect: success; token and token left; then success",
		"issue and sweep, call 3 fails before it takes effect: success; token and token left; then success",
		"issue and sweep, call 3 fails after it took effect: success; token left; then success",
		...intervals(1, 2),
		// The spent row is stored, and the answer is lost. So nobody learns who used the token.
		"validate a link, call 1 fails after it took effect: the error; spent row and token left; then INVALID_TOKEN",
		// Whoever inserted the spent row has used the token. A delete that fails changes nothing.
		"validate a link, call 2 fails before it takes effect: success; spent row and token left; then INVALID_TOKEN",
		"validate a link, call 2 fails after it took effect: success; spent row left; then INVALID_TOKEN",
		// The same for an expired token. Only the answer EXPIRED_TOKEN can be lost.
		"validate an expired link, call 1 fails after it took effect: the error; spent row and token left; then INVALID_TOKEN",
		"validate an expired link, call 2 fails before it takes effect: EXPIRED_TOKEN; spent row and token left; then INVALID_TOKEN",
		"validate an expired link, call 2 fails after it took effect: EXPIRED_TOKEN; spent row left; then INVALID_TOKEN",
		"validate a code, call 2 fails after it took effect: the error; spent row and token left; then INVALID_TOKEN",
		"validate a code, call 3 fails before it takes effect: success; spent row and token left; then INVALID_TOKEN",
		"validate a code, call 3 fails after it took effect: success; spent row left; then INVALID_TOKEN",
		"validate a code, call 4 fails before it takes effect: success; attempt and spent row left; then INVALID_TOKEN",
		"validate a code, call 4 fails after it took effect: success; spent row left; then INVALID_TOKEN",
		"validate an expired code, call 2 fails after it took effect: the error; spent row and token left; then INVALID_TOKEN",
		"validate an expired code, call 3 fails before it takes effect: EXPIRED_TOKEN; spent row and token left; then INVALID_TOKEN",
		"validate an expired code, call 3 fails after it took effect: EXPIRED_TOKEN; spent row left; then INVALID_TOKEN",
		"validate an expired code, call 4 fails before it takes effect: EXPIRED_TOKEN; attempt and spent row left; then INVALID_TOKEN",
		"validate an expired code, call 4 fails after it took effect: EXPIRED_TOKEN; spent row left; then INVALID_TOKEN",
	],
	// One statement deletes the token and decides.
	native: [
		...intervals(1, 1),
		"validate a link, call 0 fails after it took effect: the error; nothing left; then INVALID_TOKEN",
		"validate an expired link, call 0 fails after it took effect: the error; nothing left; then INVALID_TOKEN",
		"validate a code, call 1 fails after it took effect: the error; nothing left; then INVALID_TOKEN",
		"validate an expired code, call 1 fails after it took effect: the error; nothing left; then INVALID_TOKEN",
	],
};

/** The outages after which the token is used: from which call on, and whether that one took effect. */
const USED_IN_OUTAGE: Record<Protocol, { readonly link: string[]; readonly code: string[] }> = {
	// The second call of a link, and the third of a code, inserts the spent row.
	default: {
		link: ["1 after", "2 before", "2 after"],
		code: ["2 after", "3 before", "3 after", "4 before", "4 after"],
	},
	native: { link: ["0 after"], code: ["1 after"] },
};

interface Store {
	readonly name: string;
	readonly protocol: Protocol;
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
		pg({
			// What tells a pool from a client.
			totalCount: 0,
			query: (query) => fault.call("query", () => (handle as PgPool).query(query)),
		}),
	"MySQL or MariaDB": ({ handle }, fault) =>
		mysql2({
			execute: (sql, values) =>
				fault.call("execute", () => (handle as Mysql2Pool).execute(sql, values)),
		}),
};

const storesOn = (database: string, native: string): readonly Store[] => [
	{
		name: "default store",
		protocol: "default",
		callsIn: ({ calls }) => calls,
		source: ({ defaultSource }, fault) => {
			const { adapter } = defaultSource as unknown as { adapter: Adapter };
			return createAuth(() => fault.wrap(adapter));
		},
	},
	{
		name: native,
		protocol: "native",
		callsIn: ({ statements = 1 }) => statements,
		source: NATIVE[database] as Store["source"],
	},
];

/** What a row is, told from its id. */
const kindOf = (id: string): string => {
	if (!id.startsWith(":")) return "token";
	if (id.includes(`: ${USER}. `)) return "interval";
	return / \d+ \d+$/.test(id) ? "attempt" : "spent row";
};

const outcomeOf = async (call: Promise<unknown>, fault: Fault): Promise<string> => {
	try {
		await call;
		return "success";
	} catch (error) {
		return error === fault.error ? "the error" : (error as Error).message;
	}
};

beforeEach(() => {
	vi.useFakeTimers({ toFake: ["Date"] });
});

afterEach(() => {
	vi.useRealTimers();
});

describe.each(DATABASES)("on $name", ({ name: database, native, isThere, open }) => {
	let db: Shared;
	beforeAll(async () => {
		if (!isThere) return;
		db = await open();
		await createUser(db, USER);
	});
	afterAll(() => db?.close());

	/** Stores what a case needs. Returns the handlers, and the token as `issue()` returned it. */
	const prepare = async ({ source }: Store, { stored, sweeps }: Case, fault: Fault) => {
		// Every eighth millisecond, a token's `issue()` also sweeps.
		vi.setSystemTime(Math.ceil(Date.now() / 8) * 8 + (sweeps ? 0 : 1));
		await db.sql("DELETE FROM auth_key");
		const handlers = createHandlers(source(db, fault));
		const later = Date.now() + EXPIRES_IN * 1000;
		if (stored === "interval") {
			await insertRow(db, `:${NAME}: ${USER}. after 1`, USER, Date.now() - 1000);
		} else if (stored) {
			const id = stored.endsWith("code") ? `${NAME}:${USER}.token` : `${NAME}:token`;
			await insertRow(db, id, USER, stored.startsWith("expired") ? 1 : later);
		}
		// mysql2() asks for the server's version once.
		await handlers.links.validate("unknown").catch(() => {});
		const [token] = stored?.endsWith("link") ? await handlers.links.getAllUserTokens(USER) : [];
		fault.calls.length = 0;
		return { handlers, token: token as Token };
	};

	// MySQL has no RETURNING, and so needs more statements.
	const skipMysql = async ({ protocol }: Store, skip: (note: string) => void): Promise<void> => {
		if (protocol === "default" || native !== "mysql2") return;
		const [{ version }] = (await db.sql("SELECT VERSION() AS version")) as [{ version: string }];
		if (!/mariadb/i.test(version)) skip("MySQL takes more statements");
	};

	const left = async (): Promise<string[]> => (await db.keys()).map(({ id }) => kindOf(id)).sort();

	const run = async (store: Store, one: Case, at: number, when: Fault["when"]) => {
		const fault = createFault();
		const { handlers, token } = await prepare(store, one, fault);
		const attempt = () => outcomeOf(one.call(handlers, token), fault);
		Object.assign(fault, { at, when });
		const first = await attempt();
		const calls = fault.calls.length;
		fault.at = -1;
		const rows = await left();
		const retry = await attempt();
		if (one.what.startsWith("validate")) {
			const used = [first, retry, await attempt()].filter((outcome) => outcome === "success");
			expect(used.length).toBeLessThanOrEqual(1);
		}

		// Whatever is left, a sweep clears it when its time is over.
		await db.sql("UPDATE auth_key SET expires = 1");
		await handlers.links.deleteExpiredUserTokens(USER);
		expect(await db.keys()).toEqual([]);

		const normal = first === "the error" && retry === one.outcome;
		const time = when === "before" ? BEFORE : AFTER;
		const rest = `${rows.join(" and ") || "nothing"} left`;
		const line = `${one.what}, call ${at} fails ${time}: ${first}; ${rest}; then ${retry}`;
		return { first, calls, normal, line };
	};

	test.skipIf(!isThere).for(storesOn(database, native))(
		"every call of every operation fails once before and once after: $name",
		async (store, { skip }) => {
			await skipMysql(store, skip);
			const exceptions: string[] = [];
			let faults = 0;
			for (const one of CASES) {
				const calls = store.callsIn(one);
				expect
					.soft(await run(store, one, -1, "before"), one.what)
					.toMatchObject({ calls, first: one.outcome });
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
			expect(exceptions).toEqual(EXCEPTIONS[store.protocol]);
		},
	);

	/** Returns whether the token was used in an outage that begins with a call. */
	const runOutage = async (store: Store, one: Case, at: number, when: Fault["when"]) => {
		const outage = createOutage();
		const { handlers, token } = await prepare(store, one, outage);
		const attempt = () => outcomeOf(one.call(handlers, token), outage);
		Object.assign(outage, { at, when });
		const during = [await attempt(), await attempt(), await attempt()];
		outage.at = -1;
		const rows = await left();
		const isUsed = !rows.includes("token") || rows.includes("spent row");
		// Only the first call got through to the database. It says so if it used the token and knows.
		expect(["success", "the error"]).toContain(during[0]);
		expect(during.slice(1)).toEqual(["the error", "the error"]);
		if (during[0] === "success") expect(isUsed).toBe(true);
		const after = [await attempt(), await attempt()];
		expect(after).toEqual([isUsed ? "INVALID_TOKEN" : "success", "INVALID_TOKEN"]);
		return isUsed;
	};

	test.skipIf(!isThere).for(storesOn(database, native))(
		"a token is good after an outage unless it was used before: $name",
		async (store, { skip }) => {
			await skipMysql(store, skip);
			for (const [kind, one] of [
				["link", VALIDATE_LINK],
				["code", VALIDATE_CODE],
			] as const) {
				const used: string[] = [];
				for (let at = 0; at < store.callsIn(one); at++) {
					for (const when of ["before", "after"] as const) {
						if (await runOutage(store, one, at, when)) used.push(`${at} ${when}`);
					}
				}
				expect(used, kind).toEqual(USED_IN_OUTAGE[store.protocol][kind]);
			}
		},
	);
});
