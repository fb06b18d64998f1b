import { expect, test } from "vitest";
import { idToken, passwordToken } from "../../src/index.js";
import { betterSqlite3 } from "../../src/stores/better-sqlite3.js";
import { casesOf, toOwnHarness } from "../support/database.js";
import { libsql as Libsql, openLibsql, OWN_TABLES } from "../support/databases.js";
import { tokenError } from "../support/errors.js";
import { expectNumericExpiry } from "./behavior.js";

const LATER = 4_000_000_000_000;
const key = { id: "n:a", userId: "u", expires: LATER };

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
	const db = await openLibsql();
	db.raw.defaultSafeIntegers(true);
	await expectNumericExpiry(db);
	await db.close();
});

test.each(["defaultSource", "nativeSource"] as const)(
	"an expiry that is a text is an error: %s",
	async (source) => {
		const db = await openLibsql();
		await db.sql("INSERT INTO auth_user (id) VALUES (?)", ["u"]);
		for (const id of ["link:secret", "code:u.secret"]) {
			await db.sql("INSERT INTO auth_key VALUES (?, 'u', FALSE, NULL, '2999-01-01T00:00:00Z')", [
				id,
			]);
		}
		const links = idToken(db[source], "link", { expiresIn: 60 });
		const codes = passwordToken(db[source], "code", { expiresIn: 60 });
		await expect(links.getAllUserTokens("u")).rejects.toThrow(/^The column expires must/);
		for (const operation of ["getToken", "validate"] as const) {
			await expect(links[operation]("secret")).rejects.toThrow(/^The column expires must/);
			await expect(codes[operation]("secret", "u")).rejects.toThrow(/^The column expires must/);
		}
		await db.close();
	},
);

test("every case passes on custom tables, named with their schema", async () => {
	const db = await openLibsql();
	const { user, key } = OWN_TABLES;
	const store = db.createStore({ user: `main.${user}`, key: `main.${key}` });
	for (const { run } of casesOf("own tables")) await run(toOwnHarness(db, store));
	await db.close();
});

test("insert keeps the cause of a duplicate, and rethrows any other error", async () => {
	const db = await openLibsql();
	await db.sql("INSERT INTO auth_user (id) VALUES (?)", ["u"]);
	await db.nativeSource.insert(key);
	await expect(db.nativeSource.insert(key)).rejects.toHaveProperty("cause.message");
	await db.sql("DROP TABLE auth_key");
	await expect(db.nativeSource.insert(key)).rejects.toThrow("no such table");
	await db.close();
});

test("each statement uses an index", async () => {
	const db = await openLibsql();
	const plans: string[] = [];
	const explain = (sql: string, values: unknown[]): void => {
		const plan = db.raw.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(values) as { detail: string }[];
		plans.push(plan.map(({ detail }) => detail).join("\n"));
	};
	const store = betterSqlite3({
		prepare: (sql) => ({
			all: (...values) => {
				explain(sql, values);
				return [];
			},
			run: (...values) => explain(sql, values),
		}),
	});
	await store.insert(key).catch(() => {});
	await store.get(key.id);
	await store.consume(key.id, "u");
	await store.consumeAndDelete?.(key, "n:b");
	await store.takeAttempts?.({ ...key, prefix: "n:", maxAttempts: 5, now: 0 });
	await store.delete(key.id);
	await store.getAllByUser("u", "n:").catch(() => {});
	await store.deleteAllByUser("u", "n:");
	await store.deleteExpiredByUser("u", "n:", 0);
	expect(plans).toHaveLength(9);
	for (const plan of plans) {
		expect(plan).toMatch(/SEARCH auth_\w+ USING .*INDEX/);
		expect(plan).not.toMatch(/SCAN auth_/);
	}
	await db.close();
});
