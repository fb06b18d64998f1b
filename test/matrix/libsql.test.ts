import { expect, onTestFinished, test } from "vitest";
import { idToken } from "../../src/index.js";
import { betterSqlite3 } from "../../src/stores/better-sqlite3.js";
import { libsql as libsqlStore } from "../../src/stores/libsql.js";
import { libsql as Libsql, openLibsql, openSqliteDb } from "../support/database.js";
import { openLibsqlClient } from "../support/drivers.js";
import { temporaryFolder } from "../support/server.js";
import { isInstalled } from "./heavy.js";
import { key, matrix, withUser } from "./matrix.js";

matrix("libsql", openLibsql);

/** A file with two connections: the app's own, and one of another process. */
const openFile = async () => {
	const { path, remove } = temporaryFolder("libsql");
	onTestFinished(remove);
	const other = new Libsql(`${path}/db`);
	other.pragma("journal_mode = WAL");
	const database = await withUser(openSqliteDb(other));
	const own = new Libsql(`${path}/db`);
	own.pragma("busy_timeout = 50");
	onTestFinished(() => void own.close());
	return { other, own, ids: async () => (await database.keys()).map(({ id }) => id) };
};

// libsql does not reset a statement that fails with SQLITE_BUSY. The connection then commits nothing, though
// it seems to.
test("betterSqlite3() commits what it does after SQLITE_BUSY", async () => {
	const { other, own, ids } = await openFile();
	const store = betterSqlite3(own);
	const links = idToken(store, "n", { expiresIn: 60 });
	const token = await links.issue("u");
	other.exec("BEGIN IMMEDIATE");
	await expect(links.issue("u")).rejects.toThrow("database is locked");
	await expect(links.validate(token)).rejects.toThrow("database is locked");
	other.exec("COMMIT");
	await links.validate(token);
	expect(await ids()).toEqual([]);
	await links.issue("u");
	await expect(links.validate(token)).rejects.toThrow("INVALID_TOKEN");
	expect(await ids()).toHaveLength(1);
});

test("betterSqlite3() uses no token while a statement of the app's own keeps libsql from committing", async () => {
	const { other, own, ids } = await openFile();
	const store = betterSqlite3(own);
	await store.insert(key);
	const stuck = own.prepare("INSERT INTO auth_user (id) VALUES ('v')");
	other.exec("BEGIN IMMEDIATE");
	expect(() => stuck.run()).toThrow("database is locked");
	other.exec("COMMIT");
	await expect(store.consume("n:a")).rejects.toThrow();
	expect(await ids()).toEqual(["n:a"]);
	// Run again, it ends.
	stuck.run();
	expect(await store.consume("n:a")).toEqual(key);
	expect(await ids()).toEqual([]);
});

test("a failed statement leaves no transaction open, and the app's own goes on", async () => {
	const { own, ids } = await openFile();
	const store = betterSqlite3(own);
	await store.insert(key);
	await expect(store.insert(key)).rejects.toThrow("DUPLICATE_TOKEN");
	expect(store.isInTransaction?.()).toBe(false);
	own.exec(
		"CREATE TRIGGER refused BEFORE INSERT ON auth_key BEGIN SELECT RAISE(ROLLBACK, 'no'); END",
	);
	await expect(store.insert({ ...key, id: "n:b" })).rejects.toThrow("no");
	expect(store.isInTransaction?.()).toBe(false);
	own.exec("DROP TRIGGER refused");
	own.exec("BEGIN");
	expect(await store.consume("n:a")).toEqual(key);
	await expect(store.insert({ ...key, userId: "nobody" })).rejects.toThrow("INVALID_USER_ID");
	expect(store.isInTransaction?.()).toBe(true);
	own.exec("ROLLBACK");
	expect(await ids()).toEqual(["n:a"]);
});

test.skipIf(!isInstalled("@libsql/client"))(
	"libsql() commits what it does after SQLITE_BUSY, or throws",
	async () => {
		const db = await withUser(openLibsqlClient());
		const links = idToken(libsqlStore(db.raw), "n", { expiresIn: 60 });
		const token = await links.issue("u");
		const other = await db.raw.transaction("write");
		await expect(links.issue("u")).rejects.toThrow();
		await other.rollback();
		const uses = [
			await links.validate(token).catch(() => 0),
			await links.validate(token).catch(() => 0),
		];
		const used = uses.filter((use) => use !== 0).length;
		expect(used).toBeLessThanOrEqual(1);
		expect(await db.keys()).toHaveLength(1 - used);
	},
);
