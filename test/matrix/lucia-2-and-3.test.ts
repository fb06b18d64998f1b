import { execFileSync } from "node:child_process";
import * as nodeCrypto from "node:crypto";
import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { fileURLToPath } from "node:url";
import lucia1 from "lucia-auth";
import { node as node1 } from "lucia-auth/middleware";
import type { Pool } from "mysql2/promise";
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test, vi } from "vitest";
import * as tokens from "../../src/index.js";
import * as sqliteStore from "../../src/stores/better-sqlite3.js";
import * as d1Store from "../../src/stores/d1.js";
import * as libsqlStore from "../../src/stores/libsql.js";
import * as mysqlStore from "../../src/stores/mysql2.js";
import * as pgStore from "../../src/stores/pg.js";
import {
	type Database,
	libsql as Libsql,
	openLibsql,
	openMysql,
	openPostgres,
	openSqliteDb,
	type SqliteDb,
} from "../support/database.js";
import { openD1 } from "../support/d1.js";
import { openClient } from "../support/drivers.js";
import { tokenError } from "../support/errors.js";
import { passCases, toOwnHarness } from "../support/harness.js";
import { blocksOf, readPage, runBlock } from "../support/page.js";
import { temporaryFolder } from "../support/server.js";
import { importHeavy, isInstalled } from "./heavy.js";

// Runs every block of docs/lucia-2-and-3.md, and every call in its list, beside Lucia 2 and Lucia 3 from the
// registry.

const { idToken, passwordToken } = tokens;

const sections = new Map(
	readPage("docs/lucia-2-and-3.md")
		.split(/^#+ /m)
		.map((text) => [text.slice(0, text.indexOf("\n")), text] as const),
);

/** The one block in a language of a section. */
const blockOf = (section: string, language: string): string => {
	const blocks = blocksOf(sections.get(section) ?? "", language);
	if (blocks.length !== 1) throw new Error(`${section} has ${blocks.length} blocks of ${language}`);
	return blocks[0] ?? "";
};

const statementsOf = (script: string): string[] => script.split(/;\s*/).filter(Boolean);

const run = async (db: Database, script: string): Promise<void> => {
	for (const statement of statementsOf(script)) await db.sql(statement);
};

const LIVE = { expiresIn: 60 };

type Source = Parameters<typeof idToken>[0];

const link = (source: Source, name = "link") => idToken(source, name, LIVE);

const TABLES = { user: "auth_user", session: "auth_session", key: "auth_key" };

interface Lucia2 {
	readonly lucia: (config: object) => {
		useKey(...key: [string, string, null]): Promise<{ userId: string }>;
	};
	readonly node: () => unknown;
	readonly sqliteAdapter: (driver: object, tables: object) => unknown;
}

interface Lucia3 {
	readonly LegacyScrypt: new () => { verify(hash: string, password: string): Promise<boolean> };
	readonly verifyRequestOrigin: unknown;
	readonly BetterSqlite3Adapter: new (driver: object, tables: object) => object;
}

/** A database with the tables of Lucia 1. */
interface Opened {
	readonly db: Database;
	/** What the page's `db.js` exports: the driver that Lucia's adapter takes. */
	readonly driver: object;
}

/** A heading of the page, and the database that it is about. */
interface Case {
	readonly name: string;
	/** The heading of its table, if that is another one. */
	readonly table?: string;
	readonly isThere: boolean;
	readonly open: () => Promise<Opened>;
	/** The heading of its statements that move tokens. */
	readonly from: string;
	/** Runs these statements in one session. */
	readonly move: (opened: Opened, script: string) => Promise<unknown>;
}

const [postgres, mysql] = [inject("postgres"), inject("mysql")];

const FROM_SQLITE = "From `auth_key` on SQLite";

const SQLITE: Case = {
	from: FROM_SQLITE,
	name: "SQLite",
	isThere: true,
	open: async () => {
		const { raw, ...db } = await openLibsql();
		return { db, driver: raw };
	},
	move: async ({ driver }, script) => (driver as SqliteDb).exec(script),
};

const CASES: readonly Case[] = [
	{
		name: "PostgreSQL",
		isThere: postgres !== "",
		open: async () => {
			const db = await openPostgres(postgres);
			return { db, driver: db.pool };
		},
		from: "From `auth_key` on PostgreSQL",
		move: ({ db }, script) => db.sql(script),
	},
	{
		name: "MySQL and MariaDB",
		isThere: mysql !== "",
		open: async () => {
			const db = await openMysql(mysql);
			return { db, driver: db.pool };
		},
		from: "From `auth_key` on MySQL and MariaDB",
		move: async ({ driver }, script) => {
			const connection = await (driver as Pool).getConnection();
			for (const statement of statementsOf(script)) await connection.query(statement);
			connection.release();
		},
	},
	SQLITE,
	{
		from: FROM_SQLITE,
		name: "Turso",
		table: "SQLite",
		isThere: isInstalled("@libsql/client"),
		open: async () => {
			const { path, remove } = temporaryFolder("lucia-2-and-3");
			const db = await openSqliteDb(new Libsql(`${path}/app.db`));
			const client = await openClient({ url: `file:${path}/app.db` });
			const close = async (): Promise<void> => {
				client.close();
				await db.close();
				remove();
			};
			return { db: { ...db, close }, driver: client };
		},
		move: ({ driver }, script) =>
			(driver as { executeMultiple(script: string): Promise<void> }).executeMultiple(script),
	},
	{
		from: FROM_SQLITE,
		name: "Cloudflare D1",
		table: "SQLite",
		isThere: isInstalled("miniflare"),
		open: async () => {
			const db = await openD1();
			return { db, driver: db.raw };
		},
		move: ({ driver }, script) => {
			const db = driver as {
				prepare(sql: string): unknown;
				batch(statements: unknown[]): Promise<unknown>;
			};
			const inTheMiddle = statementsOf(script).slice(1, -1);
			return db.batch(inTheMiddle.map((statement) => db.prepare(statement)));
		},
	},
];

/** Opens a database, with the table of tokens that the page makes, and what its `store.ts` exports. */
const openStore = async ({ name, table = name, open }: Case) => {
	const opened = await open();
	const { db, driver } = opened;
	onTestFinished(() => db.close());
	await run(db, blockOf(table, "sql"));
	const modules = {
		"@lucia-auth/tokens/pg": pgStore,
		"@lucia-auth/tokens/mysql2": mysqlStore,
		"@lucia-auth/tokens/better-sqlite3": sqliteStore,
		"@lucia-auth/tokens/libsql": libsqlStore,
		"@lucia-auth/tokens/d1": d1Store,
		"./db.js": { pool: driver, db: driver },
	};
	const { store } = await runBlock(blockOf(name, "ts"), modules, {});
	return { ...opened, store: store as tokens.KeyStore };
};

// What Lucia's own guide to Lucia 2 tells to do.
const MIGRATE_TO_2 = `DELETE FROM auth_key WHERE expires != null;
	ALTER TABLE auth_key DROP COLUMN primary_key;
	ALTER TABLE auth_key DROP COLUMN expires`;

/** What the code in the list of calls uses, by name. */
type Scope = Record<string, unknown>;

const scopeOf2 = async ({ db, driver }: Opened): Promise<Scope> => {
	await run(db, MIGRATE_TO_2);
	const { lucia, node, sqliteAdapter } = await importHeavy<Lucia2>("lucia-2");
	return { lucia, adapter: sqliteAdapter(driver, TABLES), middleware: node() };
};

/** Where the list has a Lucia's code, the name that the code has for it, and what else the code uses. */
interface Column {
	readonly index: number;
	readonly name: "auth" | "lucia";
	readonly scope: (opened: Opened) => Promise<Scope>;
}

const COLUMNS = {
	"Lucia 1": {
		index: 0,
		name: "auth",
		scope: async ({ db }) => ({
			lucia: lucia1,
			adapter: () => (db.defaultSource as unknown as { adapter: unknown }).adapter,
			middleware: node1(),
			transformDatabaseUser: ({ id, email }: { id: string; email?: string }) => ({
				userId: id,
				email,
			}),
		}),
	},
	"Lucia 2": { index: 1, name: "auth", scope: scopeOf2 },
	"Lucia 3": {
		index: 2,
		name: "lucia",
		scope: async ({ db, driver }) => {
			await run(db, MIGRATE_TO_2);
			await run(db, blockOf("Sessions of your own", "sql"));
			const lucia3 = await importHeavy<Lucia3>("lucia-3");
			const tables = { user: "auth_user", session: "user_session" };
			return { ...lucia3, adapter: new lucia3.BetterSqlite3Adapter(driver, tables) };
		},
	},
	"sessions of your own": {
		index: 2,
		name: "lucia",
		scope: async ({ db, driver }) => {
			await run(db, MIGRATE_TO_2);
			await run(db, blockOf("Sessions of your own", "sql"));
			const { LegacyScrypt, verifyRequestOrigin } = await importHeavy<Lucia3>("lucia-3");
			const modules = { "node:crypto": nodeCrypto, "./db.js": { db: driver } };
			const { lucia } = await runBlock(blockOf("Sessions of your own", "ts"), modules, {});
			return { LegacyScrypt, verifyRequestOrigin, lucia };
		},
	},
} satisfies Record<string, Column>;

/** The items of the list of calls: the code for Lucia 1, 2, and 3. */
const CALLS: readonly (readonly string[])[] = (sections.get("The calls of Lucia") ?? "")
	.split(/^- (?=`)/m)
	.slice(1)
	.map((item) => item.split(/^ {2}- Lucia \d: /m));

type Evaluate = (scope: Scope) => Promise<unknown>;

const AsyncFunction = (async () => {}).constructor as new (name: string, code: string) => Evaluate;

/** Runs the code of an item: the result of a `SELECT` is `row` in what comes after it. */
const runCode = async (db: Database, text: string, scope: Scope): Promise<unknown> => {
	let result: unknown;
	for (const [, code = ""] of text.matchAll(/`([^`]+)`/g)) {
		if (/^(SELECT|INSERT|UPDATE|DELETE) /.test(code)) {
			const values: unknown[] = [];
			const statement = code.replace(/:(\w+)/g, (_, name: string) => {
				values.push(scope[name]);
				return "?";
			});
			result = await db.sql(statement, values);
			if (code.startsWith("SELECT")) [scope["row"]] = result as unknown[];
		} else {
			result = await new AsyncFunction("scope", `with (scope) return (${code})`)(scope);
		}
	}
	return result;
};

/** The items of the list that a test has called. */
const called = new Set<readonly string[]>();

/** Opens a Lucia on SQLite, beside a store. */
const openCaller = async (column: Column) => {
	const opened = await openStore(SQLITE);
	const { db } = opened;
	await db.sql(`ALTER TABLE auth_user ADD COLUMN email VARCHAR(255)`);
	const scope: Scope = {
		...{ env: "DEV", host: "localhost", baseUrl: "http://localhost", hash: "" },
		sessionCookie: { attributes: { secure: false } },
		getUserAttributes: ({ email }: { email: string }) => ({ email }),
		...(await column.scope(opened)),
	};
	/** Runs what stands in place of the one call of Lucia 1 that contains `lucia1`. */
	const call = async (lucia1: string, values: Scope = {}): Promise<unknown> => {
		const [item, ...others] = CALLS.filter(([first = ""]) => first.includes(lucia1));
		if (!item || others.length > 0) throw new Error(`the page has not one item for ${lucia1}`);
		called.add(item);
		const code = item[column.index] ?? "";
		const text = code.trim() === "the same" ? String(item[0]) : code;
		return runCode(db, text, { ...scope, ...values });
	};
	// The page makes the sessions of your own by itself.
	if (scope["adapter"]) scope[column.name] = await call("lucia({");

	const signUp = async (): Promise<{ userId: string; email: string }> => {
		const id = crypto.randomUUID();
		const email = `${id}@example.com`;
		const user = await call("createUser(", { userId: id, email });
		return { userId: idOf(user) ?? id, email };
	};
	const signIn = async (userId: string) => {
		const session = (await call("createSession(", { userId })) as Record<string, string>;
		return { session, sessionId: String(session["sessionId"] ?? session["id"]) };
	};
	const userOf = (sessionId: string) => orNull(call("getSessionUser(", { sessionId }));
	const exported = { [column.name]: scope[column.name] };
	return { ...opened, call, exported, signUp, signIn, userOf };
};

const idOf = (user: unknown): string | undefined => {
	const { userId, id } = Object(user) as { userId?: string; id?: string };
	return userId ?? id;
};

const emailOf = (user: unknown): unknown => (Object(user) as { email?: string }).email;

/** What a call gives that finds nothing, throws, or is false. */
const orNull = (result: Promise<unknown>): Promise<unknown> =>
	result.then((value) => ([value].flat().length > 0 && value) || null).catch(() => null);

describe("docs/lucia-2-and-3.md", () => {
	test("has no code block that does not run below", () => {
		const expected: (readonly [string, readonly string[]])[] = [
			...CASES.map(({ name, table }) => [name, table ? ["ts"] : ["sql", "ts"]] as const),
			...["Lucia 2", "Lucia 3"].map((name) => [name, ["ts"]] as const),
			["Sessions of your own", ["sql", "ts"]],
			...[...new Set(CASES.map(({ from }) => from))].map((from) => [from, ["sql"]] as const),
		];
		const found = [...sections].map(([name, text]) => [
			name,
			[...text.matchAll(/^```(.+)$/gm)].map(([, language]) => language),
		]);
		expect(found.filter(([, blocks]) => blocks?.length)).toEqual(expected);
	});

	test("lists every call of Lucia in the README, the guides, and the examples", () => {
		const globs = "README.md docs/guides/*.md examples/*.md examples/*.[jt]s* *.svelte";
		const cwd = fileURLToPath(new URL("../../", import.meta.url));
		const files = execFileSync("git", ["ls-files", ...globs.split(" ")], { cwd, encoding: "utf8" });
		const text = files.trim().split("\n").map(readPage).join("\n");
		const calls =
			text.match(/(?<=\b(auth|authRequest|auth\.handleRequest\(.*?\))\.)\w+(?=\()/g) ?? [];
		const listed = CALLS.map(([call]) => call).join("\n");
		expect(calls).toEqual(expect.arrayContaining(["createSession", "handleRequest", "setSession"]));
		expect(calls.filter((call) => !listed.includes(`.${call}(`))).toEqual([]);
	});
});

describe.skipIf(!isInstalled("lucia-2")).each(Object.entries<Column>(COLUMNS))(
	"the calls of %s",
	(name, column) => {
		beforeAll(() => called.clear());
		// Every item is called by one of these tests.
		afterAll(() =>
			expect(CALLS.filter((item) => !called.has(item))).toEqual(
				name === "sessions of your own" ? [CALLS[0]] : [],
			),
		);

		test("users and sessions", async () => {
			const { call, db, signUp, signIn, userOf } = await openCaller(column);
			const [{ userId, email }, stranger] = [await signUp(), await signUp()];
			const rows = await db.sql("SELECT id, email FROM auth_user WHERE id = ?", [userId]);
			expect(rows).toEqual([{ id: userId, email }]);
			expect(await db.sql("SELECT id FROM auth_key")).toEqual([]);
			const [user] = [await call("getUser(", { userId })].flat();
			expect([idOf(user), emailOf(user)]).toEqual([userId, email]);
			expect(await orNull(call("getUser(", { userId: "nobody" }))).toBe(null);

			const sessions = [await signIn(userId), await signIn(userId), await signIn(userId)];
			const [first = "", ...others] = sessions.map(({ sessionId }) => sessionId);
			const { sessionId: strangers } = await signIn(stranger.userId);
			const found = await userOf(first);
			expect([idOf(found), emailOf(found)]).toEqual([userId, email]);
			expect(await userOf("x".repeat(40))).toBe(null);
			await call("invalidateSession(", { sessionId: first });
			expect(await userOf(first)).toBe(null);
			for (const id of others) expect(idOf(await userOf(id))).toBe(userId);
			await call("invalidateAllUserSessions(", { userId });
			for (const id of others) expect(await userOf(id)).toBe(null);
			expect(idOf(await userOf(strangers))).toBe(stranger.userId);
		});

		test("passwords, and the end of a user", async () => {
			const { call, db, signUp, signIn, userOf } = await openCaller(column);
			const [{ userId, email }, stranger] = [await signUp(), await signUp()];
			const keyOf = (userId: string, email: string) => ({
				...{ userId, providerId: "email", providerUserId: email, keyId: `email:${email}` },
			});
			const key = keyOf(userId, email);
			const use = (password: string) => orNull(call("useKey(", { ...key, password }));
			await call("createKey(", { ...key, password: "former" });
			await call("createKey(", { ...keyOf(stranger.userId, stranger.email), password: "former" });
			const [row] = await db.sql("SELECT * FROM auth_key WHERE user_id = ?", [userId]);
			const { id, hashed_password: hash } = row as { id: string; hashed_password: string };
			expect(id).toBe(key.keyId);
			const { LegacyScrypt } = await importHeavy<Lucia3>("lucia-3");
			expect(await new LegacyScrypt().verify(hash, "former")).toBe(true);
			expect(await use("former")).not.toBe(null);
			await call("updateKeyPassword(", { ...key, password: "new" });
			expect(await use("former")).toBe(null);
			expect(await use("new")).not.toBe(null);
			const keys = (await call("getAllUserKeys(", { userId })) as Record<string, string>[];
			expect(keys.map((one) => one["id"] ?? `email:${one["providerUserId"]}`)).toEqual([key.keyId]);

			const { sessionId } = await signIn(userId);
			await db.sql("INSERT INTO user_token (id, user_id, expires) VALUES ('n:a', ?, 1)", [userId]);
			await call("deleteUser(", { userId });
			expect(await userOf(sessionId)).toBe(null);
			expect(await db.sql("SELECT id FROM user_token")).toEqual([]);
			expect(await db.sql("SELECT id FROM auth_key")).toHaveLength(1);
			expect(await orNull(call("getUser(", { userId }))).toBe(null);
		});

		test("a browser of the app's own origin is signed in, and out", async () => {
			const { call, signUp, signIn } = await openCaller(column);
			for (const origin of ["http://localhost", "https://evil.example", "null", undefined]) {
				const headers = { host: "localhost", origin };
				const check = call("parseRequestHeaders(", { method: "POST", headers });
				const isRefused = (await check.catch(() => false)) === false;
				expect(isRefused).toBe(origin !== "http://localhost");
			}

			/** What a request with a cookie gets: the result of the calls, and the cookie that they set. */
			const exchange = async (cookie: string, run: (scope: Scope) => Promise<unknown>) => {
				const request = new IncomingMessage(new Socket());
				Object.assign(request, { method: "GET", url: "/", headers: { host: "localhost", cookie } });
				const response = new ServerResponse(request);
				const result = await run({ request, response });
				const [set = ""] = [response.getHeader("Set-Cookie") ?? []].flat().map(String);
				return { result, set: set.replace(/;.*/, "") };
			};
			const userOf = async (cookie: string): Promise<unknown> => {
				const { result } = await exchange(cookie, async (scope) => {
					const sessionId = await call("storedSessionId", scope);
					return call("validateUser(", { ...scope, sessionId });
				});
				return emailOf(result);
			};

			const { userId, email } = await signUp();
			const { session, sessionId } = await signIn(userId);
			const { set: cookie } = await exchange("", (scope) =>
				call("setSession(session)", { ...scope, session }),
			);
			const stored = await exchange(cookie, (scope) => call("storedSessionId", scope));
			expect(stored.result).toBe(sessionId);
			expect(await userOf(cookie)).toBe(email);
			expect(await userOf("")).toBe(undefined);
			expect(await userOf(cookie.replace(/=.*/, `=${"x".repeat(40)}`))).toBe(undefined);
			const cleared = await exchange(cookie, (scope) => call("setSession(null)", scope));
			expect(cleared.set).toBe(cookie.replace(/=.*/, "="));
			await call("invalidateSession(", { sessionId });
			expect(await userOf(cookie)).toBe(undefined);
		});
	},
);

test.skipIf(!isInstalled("lucia-3"))(
	"in Lucia 3, a session that is prolonged is fresh",
	async () => {
		const { exported, signUp, signIn } = await openCaller(COLUMNS["Lucia 3"]);
		const lucia = exported["lucia"] as { validateSession(id: string): Promise<unknown> };
		const { sessionId } = await signIn((await signUp()).userId);
		expect(await lucia.validateSession(sessionId)).toMatchObject({ session: { fresh: false } });
		vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 16 * 24 * 60 * 60 * 1000 });
		onTestFinished(() => void vi.useRealTimers());
		expect(await lucia.validateSession(sessionId)).toMatchObject({ session: { fresh: true } });
	},
);

test.skipIf(!isInstalled("lucia-2")).each(["Lucia 2", "Lucia 3"] as const)(
	"the page's code for %s signs a user in by a link",
	async (name) => {
		const { db, store, exported, signUp, userOf } = await openCaller(COLUMNS[name]);
		const { userId, email } = await signUp();
		const modules = {
			"@lucia-auth/tokens": tokens,
			"./store.js": { store },
			"./lucia.js": exported,
		};
		const cookies: string[] = [];
		const response = { appendHeader: (_: string, cookie: string) => cookies.push(cookie) };
		const user = { id: userId, userId, email };
		await runBlock(blockOf(name, "ts"), modules, { user, response });
		const [, sessionId = ""] = /=(\w+)/.exec(cookies.join()) ?? [];
		expect(idOf(await userOf(sessionId))).toBe(userId);
		expect(await db.sql("SELECT * FROM user_token")).toEqual([]);
	},
);

for (const one of CASES) {
	describe.skipIf(!one.isThere)(one.name, () => {
		// Turso and D1 have the table of SQLite.
		test.skipIf(one.table)("a store on the page's table passes the exported cases", async () => {
			const { db, store } = await openStore(one);
			const ownTables = { user: "auth_user", key: "user_token" };
			await passCases(toOwnHarness({ ...db, ownTables }, store));
			// A user's tokens go with the user.
			await db.sql("DELETE FROM auth_user");
			expect(await db.sql("SELECT * FROM user_token")).toEqual([]);
		});

		describe("coming from Lucia 1", () => {
			const open = async () => {
				const opened = await openStore(one);
				await opened.db.sql("INSERT INTO auth_user (id) VALUES (?)", ["u"]);
				const move = () => one.move(opened, blockOf(one.from, "sql"));
				return { ...opened, move, former: opened.db.defaultSource };
			};

			test("outstanding tokens and what the limits counted move, and logins stay", async () => {
				const { db, former, store, move } = await open();
				const code = (source: Source, name: string) =>
					passwordToken(source, name, { ...LIVE, maxAttempts: 2, minInterval: 60 });
				const guess = (source: Source, value: string) =>
					expect(code(source, "b").validate(value, "u")).rejects.toEqual(
						tokenError("INVALID_TOKEN"),
					);
				const linked = await link(former).issue("u");
				const good = await code(former, "a").issue("u");
				const tried = await code(former, "b").issue("u");
				await guess(former, "wrong");
				const login = { providerId: "github", providerUserId: "1", password: null };
				await former.createKey("u", { type: "persistent", ...login });
				const guarded = { providerId: "link", providerUserId: "guarded", password: "password" };
				await former.createKey("u", { type: "single_use", ...guarded, expiresIn: 60 });
				await move();

				expect((await link(store).validate(`${linked}`)).userId).toBe("u");
				await code(store, "a").validate(`${good}`, "u");
				await expect(code(store, "a").issue("u")).rejects.toEqual(tokenError("ISSUED_RECENTLY"));
				await guess(store, "wrong");
				await guess(store, `${tried}`);
				await expect(link(store).validate("guarded")).rejects.toEqual(tokenError("INVALID_TOKEN"));
				expect(await db.sql("SELECT id FROM auth_key")).toEqual([{ id: "github:1" }]);
			});

			test("used tokens whose rows were not deleted stay behind, and ids of over 240 bytes", async () => {
				const { db, former, store, move } = await open();
				// The spent row of a long id has a digest for an id.
				const names = ["link", "n".repeat(190), "o".repeat(196), "p".repeat(197)];
				const issued = await Promise.all(names.map((name) => link(former, name).issue("u")));
				const rows = await db.keys();
				for (const at of [0, 1]) {
					await link(former, names[at]).validate(issued[at] ?? "");
					const { id = "", expires } = rows.find(({ id }) => id.endsWith(`:${issued[at]}`)) ?? {};
					await db.sql(
						`INSERT INTO auth_key (id, user_id, primary_key, expires) VALUES (?, 'u', FALSE, ${expires})`,
						[id],
					);
				}
				await move();
				const valid = names.map((name, at) => link(store, name).validate(`${issued[at]}`));
				const statuses = (await Promise.allSettled(valid)).map(({ status }) => status);
				expect(statuses).toEqual(["rejected", "rejected", "fulfilled", "rejected"]);
				expect(await db.sql("SELECT id FROM auth_key")).toEqual([]);
			});
		});
	});
}

test.skipIf(!isInstalled("lucia-2"))("a token that is left behind is a login key", async () => {
	const opened = await openStore(SQLITE);
	await opened.db.sql("INSERT INTO auth_user (id) VALUES ('u')");
	const token = await link(opened.db.defaultSource).issue("u");
	const { lucia, adapter } = await scopeOf2(opened);
	const auth = (lucia as Lucia2["lucia"])({ adapter, env: "DEV" });
	expect((await auth.useKey("link", `${token}`, null)).userId).toBe("u");
});
