import { expect, test } from "vitest";
import { idToken, passwordToken } from "../../src/index.js";
import { betterSqlite3 } from "../../src/stores/better-sqlite3.js";
import { libsql as Libsql, openLibsql } from "../support/database.js";
import { tokenError } from "../support/errors.js";
import { OWN_TABLES } from "../support/schema.js";
import { callAll, expectNumericExpiry, key, SOURCES, withUser } from "./matrix.js";

const SCHEMA = `
	CREATE TABLE auth_user (id TEXT PRIMARY KEY COLLATE NOCASE);
	CREATE TABLE auth_key (
		id TEXT UNIQUE COLLATE NOCASE, user_id TEXT COLLATE NOCASE,
		primary_key INTEGER, hashed_password TEXT, expires BIGINT
	);
	INSERT INTO auth_user VALUES ('u');
`;

test("comparisons are exact on a column whose collation ignores case", async () => {
	const db = new Libsql(":memory:");
	db.exec(SCHEMA);
	const store = betterSqlite3(db);
	await store.insert(key);
	await expect(store.insert({ ...key, id: "n:A" })).rejects.toEqual(tokenError("DUPLICATE_TOKEN"));
	await expect(store.insert({ ...key, id: "n:b", userId: "U" })).rejects.toEqual(
		tokenError("INVALID_USER_ID"),
	);
	expect(await store.get("n:A")).toBeNull();
	expect(await store.consume("n:A")).toBeNull();
	expect(await store.consume("n:a", "U")).toBeNull();
	await store.delete("N:a");
	await store.deleteAllByUser("U", "n:");
	await store.deleteAllByUser("u", "N:");
	await expect(store.getAllByUser("U", "n:")).rejects.toEqual(tokenError("INVALID_USER_ID"));
	expect(await store.consume("n:a")).toEqual(key);
	db.close();
});

test("a store works before its tables exist and after they change", async () => {
	const db = new Libsql(":memory:");
	const store = betterSqlite3(db);
	db.exec(SCHEMA);
	await store.insert(key);
	db.exec("ALTER TABLE auth_key ADD COLUMN note TEXT");
	await expect(store.insert(key)).rejects.toEqual(tokenError("DUPLICATE_TOKEN"));
	expect(await store.consume(key.id)).toEqual(key);
	db.exec("DROP TABLE auth_key; DROP TABLE auth_user");
	db.exec(SCHEMA);
	await store.insert(key);
	expect(await store.consume(key.id)).toEqual(key);
	db.close();
});

test("an expiry can be a BigInt", async () => {
	const db = await withUser(openLibsql());
	db.raw.defaultSafeIntegers(true);
	await expectNumericExpiry(db);
});

test.each(SOURCES)("an expiry that is a string is an error: %s", async (source) => {
	const db = await withUser(openLibsql());
	await db.sql(`INSERT INTO auth_key (id, user_id, primary_key, expires) VALUES
		('link:secret', 'u', FALSE, '2999-01-01T00:00:00Z'),
		('code:u.secret', 'u', FALSE, '2999-01-01T00:00:00Z')`);
	const links = idToken(db[source], "link", { expiresIn: 60 });
	const codes = passwordToken(db[source], "code", { expiresIn: 60 });
	await expect(links.getAllUserTokens("u")).rejects.toThrow(/^The column expires must/);
	for (const operation of ["getToken", "validate"] as const) {
		await expect(links[operation]("secret")).rejects.toThrow(/^The column expires must/);
		await expect(codes[operation]("secret", "u")).rejects.toThrow(/^The column expires must/);
	}
});

test("a duplicate keeps its cause, and is known by the table's name without its schema", async () => {
	const db = await withUser(openLibsql());
	const tables = { user: "main.auth_user", key: `main.${OWN_TABLES.key}` };
	db.raw.pragma("foreign_keys = OFF");
	for (const store of [db.nativeSource, db.createStore(tables)]) {
		await store.insert(key);
		const error: unknown = await store.insert(key).catch((reason: unknown) => reason);
		expect(error).toEqual(tokenError("DUPLICATE_TOKEN"));
		expect(error).toHaveProperty("cause.message");
	}
	await db.sql("DROP TABLE auth_key");
	await expect(db.nativeSource.insert(key)).rejects.toThrow("no such table");
});

test("each statement uses an index", async () => {
	const { raw } = await withUser(openLibsql());
	const plans: string[] = [];
	const explain = (sql: string, values: unknown[]): unknown[] => {
		const plan = raw.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(values) as { detail: string }[];
		plans.push(plan.map(({ detail }) => detail).join("\n"));
		return [];
	};
	const store = betterSqlite3({
		prepare: (sql) => ({
			all: (...values) => explain(sql, values),
			run: (...values) => explain(sql, values),
		}),
	});
	await callAll(store);
	expect(plans).toHaveLength(11);
	for (const plan of plans) {
		expect(plan).toMatch(/SEARCH auth_\w+ USING .*INDEX/);
		expect(plan).not.toMatch(/SCAN auth_/);
	}
});
