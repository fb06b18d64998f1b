import type { Adapter, KeySchema } from "lucia-auth";
import { describe, expect, test, vi } from "vitest";
import { idToken, type LuciaAuth, passwordToken } from "../../src/index.js";
import { toKeyStore } from "../../src/stores/lucia.js";
import { memory } from "../../src/stores/memory.js";
import { openLibsql } from "../support/database.js";
import { outcomeOf, tokenError } from "../support/errors.js";
import { DatabaseError, failing, intercept } from "../support/faults.js";
import { casesOf, toHarness } from "../support/harness.js";
import { NOW, openSqlite, openStopped } from "../support/sqlite.js";
import { NOT_STRINGS } from "../support/values.js";

// What every store does is in src/testing, and what holds for every order of calls in test/interleavings.

const INVALID = tokenError("INVALID_TOKEN");
const UNKNOWN_USER = tokenError("INVALID_USER_ID");
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const open = async (wrap?: (adapter: Adapter) => Adapter) => {
	const sqlite = await openStopped(wrap);
	const links = idToken(sqlite.auth, "name", { expiresIn: 60 });
	const codes = passwordToken(sqlite.auth, "code", { expiresIn: 60 });
	const limited = idToken(sqlite.auth, "limited", { expiresIn: 60, minInterval: 60 });
	return { sqlite, links, codes, limited };
};

const errorOf = (call: Promise<unknown>) => call.catch((error: unknown) => error);

test("a token is used by its spent row, stored after the read and before the delete", async () => {
	const { sqlite, links } = await open();
	const token = await links.issue("user");
	const [key] = sqlite.keys();
	sqlite.calls.length = 0;
	await links.validate(token);
	expect(sqlite.calls).toEqual(["getKey", "setKey", "deleteNonPrimaryKey"]);
	expect(sqlite.keys()).toEqual([{ ...key, id: `:name:${token} ${NOW + MINUTE}` }]);
});

describe("a user who is deleted meanwhile", () => {
	const deleteUser = async (adapter: Adapter) => {
		await adapter.deleteKeysByUserId("user");
		await adapter.deleteUser("user");
	};

	test("has no valid token", async () => {
		const { sqlite, links } = await open((adapter) => ({
			...adapter,
			getKey: async (...args) => {
				const key = await adapter.getKey(...args);
				await deleteUser(adapter);
				return key;
			},
		}));
		await expect(links.validate(await links.issue("user"))).rejects.toEqual(INVALID);
		expect(sqlite.keys()).toEqual([]);
	});

	test("is unknown, with the adapter's error as the cause", async () => {
		const { links } = await open((adapter) => ({
			...adapter,
			setKey: async (key) => deleteUser(adapter).then(() => adapter.setKey(key)),
		}));
		const error = await errorOf(links.issue("user"));
		expect(error).toEqual(UNKNOWN_USER);
		expect(error).toHaveProperty("cause.message", "AUTH_INVALID_USER_ID");
	});
});

describe("an error that an adapter does not translate", () => {
	const raw = (code: string) => Object.assign(new Error("(id)=(name:s3cret)"), { code });

	test.each(["P2002", "23505", "ER_DUP_ENTRY", "SQLITE_CONSTRAINT_UNIQUE"])(
		"is a duplicate with the code %s, and no cause",
		async (code) => {
			const { links } = await open(failing(raw(code), "setKey"));
			const error = await errorOf(links.issue("user"));
			expect(error).toEqual(tokenError("DUPLICATE_TOKEN"));
			expect(error).not.toHaveProperty("cause");
		},
	);

	test.each([raw("40P01"), "a string"])("reaches the caller unchanged: %o", async (error) => {
		const { links, codes } = await open(failing(error, "setKey", "getKey", "getKeysByUserId"));
		await expect(links.issue("user")).rejects.toBe(error);
		await expect(links.validate("token")).rejects.toBe(error);
		await expect(links.getAllUserTokens("user")).rejects.toBe(error);
		await expect(codes.validate("12345678", "user")).rejects.toBe(error);
	});

	test.each([
		"22P02",
		"22003",
		"P2023",
		"ER_CANT_AGGREGATE_2COLLATIONS",
		"ER_TRUNCATED_WRONG_VALUE",
		"ER_TRUNCATED_WRONG_VALUE_FOR_FIELD",
		"ER_WARN_DATA_OUT_OF_RANGE",
	])("is an unknown user or token with the code %s", async (code) => {
		const { links, codes } = await open(failing(raw(code), "getUser", "getKeysByUserId", "getKey"));
		await expect(links.issue("nobody")).rejects.toEqual(UNKNOWN_USER);
		await expect(links.getAllUserTokens("nobody")).rejects.toEqual(UNKNOWN_USER);
		await expect(codes.validate("12345678", "nobody")).rejects.toEqual(INVALID);
		await expect(links.validate("token")).rejects.toEqual(INVALID);
		await links.invalidateAllUserTokens("nobody");
	});

	test("is the cause of DUPLICATE_TOKEN if the adapter does translate it", async () => {
		const { sqlite } = await open();
		const links = idToken(sqlite.auth, "name", { expiresIn: 60, generate: () => "same" });
		await links.issue("user");
		const error = await errorOf(links.issue("user"));
		expect(error).toHaveProperty("cause.message", "AUTH_DUPLICATE_KEY_ID");
	});
});

test("the store tells the adapter to keep the key it reads", async () => {
	const getKey = vi.fn<Adapter["getKey"]>(async () => null);
	const { links } = await open((adapter) => ({ ...adapter, getKey }));
	await expect(links.getToken("token")).rejects.toEqual(INVALID);
	const [, shouldDataBeDeleted] = getKey.mock.lastCall ?? [];
	expect(await shouldDataBeDeleted?.({} as KeySchema)).toBe(false);
});

test("deleteExpiredUserTokens deletes internal rows of any name an hour after they expire", async () => {
	const { sqlite, links } = await open();
	for (const [id, expires] of [
		[":name:gone 1", NOW - HOUR - 1],
		[":name2:gone 1", NOW - HOUR - 1],
		[":name2:kept 1", NOW - HOUR],
		["name2:kept", 0],
	] as const) {
		sqlite.insertKey({ id, user_id: "user", expires });
	}
	await links.deleteExpiredUserTokens("user");
	expect(sqlite.keys().map(({ id }) => id)).toEqual([":name2:kept 1", "name2:kept"]);
});

test.each([
	["at most 8 at a time, in batches", Infinity, "ok", 0],
	["none after one has failed", 20, "connection lost", 81],
])("many tokens of one user are deleted: %s", async (_, failsFrom, outcome, left) => {
	let [deletes, underWay, most] = [0, 0, 0];
	const { sqlite, links } = await open((adapter) =>
		intercept(adapter, async (name, run) => {
			if (name !== "deleteNonPrimaryKey") return run();
			most = Math.max(most, ++underWay);
			await new Promise(setImmediate);
			underWay--;
			if (++deletes >= failsFrom) throw new DatabaseError("connection lost");
			return run();
		}),
	);
	for (let index = 0; index < 100; index++) {
		sqlite.insertKey({ id: `name:${index}`, user_id: "user", expires: NOW });
	}
	expect(await outcomeOf(links.invalidateAllUserTokens("user"))).toBe(outcome);
	expect(sqlite.keys()).toHaveLength(left);
	for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
	expect(sqlite.keys()).toHaveLength(left);
	expect(most).toBe(8);
});

describe("another spelling", () => {
	test.each(casesOf("default"))("of a user's id is another one: $name", async ({ run }) => {
		const db = await openLibsql({ userId: "TEXT COLLATE NOCASE" });
		await run(toHarness(db, db.defaultSource));
		await db.close();
	});

	test("of a token is another token, and the one that is found stays stored", async () => {
		const { sqlite, links } = await open((adapter) => ({
			...adapter,
			getKey: (id, ...rest) => adapter.getKey(id.toLowerCase(), ...rest),
			deleteNonPrimaryKey: (id) => adapter.deleteNonPrimaryKey(id.toLowerCase()),
		}));
		sqlite.insertKey({ id: "name:abc", user_id: "user", expires: NOW });
		await expect(links.validate("ABC")).rejects.toEqual(INVALID);
		await expect(links.getToken("ABC")).rejects.toEqual(INVALID);
		await links.invalidate("ABC");
		await expect(links.validate("abc")).resolves.toHaveProperty("userId", "user");
	});
});

describe("a column that an adapter returns", () => {
	const openWith = async (columns: object) => {
		const opened = await open((adapter) => ({
			...adapter,
			getKey: async (...args) => {
				const key = await adapter.getKey(...args);
				return key && { ...key, ...columns };
			},
			getKeysByUserId: async (id) =>
				(await adapter.getKeysByUserId(id)).map((key) => ({ ...key, ...columns })),
		}));
		opened.sqlite.insertKey({ id: "name:token", user_id: "user", expires: NOW });
		return opened;
	};

	test.each([
		["userId", "42", { user_id: 42 }],
		["userId", "9007199254740991", { user_id: Number.MAX_SAFE_INTEGER }],
		["userId", "9223372036854775807", { user_id: 9_223_372_036_854_775_807n }],
		["expiresAt", new Date(NOW), { expires: `${NOW}` }],
		["expiresAt", new Date(NOW), { expires: BigInt(NOW) }],
	])("may have another type: %s is %o for %o", async (property, value, columns) => {
		const { links } = await openWith(columns);
		expect(await links.getToken("token")).toHaveProperty(property, value);
	});

	const ROUNDED =
		"The driver returned a user id as a number that may be rounded: let it return text or BigInt";
	const EXPIRES = "The column expires must hold epoch milliseconds: make it a BIGINT";
	test.each<[object, string]>([
		[{ user_id: undefined }, "The driver must return a column as user_id"],
		[{ user_id: 2 ** 53 }, ROUNDED],
		[{ user_id: 1.5 }, ROUNDED],
		...[new Date(NOW), new Date(NOW).toISOString(), Infinity, "", undefined].map(
			(expires): [object, string] => [{ expires }, EXPIRES],
		),
	])("is a TypeError, never a token, with %o", async (columns, message) => {
		const { sqlite, links } = await openWith(columns);
		const error = new TypeError(message);
		await expect(links.validate("token")).rejects.toEqual(error);
		await expect(links.getToken("token")).rejects.toEqual(error);
		await expect(links.getAllUserTokens("user")).rejects.toEqual(error);
		expect(sqlite.keys()).toHaveLength(1);
	});
});

// adapter-mysql 1.1.1 ends the process where a list fails, as it does for letters that the column's
// character set lacks.
test.each(["jürgen", "😀"])(
	"a user id beyond ASCII reaches a list only after getUser: %j",
	async (id) => {
		const { sqlite, links, codes, limited } = await open();
		const callsOf = async (list: () => Promise<unknown>) => {
			sqlite.calls.length = 0;
			await list().catch(() => {});
			return sqlite.calls;
		};
		const lists = [
			() => links.getAllUserTokens(id),
			() => links.invalidateAllUserTokens(id),
			() => links.deleteExpiredUserTokens(id),
			() => codes.validate("12345678", id),
			() => limited.issue(id),
		];
		for (const list of lists) expect(await callsOf(list)).not.toContain("getKeysByUserId");
		await sqlite.createUser(id);
		for (const list of lists) {
			expect((await callsOf(list)).slice(0, 2)).toEqual(["getUser", "getKeysByUserId"]);
		}
	},
);

describe("the first argument of a handler", () => {
	const make = (source: unknown) => () => idToken(source as LuciaAuth, "name", { expiresIn: 60 });
	const methods = (...names: string[]) => Object.fromEntries(names.map((name) => [name, vi.fn()]));
	const CORE = ["getUser", "setUser", "getKey", "getKeysByUserId", "setKey"];
	const adapter = methods(...CORE, "deleteNonPrimaryKey");

	const noSource = [["a string", "auth"], ...NOT_STRINGS.filter(([n]) => !n.includes("throw"))];
	test.each(noSource as [string, unknown][])("may not be %s", (_, source) => {
		expect(make(source)).toThrow(
			new TypeError("auth must be an initialized Lucia Auth or a KeyStore"),
		);
	});

	test.each([
		["Lucia 2", methods(...CORE, "deleteKey", "deleteKeysByUserId")],
		["Lucia 2 with separate adapters", { user: adapter, session: {} }],
		["Lucia 3", methods("getSessionAndUser", "setSession")],
	])("may not be an Auth of %s", (_, adapter) => {
		expect(make({ adapter })).toThrow(
			new TypeError(
				"auth must be an Auth of Lucia v1: with Lucia 2 or 3, pass a store of your database, such as pg(pool)",
			),
		);
	});

	test.each([
		["no get", ["get"]],
		["no insert, no deleteAllByUser", ["insert", "deleteAllByUser"]],
	])("may not be a store with %s", (what, lacking) => {
		const store = Object.entries(toKeyStore(openSqlite().auth));
		const source = Object.fromEntries(store.filter(([name]) => !lacking.includes(name)));
		const error = new TypeError(`auth must be a KeyStore, but it has ${what}`);
		expect(make(source)).toThrow(error);
		// Nor is it taken for an Auth, if it has an adapter, too.
		expect(make({ ...source, adapter })).toThrow(error);
	});

	test("may be any KeyStore, whose methods keep their `this`", async () => {
		const store = memory();
		const used = ["insert", "consume", "consumeAndRevoke"] as const;
		const spies = used.map((name) => vi.spyOn(store, name));
		const links = idToken(store, "name", { expiresIn: 60 });
		await links.validate(await links.issue("user"), { revoke: ["name"] });
		await links.validate(await links.issue("user"));
		expect(spies.map(({ mock }) => mock.contexts)).toEqual([[store, store], [store], [store]]);
	});
});
