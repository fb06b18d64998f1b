import { expect, onTestFinished, test } from "vitest";
import { idToken } from "../../src/index.js";
import { betterSqlite3 } from "../../src/stores/better-sqlite3.js";
import { libsql as libsqlStore } from "../../src/stores/libsql.js";
import { libsql, openLibsql, openSqliteDb } from "../support/databases.js";
import { openLibsqlClient } from "../support/drivers.js";
import { temporaryFolder } from "../support/server.js";
import { matrix } from "./matrix.js";

matrix("libsql", openLibsql);

const LATER = 4_000_000_000_000;

const openFile = async () => {
	const { path, remove } = temporaryFolder("libsql");
	const other = new libsql(`${path}/db`);
	other.pragma("journal_mode = WAL");
	const database = await openSqliteDb(other);
	await database.sql("INSERT INTO auth_user (id) VALUES ('u')");
	const own = new libsql(`${path}/db`);
	own.pragma("busy_timeout = 50");
	onTestFinished(() => {
		for (const db of [own, other]) db.close();
		remove();
	});
	return { other, own, ids: async () => (await database.keys()).map(({ id }) => id) };
};

// libsql does not reset a statement that fails with SQLITE_BUSY. The connection then commits nothing, though
// it answers as if it did.
test("what betterSqlite3() answers after SQLITE_BUSY is committed", async () => {
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
	await store.insert({ id: "n:a", userId: "u", expires: LATER });
	const stuck = own.prepare("INSERT INTO auth_user (id) VALUES ('v')");
	other.exec("BEGIN IMMEDIATE");
	expect(() => stuck.run()).toThrow("database is locked");
	other.exec("COMMIT");
	await expect(store.consume("n:a")).rejects.toThrow();
	expect(await ids()).toEqual(["n:a"]);
	// Run again, it ends.
	stuck.run();
	expect(await store.consume("n:a")).toMatchObject({ id: "n:a" });
	expect(await ids()).toEqual([]);
});

test("a failed statement leaves no transaction open, and the app's own goes on", async () => {
	const { own, ids } = await openFile();
	const store = betterSqlite3(own);
	const key = { id: "n:a", userId: "u", expires: LATER };
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

test("what libsql() answers after SQLITE_BUSY is committed, or an error", async () => {
	const db = await openLibsqlClient();
	onTestFinished(() => db.close());
	await db.sql("INSERT INTO auth_user (id) VALUES ('u')");
	const links = idToken(libsqlStore(db.raw), "n", { expiresIn: 60 });
	const token = await links.issue("u");
	const other = await db.raw.transaction("write");
	await expect(links.issue("u")).rejects.toThrow();
	await other.rollback();
	const used = await links.validate(token).then(
		() => 1,
		() => 0,
	);
	const again = await links.validate(token).then(
		() => 1,
		() => 0,
	);
	expect(used + again).toBeLessThanOrEqual(1);
	expect((await db.keys()).length).toBe(1 - used - again);
});
