import { describe, expect, test } from "vitest";
import { type KeyStore, LuciaTokenError } from "../src/index.js";
import { betterSqlite3 } from "../src/stores/better-sqlite3.js";
import { toKeyStore } from "../src/stores/lucia.js";
import type { Guess } from "../src/key-store.js";
import { takeOneByOne } from "../src/limits/attempts.js";
import { keyStoreCases, type KeyStoreHarness } from "../src/testing.js";
import { casesOf } from "./support/database.js";
import { openSqlite, type Sqlite } from "./support/sqlite.js";

type Change = (store: KeyStore) => Partial<KeyStore>;

const open = (toStore: (db: Sqlite) => KeyStore): KeyStoreHarness => {
	const db = openSqlite();
	return {
		store: toStore(db),
		createUser: async (id) => {
			await db.createUser(id);
		},
		insertRow: async (row) => db.insertKey(row),
		getRows: async (userId) => db.keys().filter((row) => row.user_id === userId),
	};
};

const native = ({ db }: Sqlite): KeyStore => betterSqlite3(db);

// The names of the cases that a store fails.
const failuresOf = async (
	opened: () => KeyStoreHarness,
	cases = keyStoreCases,
): Promise<string[]> => {
	const names: string[] = [];
	for (const { name, run } of cases) await run(opened()).catch(() => names.push(name));
	return names;
};

const failures = (change: Change): Promise<string[]> =>
	failuresOf(() => open((db) => ({ ...native(db), ...change(native(db)) })));

/** A table of tokens alone, which has no column for what tells a login key. */
const openTokensAlone = (change: Change = () => ({})): KeyStoreHarness => {
	let sql: Sqlite["db"] | undefined;
	const harness = open(({ db }) => {
		sql = db;
		db.exec(`CREATE TABLE user_token (
			id TEXT NOT NULL PRIMARY KEY,
			user_id TEXT NOT NULL REFERENCES auth_user (id),
			expires BIGINT NOT NULL
		)`);
		const store = betterSqlite3(db, { tables: { user: "auth_user", key: "user_token" } });
		return { ...store, ...change(store) };
	});
	return {
		...harness,
		hasLoginKeys: false,
		insertRow: async ({ id, user_id, primary_key, hashed_password, expires }) => {
			if (primary_key || hashed_password !== null) throw new Error("the table has no such column");
			sql?.prepare("INSERT INTO user_token VALUES (?, ?, ?)").run(id, user_id, expires);
		},
		getRows: async (userId) => {
			const rows = sql?.prepare("SELECT * FROM user_token WHERE user_id = ?").all(userId);
			const rest = { primary_key: false, hashed_password: null };
			return (rows as { id: string; user_id: string; expires: number }[]).map((row) => ({
				...row,
				...rest,
			}));
		},
	};
};

describe("the exported cases pass", () => {
	test.each(keyStoreCases)("native store: $name", ({ run }) => run(open(native)));

	test.each(keyStoreCases)("store without the optional operations: $name", ({ run }) =>
		run(
			open((sqlite) => {
				const store = native(sqlite);
				delete store.takeAttempts;
				delete store.consumeAndDelete;
				delete store.deleteExpired;
				delete store.deleteOldest;
				delete store.consumeAndRevoke;
				delete store.isInTransaction;
				return store;
			}),
		),
	);

	test.each(keyStoreCases)("store on a table of tokens alone: $name", ({ run }) =>
		run(openTokensAlone()),
	);

	test.each(casesOf("default"))("default store: $name", ({ run }) =>
		run(open(({ auth }) => toKeyStore(auth))),
	);
});

const ON_LOGIN_KEYS = keyStoreCases.filter(({ name }) =>
	name.endsWith("a key that is persistent, is primary, or has a password"),
);

describe("without login keys, the cases on them", () => {
	test("are the only ones that need the flag", async () => {
		expect(ON_LOGIN_KEYS).toHaveLength(3);
		const unmarked = () => ({ ...openTokensAlone(), hasLoginKeys: true });
		expect(await failuresOf(unmarked)).toEqual(ON_LOGIN_KEYS.map(({ name }) => name));
	});

	test.each<[string, Change]>([
		[
			"a list for a user without keys",
			(store) => ({
				getAllByUser: async (...args) => {
					const keys = await store.getAllByUser(...args);
					if (keys.length === 0) throw new LuciaTokenError("INVALID_USER_ID");
					return keys;
				},
			}),
		],
		["the attempts of a wrong code", () => ({ takeAttempts: async () => [] })],
		["the use of a right code", () => ({ consumeAndDelete: async () => null })],
	])("still test %s", async (_what, change) => {
		expect(await failuresOf(() => openTokensAlone(change), ON_LOGIN_KEYS)).toHaveLength(1);
	});
});

const GUESSES: readonly (readonly [string, (guess: Guess) => Partial<Guess>])[] = [
	["takes an attempt of every code", () => ({ id: "wrong" })],
	["takes one attempt too many", ({ maxAttempts }) => ({ maxAttempts: maxAttempts + 1 })],
	["takes attempts of expired codes", ({ now }) => ({ now: now - 1 })],
	["takes attempts of codes that expire now", ({ now }) => ({ now: now + 1 })],
	["ignores the case of a prefix", ({ prefix }) => ({ prefix: prefix.toLowerCase() })],
	["ignores the case of an id", ({ id }) => ({ id: id.toLowerCase() })],
	["pads prefixes", ({ prefix }) => ({ prefix: prefix.trimEnd() })],
	["takes attempts of all prefixes", () => ({ prefix: "a" })],
];

describe("the exported cases fail a store that", () => {
	const defects: readonly (readonly [string, Change])[] = [
		[
			"reads, then deletes",
			(store) => ({
				consume: async (id, userId) => {
					const key = await store.get(id, userId);
					await store.delete(id, userId);
					return key;
				},
			}),
		],
		[
			"consumes a key and revokes nothing",
			(store) => ({ consumeAndRevoke: (id, user) => store.consume(id, user) }),
		],
		[
			"revokes with an expired key",
			(store) => ({
				consumeAndRevoke: async (id, user, prefixes) =>
					store.consumeAndRevoke?.(id, user, prefixes, 0) ?? null,
			}),
		],
		[
			"consumes, and then revokes",
			(store) => ({
				consumeAndRevoke: async (id, user, prefixes) => {
					const key = await store.consume(id, user);
					if (key) for (const prefix of prefixes) await store.deleteAllByUser(key.userId, prefix);
					return key;
				},
			}),
		],
		["keeps the other key", (store) => ({ consumeAndDelete: ({ id }) => store.consume(id) })],
		[
			"deletes any other key",
			(store) => ({
				consumeAndDelete: async ({ id, userId }, otherId) => {
					const key = await store.consume(id, userId);
					await store.delete(otherId);
					return key;
				},
			}),
		],
		[
			"consumes a code that was replaced",
			(store) => ({
				consumeAndDelete: async ({ id, userId }, otherId) => {
					const key = await store.consume(id, userId);
					await store.delete(otherId, userId);
					return key;
				},
			}),
		],
		["takes attempts of no code", () => ({ takeAttempts: async () => [] })],
		...GUESSES.map(([name, change]): readonly [string, Change] => [
			name,
			(store) => ({
				takeAttempts: (guess) => takeOneByOne(store, { ...guess, ...change(guess) }),
			}),
		]),
		["consumes without deleting", (store) => ({ consume: (id, user) => store.get(id, user) })],
		["ignores the user", (store) => ({ consume: (id) => store.consume(id) })],
		["ignores case", (store) => ({ get: (id) => store.get(id.toLowerCase()) })],
		["pads with spaces", (store) => ({ delete: (id, user) => store.delete(id.trimEnd(), user) })],
		["never lists", () => ({ getAllByUser: async () => [] })],
		[
			"ignores the prefix",
			(store) => ({ deleteAllByUser: (user) => store.deleteAllByUser(user, "") }),
		],
		[
			"deletes keys that expire now",
			(store) => ({
				deleteExpiredByUser: (user, prefix, now) =>
					store.deleteExpiredByUser(user, prefix, now + 1),
			}),
		],
		["never sweeps", () => ({ deleteExpired: async () => ({ deleted: 3 }) })],
		[
			"does not tell how many rows it deleted",
			(store) => ({
				deleteExpired: async (...args) => {
					await store.deleteExpired?.(...args);
					return { deleted: 0 };
				},
			}),
		],
		["keeps a user's oldest keys", () => ({ deleteOldest: async () => {} })],
		[
			"takes a key beyond the latest expiry for the newest",
			(store) => ({
				deleteOldest: async (user, prefix, max) =>
					store.deleteOldest?.(user, prefix, max, Infinity),
			}),
		],
		["ignores a duplicate", (store) => ({ insert: (key) => store.insert(key).catch(() => {}) })],
		[
			"throws the database's error for a duplicate",
			(store) => ({
				insert: (key) =>
					store.insert(key).catch(() => {
						throw new Error("duplicate");
					}),
			}),
		],
		[
			"includes the ID in an error's cause",
			(store) => ({
				insert: (key) =>
					store.insert(key).catch((error: LuciaTokenError) => {
						throw new LuciaTokenError(error.message, { cause: new Error(`Key (id)=(${key.id})`) });
					}),
			}),
		],
	];

	test.each(defects)("%s", async (_name, change) => {
		expect(await failures(change)).not.toEqual([]);
	});
});
