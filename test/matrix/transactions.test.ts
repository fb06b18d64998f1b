import { describe, expect, inject, onTestFinished, test } from "vitest";
import { idToken, type KeyStore, passwordToken } from "../../src/index.js";
import { betterSqlite3 } from "../../src/stores/better-sqlite3.js";
import { mysql2 } from "../../src/stores/mysql2.js";
import { pg } from "../../src/stores/pg.js";
import {
	libsql as Libsql,
	openMysql,
	openPostgres,
	openSqliteDb,
	type SqliteDb,
} from "../support/databases.js";
import { openMariadb, openPglite, openPostgresJs } from "../support/drivers.js";
import { tokenError } from "../support/errors.js";
import { importHeavy, isInstalled } from "./heavy.js";

/** A connection of the app's, and a store on it. */
interface Connection {
	readonly store: KeyStore;
	/** Runs a statement on it. */
	readonly run: (sql: string) => Promise<unknown>;
	/** The name of user `u`, as another statement reads it. */
	readonly userName: () => Promise<string | null>;
}

const [postgres, mysql] = [inject("postgres"), inject("mysql")];

const nameOf = (rows: unknown[]): string | null =>
	(rows[0] as { username: string | null }).username;
const READ = "SELECT username FROM auth_user WHERE id = 'u'";

const onSqlite = async (raw: SqliteDb): Promise<Connection> => {
	const db = await openSqliteDb(raw);
	onTestFinished(() => db.close());
	return {
		store: betterSqlite3(raw),
		run: async (sql) => raw.exec(sql),
		userName: async () => nameOf(await db.sql(READ)),
	};
};

const CONNECTIONS: readonly (readonly [string, boolean, () => Promise<Connection>])[] = [
	["libsql", true, () => onSqlite(new Libsql(":memory:"))],
	[
		"better-sqlite3",
		isInstalled("better-sqlite3"),
		async () => {
			const { default: Sqlite } = await importHeavy<{
				readonly default: new (file: string) => SqliteDb;
			}>("better-sqlite3");
			return onSqlite(new Sqlite(":memory:"));
		},
	],
	[
		"a client of pg",
		postgres !== "",
		async () => {
			const db = await openPostgres(postgres);
			const client = await db.pool.connect();
			onTestFinished(async () => {
				client.release();
				await db.close();
			});
			return {
				store: pg(client),
				run: (sql) => client.query(sql),
				userName: async () => nameOf(await db.sql(READ)),
			};
		},
	],
	[
		"a reserved connection of postgres.js",
		postgres !== "" && isInstalled("postgres"),
		async () => {
			const db = await openPostgresJs(postgres);
			const sql = await db.raw.reserve();
			onTestFinished(async () => {
				sql.release();
				await db.close();
			});
			return {
				store: pg(sql),
				run: async (text) => sql.unsafe(text, [], { prepare: false }),
				userName: async () => nameOf(await db.sql(READ)),
			};
		},
	],
	[
		"PGlite",
		isInstalled("@electric-sql/pglite"),
		async () => {
			const db = await openPglite();
			onTestFinished(() => db.close());
			return {
				store: db.nativeSource,
				run: (sql) => db.raw.exec(sql),
				userName: async () => nameOf(await db.sql(READ)),
			};
		},
	],
	[
		"a connection of mariadb",
		mysql !== "" && isInstalled("mariadb"),
		async () => {
			const db = await openMariadb(mysql);
			const connection = await db.raw.getConnection();
			onTestFinished(async () => {
				await connection.release();
				await db.close();
			});
			return {
				store: mysql2(connection),
				run: (sql) => connection.query(sql),
				userName: async () => nameOf(await db.sql(READ)),
			};
		},
	],
	[
		"a connection of mysql2",
		mysql !== "",
		async () => {
			const db = await openMysql(mysql);
			const connection = await db.pool.getConnection();
			onTestFinished(async () => {
				connection.release();
				await db.close();
			});
			return {
				store: mysql2(connection),
				run: (sql) => connection.query(sql),
				userName: async () => nameOf(await db.sql(READ)),
			};
		},
	],
];

const INVALID_TOKEN = tokenError("INVALID_TOKEN");

describe.each(CONNECTIONS)("in a transaction of the app's, %s", (_name, isThere, connect) => {
	const open = async (): Promise<Connection> => {
		const connection = await connect();
		await connection.run("INSERT INTO auth_user (id) VALUES ('u')");
		return connection;
	};

	test.skipIf(!isThere)("a handler with limits refuses to answer", async () => {
		const { store, run } = await open();
		const codes = passwordToken(store, "code", { expiresIn: 60 });
		const spaced = idToken(store, "link", { expiresIn: 60, minInterval: 60 });
		const right = `${await codes.issue("u")}`;
		for (const end of ["ROLLBACK", "COMMIT"]) {
			await run("BEGIN");
			for (let count = 0; count < 6; count++) {
				for (const value of ["wrong", right]) {
					await expect(codes.validate(value, "u")).rejects.toThrow(/^maxAttempts .*transaction/);
					await expect(codes.getToken(value, "u")).rejects.toThrow(/^maxAttempts .*transaction/);
				}
			}
			await expect(spaced.issue("u")).rejects.toThrow(/^minInterval .*transaction/);
			await run(end);
		}
		await spaced.issue("u");
		await expect(spaced.issue("u")).rejects.toEqual(tokenError("ISSUED_RECENTLY"));
		for (let count = 0; count < 4; count++) {
			await expect(codes.validate("wrong", "u")).rejects.toEqual(INVALID_TOKEN);
		}
		expect((await codes.validate(right, "u")).userId).toBe("u");
	});

	test.skipIf(!isThere)("a link's use and the app's own writes take effect together", async () => {
		const { store, run, userName } = await open();
		const links = idToken(store, "link", { expiresIn: 60 });
		const token = `${await links.issue("u")}`;
		for (const [end, name] of [
			["ROLLBACK", null],
			["COMMIT", "new"],
		] as const) {
			await run("BEGIN");
			expect((await links.validate(token)).userId).toBe("u");
			await expect(links.validate(token)).rejects.toEqual(INVALID_TOKEN);
			await run("UPDATE auth_user SET username = 'new' WHERE id = 'u'");
			await run(end);
			expect(await userName()).toBe(name);
			// Rolled back, the token is good again.
			expect(await links.getAllUserTokens("u")).toHaveLength(end === "ROLLBACK" ? 1 : 0);
		}
		await expect(links.validate(token)).rejects.toEqual(INVALID_TOKEN);
	});

	test.skipIf(!isThere)("a token that is issued is stored with the app's own writes", async () => {
		const { store, run } = await open();
		const links = idToken(store, "link", { expiresIn: 60 });
		await run("BEGIN");
		const token = await links.issue("u");
		await run("ROLLBACK");
		await expect(links.validate(token)).rejects.toEqual(INVALID_TOKEN);
		await run("BEGIN");
		const next = await links.issue("u");
		await run("COMMIT");
		expect((await links.validate(next)).userId).toBe("u");
	});
});
