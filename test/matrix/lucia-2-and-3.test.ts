import { execFileSync } from "node:child_process";
import * as nodeCrypto from "node:crypto";
import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { runInNewContext } from "node:vm";
import { betterSqlite3 as sqlite1 } from "@lucia-auth/adapter-sqlite";
import lucia1 from "lucia-auth";
import { node as node1 } from "lucia-auth/middleware";
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test, vi } from "vitest";
import * as tokens from "../../src/index.js";
import { type Database, openLibsql, openMysql, openPostgres } from "../support/database.js";
import { openD1 } from "../support/d1.js";
import { openLibsqlClient } from "../support/drivers.js";
import { tokenError } from "../support/errors.js";
import { passCases, toOwnHarness } from "../support/harness.js";
import { blocksOf, readPage, runBlock } from "../support/page.js";
import { importHeavy, isInstalled } from "./heavy.js";
import { LATER } from "./matrix.js";

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

const run = async ({ sql }: Pick<Database, "sql">, script: string): Promise<void> => {
	for (const statement of statementsOf(script)) await sql(statement);
};

const LIVE = { expiresIn: 60 };

type Source = Parameters<typeof idToken>[0];

const link = (source: Source, name = "link") => idToken(source, name, LIVE);

interface Lucia2 {
	readonly lucia: (config: object) => {
		useKey(...key: [string, string, null]): Promise<{ userId: string }>;
	};
	readonly node: () => unknown;
	readonly sqliteAdapter: (driver: object, tables: object) => unknown;
}

interface Lucia3 {
	readonly LegacyScrypt: new () => { verify(hash: string, password: string): Promise<boolean> };
	readonly BetterSqlite3Adapter: new (driver: object, tables: object) => object;
}

/** A heading of the page, and the database with the tables of Lucia 1 that it is about. */
interface Case {
	readonly name: string;
	/** The heading of its tables, if that is another one. */
	readonly table?: string;
	readonly isThere: boolean;
	readonly open: () => Promise<{
		readonly db: Omit<Database, "defaultSource" | "statements"> & Partial<Database>;
		/** What the page's `db.js` exports: the driver that Lucia's adapter takes. */
		readonly driver: object;
		/** Runs statements in one session. */
		readonly move: (script: string) => Promise<unknown>;
	}>;
}

const [postgres, mysql] = [inject("postgres"), inject("mysql")];

const SQLITE: Case = {
	name: "SQLite",
	isThere: true,
	open: async () => {
		const db = await openLibsql();
		const move = async (script: string) => db.raw.exec(script);
		return { db, driver: db.raw, move };
	},
};

const CASES: readonly Case[] = [
	{
		name: "PostgreSQL",
		isThere: postgres !== "",
		open: async () => {
			const db = await openPostgres(postgres);
			return { db, driver: db.pool, move: db.sql };
		},
	},
	{
		name: "MySQL and MariaDB",
		isThere: mysql !== "",
		open: async () => {
			const db = await openMysql(mysql);
			const move = async (script: string) => {
				const connection = await db.pool.getConnection();
				for (const statement of statementsOf(script)) await connection.query(statement);
				connection.release();
			};
			return { db, driver: db.pool, move };
		},
	},
	SQLITE,
	{
		name: "Turso",
		table: "SQLite",
		isThere: isInstalled("@libsql/client"),
		open: async () => {
			const db = await openLibsqlClient();
			return { db, driver: db.raw, move: (script) => db.raw.executeMultiple(script) };
		},
	},
	{
		name: "Cloudflare D1",
		table: "SQLite",
		isThere: isInstalled("miniflare"),
		open: async () => {
			const db = await openD1();
			const move = (script: string) => {
				const inTheMiddle = statementsOf(script).slice(1, -1);
				return db.raw.batch(inTheMiddle.map((statement) => db.raw.prepare(statement)));
			};
			return { db, driver: db.raw, move };
		},
	},
];

/** The heading of the statements that move tokens. */
const fromOf = ({ name, table = name }: Case): string => `From \`auth_key\` on ${table}`;

/** Opens a database, with the table of tokens that the page makes, and what its `store.ts` exports. */
const openStore = async ({ name, table = name, open }: Case) => {
	const opened = await open();
	const { db, driver } = opened;
	onTestFinished(() => db.close());
	await run(db, blockOf(table, "sql"));
	const code = blockOf(name, "ts");
	const [path = "", file = ""] = /@lucia-auth\/tokens\/([\w-]+)/.exec(code) ?? [];
	const modules = {
		[path]: (await import(`../../src/stores/${file}.ts`)) as unknown,
		"./db.js": { pool: driver, db: driver },
	};
	const { store } = await runBlock(code, modules, {});
	return { ...opened, store: store as tokens.KeyStore };
};

/** Migrates the tables of Lucia 1 as Lucia's own guides tell to do. */
const migrate = async (db: Pick<Database, "sql">, version: 1 | 2 | 3): Promise<void> => {
	if (version === 1) return;
	await run(
		db,
		`DELETE FROM auth_key WHERE expires != null;
		ALTER TABLE auth_key DROP COLUMN primary_key;
		ALTER TABLE auth_key DROP COLUMN expires`,
	);
	if (version === 3) await run(db, blockOf("Sessions of your own", "sql"));
};

/** What the code in the list of calls uses, by name. */
type Scope = Record<string, unknown>;

/** A version of Lucia, and what the code for it uses. */
interface Column {
	readonly version: 1 | 2 | 3;
	readonly scope: (driver: object) => Promise<Scope>;
}

const scopeOf2 = async (driver: object) => {
	const { lucia, node, sqliteAdapter } = await importHeavy<Lucia2>("lucia-2");
	const tables = { user: "auth_user", session: "auth_session", key: "auth_key" };
	return { lucia, adapter: sqliteAdapter(driver, tables), middleware: node() };
};

const COLUMNS = {
	"Lucia 1": {
		version: 1,
		scope: async (driver) => ({
			lucia: lucia1,
			adapter: sqlite1(driver as never),
			middleware: node1(),
			transformDatabaseUser: ({ id, email }: Scope) => ({ userId: id, email }),
		}),
	},
	"Lucia 2": { version: 2, scope: scopeOf2 },
	"Lucia 3": {
		version: 3,
		scope: async (driver) => {
			const lucia3 = await importHeavy<Lucia3>("lucia-3");
			const tables = { user: "auth_user", session: "user_session" };
			return { ...lucia3, adapter: new lucia3.BetterSqlite3Adapter(driver, tables) };
		},
	},
	"sessions of your own": {
		version: 3,
		scope: async (driver) => {
			const modules = { "node:crypto": nodeCrypto, "./db.js": { db: driver } };
			const { lucia } = await runBlock(blockOf("Sessions of your own", "ts"), modules, {});
			return { ...(await importHeavy<Lucia3>("lucia-3")), lucia };
		},
	},
} satisfies Record<string, Column>;

/** The items of the list of calls: the code for Lucia 1, 2, and 3. */
const CALLS: readonly (readonly string[])[] = (sections.get("Calls to Lucia") ?? "")
	.split(/^- (?=`)/m)
	.slice(1)
	.map((item) => item.split(/^ {2}- Lucia \d: /m));

/** Runs the code of an item: the result of a `SELECT` is `row` in what comes after it. */
const runCode = async (
	{ sql }: Pick<Database, "sql">,
	text: string,
	scope: Scope,
): Promise<unknown> => {
	let result: unknown;
	for (const [, code = ""] of text.matchAll(/`([^`]+)`/g)) {
		if (/^(SELECT|INSERT|UPDATE|DELETE) /.test(code)) {
			const values: unknown[] = [];
			const statement = code.replace(/:(\w+)/g, (_, name: string) => {
				values.push(scope[name]);
				return "?";
			});
			result = await sql(statement, values);
			if (code.startsWith("SELECT")) [scope["row"]] = result as unknown[];
		} else {
			result = await (runInNewContext(`(async () => (${code}))()`, scope) as Promise<unknown>);
		}
	}
	return result;
};

/** The items of the list that a test has called. */
const called = new Set<readonly string[]>();

/** Opens a Lucia on SQLite, beside a store. */
const openCaller = async ({ version, scope: scopeOf }: Column) => {
	const { db, driver, store } = await openStore(SQLITE);
	await migrate(db, version);
	await db.sql("ALTER TABLE auth_user ADD COLUMN email VARCHAR(255)");
	const scope: Scope = {
		...{ env: "DEV", host: "localhost", baseUrl: "http://localhost", hash: "" },
		sessionCookie: { attributes: { secure: false } },
		getUserAttributes: ({ email }: Scope) => ({ email }),
		...(await scopeOf(driver)),
	};
	/** Runs what stands in place of the one call to Lucia 1 that contains `lucia1`. */
	const call = async (lucia1: string, values: Scope = {}): Promise<unknown> => {
		const [item, ...others] = CALLS.filter(([first = ""]) => first.includes(lucia1));
		if (!item || others.length > 0) throw new Error(`the page has not one item for ${lucia1}`);
		called.add(item);
		const code = item[version - 1] ?? "";
		const text = code.trim() === "the same" ? String(item[0]) : code;
		return runCode(db, text, { ...scope, ...values });
	};
	// The page makes the sessions of your own by itself.
	const name = version === 3 ? "lucia" : "auth";
	if (scope["adapter"]) scope[name] = await call("lucia({");

	const signUp = async () => {
		const id = crypto.randomUUID();
		const email = `${id}@example.com`;
		const created = toUser(await call("createUser(", { userId: id, email }));
		return created ?? { userId: id, email };
	};
	const signIn = async (userId: string) => {
		const session = (await call("createSession(", { userId })) as Record<string, string>;
		return { session, sessionId: String(session["sessionId"] ?? session["id"]) };
	};
	const userOf = async (sessionId: string) =>
		toUser(await orNull(call("getSessionUser(", { sessionId })));
	const exported = { [name]: scope[name] };
	return { db, store, call, exported, signUp, signIn, userOf };
};

/** The user that any Lucia returned. */
const toUser = (user: unknown) => {
	const { id, userId = id, email } = Object(user) as Record<"id" | "userId" | "email", string>;
	return userId ? { userId, email } : null;
};

/** What a call gives that finds nothing, throws, or is false. */
const orNull = (result: Promise<unknown>): Promise<unknown> =>
	result.then((value) => ([value].flat().length > 0 && value) || null).catch(() => null);

describe("docs/lucia-2-and-3.md", () => {
	test("has no code block that does not run below", () => {
		const expected: (readonly [string, readonly string[]])[] = [
			...CASES.map(({ name, table }) => [name, table ? ["ts"] : ["sql", "ts"]] as const),
			...["Lucia 2", "Lucia 3"].map((name) => [name, ["ts"]] as const),
			["Sessions of your own", ["sql", "ts"]],
			...CASES.filter(({ table }) => !table).map((one) => [fromOf(one), ["sql"]] as const),
		];
		const found = [...sections].map(([name, text]) => [
			name,
			[...text.matchAll(/^```(.+)$/gm)].map(([, language]) => language),
		]);
		expect(found.filter(([, blocks]) => blocks?.length)).toEqual(expected);
	});

	test("lists every call to Lucia in the README, the guides, and the examples", () => {
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
	"the calls to %s",
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
			const [user, stranger] = [await signUp(), await signUp()];
			const { userId, email } = user;
			const rows = await db.sql("SELECT id, email FROM auth_user WHERE id = ?", [userId]);
			expect(rows).toEqual([{ id: userId, email }]);
			expect(await db.sql("SELECT id FROM auth_key")).toEqual([]);
			expect(toUser([await call("getUser(", { userId })].flat()[0])).toEqual(user);
			expect(await orNull(call("getUser(", { userId: "nobody" }))).toBe(null);

			const sessions = [await signIn(userId), await signIn(userId), await signIn(userId)];
			const [first = "", ...others] = sessions.map(({ sessionId }) => sessionId);
			const { sessionId: strangers } = await signIn(stranger.userId);
			expect(await userOf(first)).toEqual(user);
			expect(await userOf("x".repeat(40))).toBe(null);
			await call("invalidateSession(", { sessionId: first });
			expect(await userOf(first)).toBe(null);
			for (const id of others) expect(await userOf(id)).toEqual(user);
			await call("invalidateAllUserSessions(", { userId });
			for (const id of others) expect(await userOf(id)).toBe(null);
			expect(await userOf(strangers)).toEqual(stranger);
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
			const userOf = async (cookie: string) => {
				const { result } = await exchange(cookie, async (scope) => {
					const sessionId = await call("storedSessionId", scope);
					return call("validateUser(", { ...scope, sessionId });
				});
				return toUser(result);
			};

			const user = await signUp();
			const { session, sessionId } = await signIn(user.userId);
			const { set: cookie } = await exchange("", (scope) =>
				call("setSession(session)", { ...scope, session }),
			);
			const stored = await exchange(cookie, (scope) => call("storedSessionId", scope));
			expect(stored.result).toBe(sessionId);
			expect(await userOf(cookie)).toEqual(user);
			expect(await userOf("")).toBe(null);
			expect(await userOf(cookie.replace(/=.*/, `=${"x".repeat(40)}`))).toBe(null);
			const cleared = await exchange(cookie, (scope) => call("setSession(null)", scope));
			expect(cleared.set).toBe(cookie.replace(/=.*/, "="));
			await call("invalidateSession(", { sessionId });
			expect(await userOf(cookie)).toBe(null);
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
		const user = await signUp();
		const modules = {
			"@lucia-auth/tokens": tokens,
			"./store.js": { store },
			"./lucia.js": exported,
		};
		const cookies: string[] = [];
		const response = { appendHeader: (_: string, cookie: string) => cookies.push(cookie) };
		const givens = { user: { ...user, id: user.userId }, response };
		await runBlock(blockOf(name, "ts"), modules, givens);
		const [, sessionId = ""] = /=(\w+)/.exec(cookies.join()) ?? [];
		expect(await userOf(sessionId)).toEqual(user);
		expect(await db.sql("SELECT * FROM user_token")).toEqual([]);
	},
);

for (const one of CASES) {
	describe.skipIf(!one.isThere)(one.name, () => {
		describe("coming from Lucia 1", () => {
			const open = async () => {
				const { db, store, move } = await openStore(one);
				await db.sql("INSERT INTO auth_user (id) VALUES ('u')");
				const former: Source = db.defaultSource ?? db.nativeSource;
				return { db, store, former, move: () => move(blockOf(fromOf(one), "sql")) };
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
				await db.sql(`INSERT INTO auth_key VALUES ('github:1', 'u', FALSE, NULL, NULL),
					('link:guarded', 'u', FALSE, 'hash', ${LATER})`);
				await move();

				expect((await link(store).validate(`${linked}`)).userId).toBe("u");
				await code(store, "a").validate(`${good}`, "u");
				await expect(code(store, "a").issue("u")).rejects.toEqual(tokenError("ISSUED_RECENTLY"));
				await guess(store, "wrong");
				await guess(store, `${tried}`);
				await expect(link(store).validate("guarded")).rejects.toEqual(tokenError("INVALID_TOKEN"));
				expect(await db.sql("SELECT id FROM auth_key")).toEqual([{ id: "github:1" }]);
			});

			// Turso and D1 have the table and the statements of SQLite.
			if (one.table) return;

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

		if (one.table) return;

		test("a store on the page's table passes the exported cases", async () => {
			const { db, store } = await openStore(one);
			const ownTables = { user: "auth_user", key: "user_token" };
			await passCases(toOwnHarness({ ...db, ownTables }, store));
			// A user's tokens go with the user.
			await db.sql("DELETE FROM auth_user");
			expect(await db.sql("SELECT * FROM user_token")).toEqual([]);
		});
	});
}

test.skipIf(!isInstalled("lucia-2"))("a token that is left behind is a login key", async () => {
	const { db, driver } = await openStore(SQLITE);
	await db.sql("INSERT INTO auth_user (id) VALUES ('u')");
	const token = await link(db.nativeSource).issue("u");
	await migrate(db, 2);
	const { lucia, adapter } = await scopeOf2(driver);
	const auth = lucia({ adapter, env: "DEV" });
	expect((await auth.useKey("link", `${token}`, null)).userId).toBe("u");
});
