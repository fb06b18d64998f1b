import { describe, expect, test } from "vitest";
import { type KeyStore, LuciaTokenError } from "../src/index.js";
import type { Guess } from "../src/key-store.js";
import { takeOneByOne } from "../src/limits/attempts.js";
import { keyStoreCases, type KeyStoreHarness } from "../src/testing.js";
import { openLibsql } from "./support/database.js";
import { casesOf, toHarness, toOwnHarness } from "./support/harness.js";
import { OWN_TABLES } from "./support/schema.js";

type Change = (store: KeyStore) => Partial<KeyStore>;

const openNative = async (change: Change = () => ({})): Promise<KeyStoreHarness> => {
	const db = await openLibsql();
	return toHarness(db, { ...db.nativeSource, ...change(db.nativeSource) });
};

/** A table of tokens alone, which has no column for what tells a login key. */
const openTokensAlone = async (): Promise<KeyStoreHarness> => {
	const db = await openLibsql();
	return toOwnHarness(db, db.createStore(OWN_TABLES));
};

/** The names of the cases that a store fails, on a new database for each. */
const failuresOf = async (
	open: () => Promise<KeyStoreHarness>,
	cases = keyStoreCases,
): Promise<string[]> => {
	const names: string[] = [];
	for (const { name, run } of cases) await run(await open()).catch(() => names.push(name));
	return names;
};

const OPTIONAL: readonly (keyof KeyStore)[] = [
	"takeAttempts",
	"consumeAndDelete",
	"consumeAndRevoke",
	"deleteExpired",
	"deleteOldest",
	"isInTransaction",
];
const withoutOptional: Change = () => Object.fromEntries(OPTIONAL.map((name) => [name, undefined]));

// A store in memory passes them in test/stores/memory.test.ts, those on databases in test/matrix.
test.each<[string, typeof keyStoreCases, () => Promise<KeyStoreHarness>]>([
	["a native store", keyStoreCases, openNative],
	["a store without the optional operations", keyStoreCases, () => openNative(withoutOptional)],
	["a store on a table of tokens alone", keyStoreCases, openTokensAlone],
	[
		"the default store",
		casesOf("default"),
		async () => {
			const db = await openLibsql();
			return toHarness(db, db.defaultSource);
		},
	],
])("the exported cases pass %s", async (_, cases, open) => {
	expect(await failuresOf(open, cases)).toEqual([]);
});

test("without login keys, only the cases on them need the flag", async () => {
	const names = keyStoreCases
		.map(({ name }) => name)
		.filter((name) => name.endsWith("a key that is persistent, is primary, or has a password"));
	expect(names).toHaveLength(3);
	const unmarked = async () => ({ ...(await openTokensAlone()), hasLoginKeys: true });
	expect(await failuresOf(unmarked)).toEqual(names);
});

/** A store that takes attempts of another guess. */
const guessing =
	(change: (guess: Guess) => Partial<Guess>): Change =>
	(store) => ({
		takeAttempts: (guess) => takeOneByOne(store, { ...guess, ...change(guess) }),
	});

type Consume = NonNullable<KeyStore["consumeAndDelete"]>;

/** A store that consumes the code, and then does something else with the attempt. */
const consuming =
	(then: (store: KeyStore, ...args: Parameters<Consume>) => Promise<void>): Change =>
	(store) => ({
		consumeAndDelete: async (key, otherId) => {
			const consumed = await store.consume(key.id, key.userId);
			await then(store, key, otherId);
			return consumed;
		},
	});

/** A store whose insert fails in another way. */
const failing =
	(fail: (error: LuciaTokenError, id: string) => void): Change =>
	(store) => ({
		insert: (key) => store.insert(key).catch((error: LuciaTokenError) => fail(error, key.id)),
	});

describe("the exported cases fail a store that", () => {
	test.each<[string, Change]>([
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

		["keeps the other key", consuming(async () => {})],
		["deletes any other key", consuming((store, _, otherId) => store.delete(otherId))],
		[
			"consumes a code that was replaced",
			consuming((store, { userId }, otherId) => store.delete(otherId, userId)),
		],

		["takes attempts of no code", () => ({ takeAttempts: async () => [] })],
		["takes an attempt of every code", guessing(() => ({ id: "wrong" }))],
		[
			"takes one attempt too many",
			guessing(({ maxAttempts }) => ({ maxAttempts: maxAttempts + 1 })),
		],
		["takes attempts of expired codes", guessing(({ now }) => ({ now: now - 1 }))],
		["takes no attempts of codes that expire now", guessing(({ now }) => ({ now: now + 1 }))],
		["ignores the case of a prefix", guessing(({ prefix }) => ({ prefix: prefix.toLowerCase() }))],
		["ignores the case of an id", guessing(({ id }) => ({ id: id.toLowerCase() }))],
		["pads prefixes", guessing(({ prefix }) => ({ prefix: prefix.trimEnd() }))],
		["takes attempts of all prefixes", guessing(() => ({ prefix: "a" }))],

		["ignores a duplicate", failing(() => {})],
		[
			"throws the database's error for a duplicate",
			failing(() => {
				throw new Error("duplicate");
			}),
		],
		[
			"includes the id in an error's cause",
			failing(({ message }, id) => {
				throw new LuciaTokenError(message, { cause: new Error(`Key (id)=(${id})`) });
			}),
		],
	])("%s", async (_, change) => {
		expect(await failuresOf(() => openNative(change))).not.toEqual([]);
	});
});
