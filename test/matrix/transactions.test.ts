import { describe, expect, inject, test } from "vitest";
import { idToken, passwordToken } from "../../src/index.js";
import { betterSqlite3 } from "../../src/stores/better-sqlite3.js";
import { mysql2 } from "../../src/stores/mysql2.js";
import { pg } from "../../src/stores/pg.js";
import {
	libsql as Libsql,
	openBetterSqlite3,
	openMysql,
	openPostgres,
	openSqliteDb,
	type SqliteDb,
} from "../support/database.js";
import {
	type DriverDb,
	openLibsqlClient,
	openMariadb,
	openPglite,
	openPostgresJs,
	transactOn,
} from "../support/drivers.js";
import { tokenError } from "../support/errors.js";
import { isInstalled } from "./heavy.js";
import { withUser } from "./matrix.js";

type Opened = Pick<DriverDb, "nativeSource" | "sql" | "transact" | "close">;

const [postgres, mysql] = [inject("postgres"), inject("mysql")];
const isPostgresJs = postgres !== "" && isInstalled("postgres");

const openSqlite = async (raw: SqliteDb): Promise<Opened> => {
	const connection = { query: async (text: string) => raw.exec(text) };
	return {
		...(await openSqliteDb(raw)),
		transact: transactOn(
			async () => connection,
			() => betterSqlite3(raw),
		),
	};
};

const CONNECTIONS: readonly (readonly [string, isThere: boolean, open: () => Promise<Opened>])[] = [
	["libsql", true, () => openSqlite(new Libsql(":memory:"))],
	[
		"better-sqlite3",
		isInstalled("better-sqlite3"),
		async () => openSqlite(await openBetterSqlite3(":memory:")),
	],
	["a transaction of @libsql/client", isInstalled("@libsql/client"), () => openLibsqlClient()],
	[
		"a client of pg",
		postgres !== "",
		async () => {
			const db = await openPostgres(postgres);
			return { ...db, transact: transactOn(() => db.pool.connect(), pg) };
		},
	],
	["a transaction of postgres.js", isPostgresJs, () => openPostgresJs(postgres)],
	[
		"a reserved connection of postgres.js",
		isPostgresJs,
		async () => {
			const db = await openPostgresJs(postgres);
			const connect = async () => {
				const reserved = await db.raw.reserve();
				return {
					reserved,
					query: async (text: string) => reserved.unsafe(text, [], { prepare: false }),
					release: () => reserved.release(),
				};
			};
			return { ...db, transact: transactOn(connect, ({ reserved }) => pg(reserved)) };
		},
	],
	["a transaction of PGlite", isInstalled("@electric-sql/pglite"), () => openPglite()],
	[
		"a connection of mysql2",
		mysql !== "",
		async () => {
			const db = await openMysql(mysql);
			return { ...db, transact: transactOn(() => db.pool.getConnection(), mysql2) };
		},
	],
	["a connection of mariadb", mysql !== "" && isInstalled("mariadb"), () => openMariadb(mysql)],
];

const INVALID_TOKEN = tokenError("INVALID_TOKEN");

describe.each(CONNECTIONS)("in a transaction of the app's, %s", (_name, isThere, connect) => {
	test.skipIf(!isThere)("a handler with limits throws, and counts nothing", async () => {
		const { nativeSource, transact } = await withUser(connect());
		const codes = passwordToken(nativeSource, "code", { expiresIn: 60 });
		const right = `${await codes.issue("u")}`;
		for (const end of ["ROLLBACK", "COMMIT"] as const) {
			expect(await nativeSource.isInTransaction?.()).toBe(false);
			await transact(end, async (store) => {
				expect(await store.isInTransaction?.()).toBe(true);
				const inside = passwordToken(store, "code");
				for (const value of [...Array<string>(6).fill("wrong"), right]) {
					await expect(inside.validate(value, "u")).rejects.toThrow(/^maxAttempts .*transaction/);
					await expect(inside.getToken(value, "u")).rejects.toThrow(/^maxAttempts .*transaction/);
				}
				const spaced = idToken(store, "link", { expiresIn: 60, minInterval: 60 });
				await expect(spaced.issue("u")).rejects.toThrow(/^minInterval .*transaction/);
			});
		}
		await idToken(nativeSource, "link", { expiresIn: 60, minInterval: 60 }).issue("u");
		for (let count = 0; count < 4; count++) {
			await expect(codes.validate("wrong", "u")).rejects.toEqual(INVALID_TOKEN);
		}
		expect((await codes.validate(right, "u")).userId).toBe("u");
	});

	test.skipIf(!isThere)("links and the app's own writes take effect together", async () => {
		const { nativeSource, transact, sql } = await withUser(connect());
		const links = idToken(nativeSource, "link", { expiresIn: 60 });
		const token = `${await links.issue("u")}`;
		for (const [end, username] of [
			["ROLLBACK", null],
			["COMMIT", "new"],
		] as const) {
			let issued = "";
			await transact(end, async (store, run) => {
				const inside = idToken(store, "link", { expiresIn: 60 });
				expect((await inside.validate(token)).userId).toBe("u");
				await expect(inside.validate(token)).rejects.toEqual(INVALID_TOKEN);
				issued = `${await inside.issue("u")}`;
				await run("UPDATE auth_user SET username = 'new' WHERE id = 'u'");
			});
			expect(await sql("SELECT username FROM auth_user")).toMatchObject([{ username }]);
			// Rolled back, the used token is good again, and the new one is gone.
			const left = end === "ROLLBACK" ? token : issued;
			expect((await links.getAllUserTokens("u")).map(String)).toEqual([left]);
		}
	});
});
