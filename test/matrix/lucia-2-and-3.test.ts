import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import * as tokens from "../../src/index.js";
import * as sqliteStore from "../../src/stores/better-sqlite3.js";
import * as d1Store from "../../src/stores/d1.js";
import * as libsqlStore from "../../src/stores/libsql.js";
import * as mysqlStore from "../../src/stores/mysql2.js";
import * as pgStore from "../../src/stores/pg.js";
import { openD1 } from "../support/d1.js";
import type { Database } from "../support/database.js";
import {
	libsql as Libsql,
	openLibsql,
	openMysql,
	openPostgres,
	openSqliteDb,
} from "../support/databases.js";
import { tokenError } from "../support/errors.js";
import { blocksOf, readPage, runBlock } from "../support/page.js";
import { importHeavy, isInstalled } from "./heavy.js";

// Runs every block of docs/lucia-2-and-3.md, beside Lucia 2 and Lucia 3 from the registry.

const { idToken, passwordToken } = tokens;

const page = readPage("docs/lucia-2-and-3.md");

const sections = new Map(
	page.split(/^#+ /m).map((text) => [text.slice(0, text.indexOf("\n")), text] as const),
);

/** The one block in a language of a section. */
const blockOf = (section: string, language: string): string => {
	const blocks = blocksOf(sections.get(section) ?? "", language);
	if (blocks.length !== 1) throw new Error(`${section} has ${blocks.length} blocks of ${language}`);
	return blocks[0] ?? "";
};

const run = async (db: Database, statements: string): Promise<void> => {
	for (const statement of statements.split(/;\s*/).filter(Boolean)) await db.sql(statement);
};

interface Auth2 {
	createUser(user: { key: null; attributes: object }): Promise<{ userId: string }>;
	deleteUser(userId: string): Promise<void>;
	readSessionCookie(header: string): string | null;
	validateSession(id: string): Promise<{ user: { userId: string } }>;
	useKey(provider: string, id: string, password: null): Promise<{ userId: string }>;
}

interface Auth3 {
	readSessionCookie(header: string): string | null;
	validateSession(id: string): Promise<{ user: { id: string } | null }>;
}

type Driver = object | undefined;

interface Lucia2 {
	lucia(config: { adapter: unknown; env: "DEV" }): Auth2;
	mysqlAdapter(pool: Driver, tables: object): unknown;
	pgAdapter(pool: Driver, tables: object): unknown;
	sqliteAdapter(db: Driver, tables: object): unknown;
	libsqlAdapter(client: Driver, tables: object): unknown;
	d1Adapter(db: Driver, tables: object): unknown;
}

type Adapter3 = new (driver: Driver, tables: object) => object;

interface Lucia3 {
	Lucia: new (adapter: object) => Auth3;
	Mysql2Adapter: Adapter3;
	NodePostgresAdapter: Adapter3;
	BetterSqlite3Adapter: Adapter3;
	LibSQLAdapter: Adapter3;
	D1Adapter: Adapter3;
}

/** A database with the tables of Lucia 1. */
interface Opened {
	readonly db: Database;
	/** What the page's `db.js` exports: the driver that Lucia's adapter takes. */
	readonly driver: { readonly pool?: object; readonly db?: object };
}

interface Case {
	/** The heading in the page. */
	readonly name: string;
	/** The heading of its table, where that is another. */
	readonly table?: string;
	readonly isThere: boolean;
	readonly open: () => Promise<Opened>;
	readonly adapter2: keyof Lucia2 & `${string}Adapter`;
	readonly adapter3: keyof Lucia3 & `${string}Adapter`;
	/** The types of ids and of moments in Lucia 3's table of sessions. */
	readonly types3: readonly [id: string, moment: string];
}

const postgres = inject("postgres");
const mysql = inject("mysql");

const CASES: readonly Case[] = [
	{
		name: "PostgreSQL",
		isThere: postgres !== "",
		open: async () => {
			const db = await openPostgres(postgres);
			return { db, driver: { pool: db.pool } };
		},
		adapter2: "pgAdapter",
		adapter3: "NodePostgresAdapter",
		types3: ["TEXT", "TIMESTAMPTZ"],
	},
	{
		name: "MySQL and MariaDB",
		isThere: mysql !== "",
		open: async () => {
			const db = await openMysql(mysql);
			return { db, driver: { pool: db.pool } };
		},
		adapter2: "mysqlAdapter",
		adapter3: "Mysql2Adapter",
		types3: ["VARCHAR(255)", "DATETIME"],
	},
	{
		name: "SQLite",
		isThere: true,
		open: async () => {
			const db = await openLibsql();
			return { db, driver: { db: db.raw } };
		},
		adapter2: "sqliteAdapter",
		adapter3: "BetterSqlite3Adapter",
		types3: ["TEXT", "INTEGER"],
	},
	{
		name: "Turso",
		table: "SQLite",
		isThere: isInstalled("@libsql/client"),
		open: async () => {
			const folder = await mkdtemp(join(tmpdir(), "lucia-tokens-"));
			const file = join(folder, "app.db");
			const { createClient } = await importHeavy<{
				createClient: (config: object) => { close(): void };
			}>("@libsql/client");
			const db = await openSqliteDb(new Libsql(file));
			const client = createClient({ url: `file:${file}` });
			const close = async (): Promise<void> => {
				client.close();
				await db.close();
				await rm(folder, { recursive: true });
			};
			return { db: { ...db, close }, driver: { db: client } };
		},
		adapter2: "libsqlAdapter",
		adapter3: "LibSQLAdapter",
		types3: ["TEXT", "INTEGER"],
	},
	{
		name: "Cloudflare D1",
		table: "SQLite",
		isThere: isInstalled("miniflare"),
		open: async () => {
			const db = await openD1();
			return { db, driver: { db: db.raw } };
		},
		adapter2: "d1Adapter",
		adapter3: "D1Adapter",
		types3: ["TEXT", "INTEGER"],
	},
];

/** Makes the table of tokens as the page says, and what its `store.ts` exports. */
const openStore = async (
	{ name, table = name }: Case,
	{ db, driver }: Opened,
): Promise<tokens.KeyStore> => {
	await run(db, blockOf(table, "sql"));
	const modules = {
		"@lucia-auth/tokens/pg": pgStore,
		"@lucia-auth/tokens/mysql2": mysqlStore,
		"@lucia-auth/tokens/better-sqlite3": sqliteStore,
		"@lucia-auth/tokens/libsql": libsqlStore,
		"@lucia-auth/tokens/d1": d1Store,
		"./db.js": driver,
	};
	const { store } = await runBlock(blockOf(name, "ts"), modules, {});
	return store as tokens.KeyStore;
};

const toDriver = ({ driver }: Opened): Driver => driver.pool ?? driver.db;

// What Lucia's own guide to Lucia 2 tells to do.
const MIGRATE_TO_2 = `DELETE FROM auth_key WHERE expires != null;
	ALTER TABLE auth_key DROP COLUMN primary_key;
	ALTER TABLE auth_key DROP COLUMN expires`;

const openLucia2 = async ({ adapter2 }: Case, opened: Opened): Promise<Auth2> => {
	await run(opened.db, MIGRATE_TO_2);
	const lucia2 = await importHeavy<Lucia2>("lucia-2");
	const tables = { user: "auth_user", session: "auth_session", key: "auth_key" };
	return lucia2.lucia({ adapter: lucia2[adapter2](toDriver(opened), tables), env: "DEV" });
};

const openLucia3 = async ({ adapter3, types3 }: Case, opened: Opened): Promise<Auth3> => {
	const [id, moment] = types3;
	await opened.db.sql("DROP TABLE auth_key");
	await opened.db.sql(`CREATE TABLE user_session (
		id ${id} NOT NULL PRIMARY KEY,
		user_id ${id} NOT NULL,
		expires_at ${moment} NOT NULL,
		FOREIGN KEY (user_id) REFERENCES auth_user (id)
	)`);
	const { Lucia, [adapter3]: Adapter } = await importHeavy<Lucia3>("lucia-3");
	return new Lucia(new Adapter(toDriver(opened), { user: "auth_user", session: "user_session" }));
};

/** A Lucia of either generation, as the tests of both need it. */
interface Generation {
	/** What the page's `lucia.js` exports. */
	readonly exported: object;
	createUser(): Promise<string>;
	deleteUser(id: string): Promise<void>;
	/** @returns the id of the user that the session in a cookie is of */
	whose(cookie: string): Promise<string | undefined>;
}

const GENERATIONS: Readonly<Record<string, (one: Case, opened: Opened) => Promise<Generation>>> = {
	"Lucia 2": async (one, opened) => {
		const auth = await openLucia2(one, opened);
		return {
			exported: { auth },
			createUser: async () => (await auth.createUser({ key: null, attributes: {} })).userId,
			deleteUser: (id) => auth.deleteUser(id),
			whose: async (cookie) =>
				(await auth.validateSession(auth.readSessionCookie(cookie) ?? "")).user.userId,
		};
	},
	// Users are the app's own affair in Lucia 3.
	"Lucia 3": async (one, opened) => {
		const lucia = await openLucia3(one, opened);
		return {
			exported: { lucia },
			createUser: async () => {
				const id = crypto.randomUUID();
				await opened.db.sql("INSERT INTO auth_user (id) VALUES (?)", [id]);
				return id;
			},
			deleteUser: async (id) => {
				await opened.db.sql("DELETE FROM auth_user WHERE id = ?", [id]);
			},
			whose: async (cookie) =>
				(await lucia.validateSession(lucia.readSessionCookie(cookie) ?? "")).user?.id,
		};
	},
};

const LIVE = { expiresIn: 60 };

describe("docs/lucia-2-and-3.md", () => {
	test("has no code block that does not run below", () => {
		const languages = (text: string) =>
			[...text.matchAll(/^```(.+)$/gm)].map(([, language]) => language);
		const expected: [string, string[]][] = [
			...CASES.map(({ name, table }): [string, string[]] => [name, table ? ["ts"] : ["sql", "ts"]]),
			...Object.keys(GENERATIONS).map((name): [string, string[]] => [name, ["ts"]]),
			["Coming from Lucia 1", ["sql"]],
		];
		const found = [...sections].map(([name, text]) => [name, languages(text)] as const);
		expect(found.filter(([, blocks]) => blocks.length > 0)).toEqual(expected);
	});

	test.each(Object.keys(GENERATIONS))("numbers four lines for %s on each database", (name) => {
		for (const one of CASES) {
			const code = blockOf(one.name, "ts") + blockOf(name, "ts");
			const lines = [...code.matchAll(/\/\/ line (\d)$/gm)].map(([, line]) => line);
			expect(lines).toEqual(["1", "2", "3", "4"]);
		}
	});
});

for (const one of CASES) {
	describe.skipIf(!one.isThere || !isInstalled("lucia-2"))(one.name, () => {
		describe.each(Object.entries(GENERATIONS))("%s", (name, generate) => {
			let opened: Opened;
			let lucia: Generation;
			let store: tokens.KeyStore;
			beforeAll(async () => {
				opened = await one.open();
				store = await openStore(one, opened);
				lucia = await generate(one, opened);
			});
			afterAll(() => opened?.db.close());

			const rows = () => opened.db.sql("SELECT * FROM user_token");

			const follow = async (code: string, userId: string): Promise<string> => {
				const modules = {
					"@lucia-auth/tokens": tokens,
					"./store.js": { store },
					"./lucia.js": lucia.exported,
				};
				const response = { headers: new Headers() };
				const user = { id: userId, userId, email: "user@example.com" };
				await runBlock(code, modules, { user, response });
				return response.headers.get("Set-Cookie") ?? "";
			};

			test("the page's code signs a user in by a link", async () => {
				const userId = await lucia.createUser();
				const cookie = await follow(blockOf(name, "ts"), userId);
				expect(await lucia.whose(cookie)).toBe(userId);
				expect(await rows()).toEqual([]);
			});

			test("the page's code rejects another link", async () => {
				const code = blockOf(name, "ts");
				const broken = code.replace("validate(value)", "validate(`${value}x`)");
				expect(broken).not.toBe(code);
				const userId = await lucia.createUser();
				await expect(follow(broken, userId)).rejects.toEqual(tokenError("INVALID_TOKEN"));
			});

			test("a link and a code are valid once each", async () => {
				const userId = await lucia.createUser();
				const link = idToken(store, "link", LIVE);
				const code = passwordToken(store, "code", LIVE);
				const [linked, coded] = [await link.issue(userId), await code.issue(userId)];
				for (const validate of [
					() => link.validate(`${linked}`),
					() => code.validate(`${coded}`, userId),
				]) {
					const results = await Promise.allSettled(Array.from({ length: 10 }, validate));
					expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
				}
			});

			test("an unknown user gets no token, and a deleted user has none", async () => {
				const link = idToken(store, "link", LIVE);
				await expect(link.issue("nobody")).rejects.toEqual(tokenError("INVALID_USER_ID"));
				const userId = await lucia.createUser();
				const token = await link.issue(userId);
				await lucia.deleteUser(userId);
				await expect(link.validate(token)).rejects.toEqual(tokenError("INVALID_TOKEN"));
				expect(await rows()).not.toContainEqual(expect.objectContaining({ user_id: userId }));
			});
		});

		describe("coming from Lucia 1", () => {
			const link = (source: Parameters<typeof idToken>[0]) => idToken(source, "link", LIVE);
			let opened: Opened;
			const open = async () => {
				opened = await one.open();
				await opened.db.sql("INSERT INTO auth_user (id) VALUES (?)", ["u"]);
				const former = opened.db.defaultSource;
				const token = await link(former).issue("u");
				return { former, token };
			};

			test("outstanding tokens move, and logins stay", async () => {
				const { former, token } = await open();
				try {
					const code = await passwordToken(former, "code", LIVE).issue("u");
					await former.createKey("u", {
						type: "persistent",
						providerId: "github",
						providerUserId: "1",
						password: null,
					});
					await former.createKey("u", {
						type: "single_use",
						providerId: "link",
						providerUserId: "with-a-password",
						password: "password",
						expiresIn: 60,
					});
					const store = await openStore(one, opened);
					await run(opened.db, blockOf("Coming from Lucia 1", "sql"));
					const auth = await openLucia2(one, opened);

					expect((await link(store).validate(`${token}`)).userId).toBe("u");
					await passwordToken(store, "code", LIVE).validate(`${code}`, "u");
					const other = link(store).validate("with-a-password");
					await expect(other).rejects.toEqual(tokenError("INVALID_TOKEN"));
					expect((await auth.useKey("github", "1", null)).userId).toBe("u");
					expect(await opened.db.sql("SELECT id FROM auth_key")).toEqual([{ id: "github:1" }]);
				} finally {
					await opened.db.close();
				}
			});

			test("a token that is left behind is a login key", async () => {
				const { token } = await open();
				try {
					const auth = await openLucia2(one, opened);
					expect((await auth.useKey("link", `${token}`, null)).userId).toBe("u");
				} finally {
					await opened.db.close();
				}
			});
		});
	});
}
