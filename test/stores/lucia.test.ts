import { createHash } from "node:crypto";
import type { Adapter, KeySchema } from "lucia-auth";
import { afterEach, describe, expect, test, vi } from "vitest";
import { idToken, type KeyStore, type LuciaAuth, passwordToken } from "../../src/index.js";
import { toKeyStore } from "../../src/stores/lucia.js";
import { tokenError } from "../support/errors.js";
import { createFault, DatabaseError, intercept } from "../support/faults.js";
import { TOKEN_KINDS } from "../support/handlers.js";
import { openSqlite } from "../support/sqlite.js";
import { NOT_STRINGS } from "../support/values.js";

const INVALID = tokenError("INVALID_TOKEN");
const UNKNOWN_USER = tokenError("INVALID_USER_ID");
const HOUR = 60 * 60 * 1000;
// Tokens that are issued at this moment do not expire at a multiple of 8, so that issue() does not sweep.
const NOW = 10 * HOUR + 1;

afterEach(() => {
	vi.useRealTimers();
});

const open = async (wrap?: (adapter: Adapter) => Adapter, options = {}) => {
	vi.useFakeTimers({ now: NOW, toFake: ["Date"] });
	const sqlite = openSqlite(wrap);
	const userId = await sqlite.createUser("user");
	const handler = idToken(sqlite.auth, "name", { expiresIn: 60, ...options });
	const code = passwordToken(sqlite.auth, "code", { expiresIn: 60 });
	sqlite.calls.length = 0;
	return { sqlite, userId, handler, code };
};

const outcome = async (promise: Promise<unknown>): Promise<string> => {
	try {
		await promise;
		return "success";
	} catch (error) {
		return (error as Error).message;
	}
};

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

describe("a lookup", () => {
	test("makes one call for an unknown token", async () => {
		const { sqlite, handler } = await open();
		await expect(handler.validate("unknown")).rejects.toEqual(INVALID);
		await handler.invalidate("unknown");
		expect(sqlite.calls).toEqual(["getKey", "getKey"]);
	});
});

describe("a spent row", () => {
	test("uses a token: it is stored after the read and before the delete, and stays", async () => {
		const { sqlite, handler } = await open();
		const token = await handler.issue("user");
		const [key] = sqlite.keys();
		sqlite.calls.length = 0;
		await handler.validate(token);
		expect(sqlite.calls).toEqual(["getKey", "setKey", "deleteNonPrimaryKey"]);
		const id = `:name:${token} ${token.expiresAt.getTime()}`;
		expect(sqlite.keys()).toEqual([{ ...key, id }]);
	});

	test("of a code is stored after an attempt, which is deleted after the code", async () => {
		const { sqlite, code } = await open();
		const token = await code.issue("user");
		sqlite.calls.length = 0;
		await code.validate(token, "user");
		expect(sqlite.calls).toEqual([
			"getKeysByUserId",
			"setKey",
			"setKey",
			"deleteNonPrimaryKey",
			"deleteNonPrimaryKey",
		]);
		expect(sqlite.keys().map(({ id }) => id)).toEqual([
			`:code:user.${token} ${token.expiresAt.getTime()}`,
		]);
	});

	test("fits the column for a token of any length", async () => {
		const { sqlite, handler } = await open(undefined, { length: 250 });
		const token = await handler.issue("user");
		await handler.validate(token);
		expect(sqlite.keys().map(({ id }) => id)).toEqual([
			`:${sha256(`name:${token}`)} ${token.expiresAt.getTime()}`,
		]);
		await expect(handler.validate(token)).rejects.toEqual(INVALID);
	});

	test("cannot be stored for a user deleted in the meantime, and the token is invalid", async () => {
		const { sqlite, handler } = await open((adapter) =>
			intercept(adapter, async (name, run) => {
				const result = await run();
				if (name === "getKey") {
					await adapter.deleteKeysByUserId("user");
					await adapter.deleteUser("user");
				}
				return result;
			}),
		);
		const token = await handler.issue("user");
		await expect(handler.validate(token)).rejects.toEqual(INVALID);
		expect(sqlite.keys()).toEqual([]);
	});

	test("makes a token invalid for a call that reads an earlier state, as from a replica", async () => {
		const replica: (KeySchema | null)[] = [];
		const { handler } = await open((adapter) => ({
			...adapter,
			getKey: async (id, shouldDataBeDeleted) => {
				replica.push(await adapter.getKey(id, shouldDataBeDeleted));
				return replica[0] ?? null;
			},
		}));
		const token = await handler.issue("user");
		await handler.validate(token);
		for (let count = 0; count < 3; count++) {
			await expect(handler.validate(token)).rejects.toEqual(INVALID);
		}
		expect(replica.slice(1)).toEqual([null, null, null]);
	});

	test("hides a token that could not be deleted from the list, and revocation deletes it", async () => {
		let fails = true;
		const { sqlite, handler } = await open((adapter) =>
			intercept(adapter, async (name, run) => {
				if (fails && name === "deleteNonPrimaryKey") throw new DatabaseError("connection lost");
				return run();
			}),
		);
		const [used, other] = [await handler.issue("user"), await handler.issue("user")];
		await handler.validate(used);
		expect((await handler.getAllUserTokens("user")).map(String)).toEqual([`${other}`]);
		expect(sqlite.tokens()).toHaveLength(2);
		fails = false;
		await handler.invalidateAllUserTokens("user");
		expect(sqlite.tokens()).toEqual([]);
	});
});

describe("a database fault", () => {
	const OPERATIONS = {
		issue: 2,
		validate: 3,
		getToken: 1,
		invalidate: 2,
		getAllUserTokens: 1,
		invalidateAllUserTokens: 2,
		deleteExpiredUserTokens: 2,
	};
	type Operation = keyof typeof OPERATIONS;
	type When = "before" | "after";

	// Runs an operation with a fault, and then again without it.
	const run = async (operation: Operation, at: number, when: When, lasts = 1) => {
		const fault = createFault();
		const { sqlite, userId, handler } = await open(fault.wrap);
		const token = await handler.issue(userId);
		if (operation.includes("xpired")) vi.setSystemTime(NOW + 61_000);
		const attempt = (): Promise<unknown> => {
			switch (operation) {
				case "issue":
				case "getAllUserTokens":
				case "invalidateAllUserTokens":
				case "deleteExpiredUserTokens":
					return handler[operation](userId);
				default:
					return handler[operation](token);
			}
		};
		fault.calls.length = 0;
		Object.assign(fault, { at, when, lasts });
		const first = await outcome(attempt());
		const calls = fault.calls.length;
		fault.at = -1;
		const keys = sqlite.keys().map(({ id }) => (id.startsWith(":") ? "spent" : "token"));
		const listed = (await handler.getAllUserTokens(userId)).length;
		const retry = await outcome(attempt());
		return { calls, first, keys: keys.join("+"), listed, retry };
	};

	test.each(Object.entries(OPERATIONS))(
		"can happen in %s at %i calls",
		async (operation, calls) => {
			await expect(run(operation as Operation, -1, "before")).resolves.toHaveProperty(
				"calls",
				calls,
			);
		},
	);

	const others = Object.keys(OPERATIONS).filter((operation) => operation !== "validate");
	const cases = others.flatMap((operation) =>
		Array.from({ length: OPERATIONS[operation as Operation] }, (_, call) => call).flatMap((call) =>
			(["before", "after"] as const).map((when) => [operation, call, when] as const),
		),
	);

	describe.each([
		["one call", 1],
		["all calls from one on", Infinity],
	])("at %s", (_, lasts) => {
		test.each(cases)(
			"in %s, call %i, %s it takes effect, reaches the caller, and a retry succeeds",
			async (operation, call, when) => {
				const { first, retry } = await run(operation as Operation, call, when, lasts);
				expect(first).toBe("connection lost");
				expect(retry).toBe("success");
			},
		);

		// Everything that a fault can do to a token under validation: it is good until its spent row is stored,
		// and used from then on. These are the rows of the table in docs/stores.md.
		test.each([
			["before", "the read", 0, "connection lost", "token", 1, "success"],
			["after", "the read", 0, "connection lost", "token", 1, "success"],
			["before", "the insert of the spent row", 1, "connection lost", "token", 1, "success"],
			[
				"after",
				"the insert of the spent row",
				1,
				"connection lost",
				"spent+token",
				0,
				"INVALID_TOKEN",
			],
			["before", "the delete", 2, "success", "spent+token", 0, "INVALID_TOKEN"],
			["after", "the delete", 2, "success", "spent", 0, "INVALID_TOKEN"],
		] as const)(
			"in validate, %s %s (call %i): the call gets %s",
			async (when, _what, call, first, keys, listed, retry) => {
				const seen = await run("validate", call, when, lasts);
				expect(seen).toMatchObject({ first, keys, listed, retry });
			},
		);
	});

	test("that is not an Error reaches the caller unchanged", async () => {
		const { handler } = await open((adapter) =>
			intercept(adapter, async (name, run) => {
				// eslint-disable-next-line @typescript-eslint/only-throw-error
				if (name === "setKey") throw "a string";
				return run();
			}),
		);
		await expect(handler.issue("user")).rejects.toBe("a string");
	});

	test("reaches the caller as the same error object", async () => {
		const error = new DatabaseError("disk full");
		const { handler, code } = await open((adapter) =>
			intercept(adapter, async (name, run) => {
				if (name !== "setUser") throw error;
				return run();
			}),
		);
		await expect(handler.issue("user")).rejects.toBe(error);
		await expect(handler.validate("token")).rejects.toBe(error);
		await expect(handler.getToken("token")).rejects.toBe(error);
		await expect(handler.invalidate("token")).rejects.toBe(error);
		await expect(handler.getAllUserTokens("user")).rejects.toBe(error);
		await expect(handler.invalidateAllUserTokens("user")).rejects.toBe(error);
		await expect(handler.deleteExpiredUserTokens("user")).rejects.toBe(error);
		await expect(code.validate("12345678", "user")).rejects.toBe(error);
	});
});

describe("an error that an adapter does not translate", () => {
	const failing =
		(error: unknown, ...names: string[]) =>
		(adapter: Adapter) =>
			intercept(adapter, async (name, run) => {
				if (names.includes(name)) throw error;
				return run();
			});

	test.each(["P2002", "23505", "ER_DUP_ENTRY", "SQLITE_CONSTRAINT_UNIQUE"])(
		"is a duplicate with the code %s, and no cause",
		async (code) => {
			const detail = "Key (id)=(name:s3cret) already exists.";
			const raw = Object.assign(new Error("duplicate key"), { code, detail });
			const { handler } = await open(failing(raw, "setKey"));
			const error: unknown = await handler.issue("user").catch((e: unknown) => e);
			expect(error).toEqual(tokenError("DUPLICATE_TOKEN"));
			expect(error).not.toHaveProperty("cause");
		},
	);

	test.each([
		"22P02",
		"22003",
		"P2023",
		"ER_CANT_AGGREGATE_2COLLATIONS",
		"ER_TRUNCATED_WRONG_VALUE",
		"ER_TRUNCATED_WRONG_VALUE_FOR_FIELD",
		"ER_WARN_DATA_OUT_OF_RANGE",
	])("is an unknown user or token with the code %s", async (code) => {
		const raw = Object.assign(new Error("invalid input syntax for type uuid"), { code });
		const { handler, code: codes } = await open(
			failing(raw, "getUser", "getKeysByUserId", "getKey"),
		);
		await expect(handler.issue("nobody")).rejects.toEqual(UNKNOWN_USER);
		await expect(handler.getAllUserTokens("nobody")).rejects.toEqual(UNKNOWN_USER);
		await expect(codes.validate("12345678", "nobody")).rejects.toEqual(INVALID);
		await expect(handler.validate("token")).rejects.toEqual(INVALID);
		await expect(handler.invalidateAllUserTokens("nobody")).resolves.toBeUndefined();
		await expect(handler.deleteExpiredUserTokens("nobody")).resolves.toBeUndefined();
	});

	test("reaches the caller unchanged with any other code", async () => {
		const raw = Object.assign(new Error("deadlock"), { code: "40P01" });
		const { handler } = await open(failing(raw, "setKey"));
		await expect(handler.issue("user")).rejects.toBe(raw);
	});

	test("is the cause of INVALID_USER_ID if the user was deleted in the meantime", async () => {
		const { handler } = await open((adapter) =>
			intercept(adapter, async (name, run) => {
				if (name === "setKey") await adapter.deleteUser("user");
				return run();
			}),
		);
		const error: unknown = await handler.issue("user").catch((e: unknown) => e);
		expect(error).toEqual(UNKNOWN_USER);
		expect(error).toHaveProperty("cause.message", "AUTH_INVALID_USER_ID");
	});

	test("is the cause of DUPLICATE_TOKEN", async () => {
		const { handler } = await open(undefined, { generate: () => "same" });
		await handler.issue("user");
		const error: unknown = await handler.issue("user").catch((e: unknown) => e);
		expect(error).toHaveProperty("cause.message", "AUTH_DUPLICATE_KEY_ID");
	});
});

test("the store tells the adapter to keep the key it reads", async () => {
	const asked: boolean[] = [];
	const { handler } = await open((adapter) => ({
		...adapter,
		getKey: async (id, shouldDataBeDeleted) => {
			const key = await adapter.getKey(id, shouldDataBeDeleted);
			if (key) asked.push(await shouldDataBeDeleted(key));
			return key;
		},
	}));
	await handler.getToken(await handler.issue("user"));
	expect(asked).toEqual([false]);
});

describe("deleteExpiredUserTokens", () => {
	test("deletes expired tokens of its name, and internal rows of any name an hour after they expire", async () => {
		const { sqlite, handler } = await open();
		await sqlite.createUser("other");
		const gone = [
			{ id: "name:expired", user_id: "user", expires: NOW - 1 },
			{ id: ":name:spent 1", user_id: "user", expires: NOW - HOUR - 1 },
			{ id: ":name2:spent 1", user_id: "user", expires: NOW - HOUR - 1 },
		];
		const kept = [
			{ id: "name:valid", user_id: "user", expires: NOW },
			{ id: ":name:held 1", user_id: "user", expires: NOW - HOUR },
			{ id: "name:others", user_id: "other", expires: 0 },
			{ id: ":name:others 0", user_id: "other", expires: 0 },
			{ id: "name2:expired", user_id: "user", expires: 0 },
			{ id: "name:password", user_id: "user", expires: 0, hashed_password: "hash" },
			{ id: "name:login", user_id: "user", expires: null },
		];
		for (const key of [...gone, ...kept]) sqlite.insertKey(key);
		await handler.deleteExpiredUserTokens("user");
		expect(
			sqlite
				.keys()
				.map(({ id }) => id)
				.sort(),
		).toEqual(kept.map(({ id }) => id).sort());
	});

	test.each([
		["a user that does not exist", "nobody"],
		["the empty string", ""],
		["null", null],
	])("succeeds for %s", async (_, userId) => {
		const { handler } = await open();
		await expect(handler.deleteExpiredUserTokens(userId as string)).resolves.toBeUndefined();
	});
});

describe("many tokens of one user", () => {
	const openMany = async (wrap: (adapter: Adapter) => Adapter, count: number) => {
		const opened = await open(wrap);
		for (let index = 0; index < count; index++) {
			opened.sqlite.insertKey({
				id: `name:${index}`,
				user_id: "user",
				expires: Date.now() + 60_000,
			});
		}
		return opened;
	};

	test("are deleted with at most 8 deletes in flight", async () => {
		let underWay = 0;
		let most = 0;
		const { sqlite, handler } = await openMany(
			(adapter) =>
				intercept(adapter, async (name, run) => {
					if (name !== "deleteNonPrimaryKey") return run();
					most = Math.max(most, ++underWay);
					await new Promise(setImmediate);
					underWay--;
					return run();
				}),
			100,
		);
		await handler.invalidateAllUserTokens("user");
		expect(sqlite.keys()).toEqual([]);
		expect(most).toBe(8);
	});

	test("remain after a failed delete, and no delete continues after the error", async () => {
		let deletes = 0;
		const { sqlite, handler } = await openMany(
			(adapter) =>
				intercept(adapter, async (name, run) => {
					if (name !== "deleteNonPrimaryKey") return run();
					await new Promise(setImmediate);
					if (++deletes >= 20) throw new DatabaseError("connection lost");
					return run();
				}),
			100,
		);
		await expect(handler.invalidateAllUserTokens("user")).rejects.toThrow("connection lost");
		const left = sqlite.keys().length;
		expect(left).toBe(81);
		await new Promise((resolve) => setTimeout(resolve, 20));
		expect(sqlite.keys()).toHaveLength(left);
	});
});

describe("another spelling", () => {
	// As under the default collations of MySQL and MariaDB.
	const ignoringCase = (adapter: Adapter): Adapter => ({
		...adapter,
		getKey: (id, shouldDataBeDeleted) => adapter.getKey(id.toLowerCase(), shouldDataBeDeleted),
		deleteNonPrimaryKey: (id) => adapter.deleteNonPrimaryKey(id.toLowerCase()),
		getUser: (id) => adapter.getUser(id.toLowerCase()),
		getKeysByUserId: (id) => adapter.getKeysByUserId(id.toLowerCase()),
		setKey: (key) => adapter.setKey({ ...key, user_id: key.user_id.toLowerCase() }),
	});

	// As in columns of integers: the id is sent as text, and comes back as a number.
	const toNumber = <Row extends { user_id: string }>(row: Row): Row => ({
		...row,
		user_id: Number(row.user_id),
	});
	const trim = (id: string) => String(Number(id));
	const withIntegers = (adapter: Adapter): Adapter => ({
		...adapter,
		getUser: async (id) => {
			const user = await adapter.getUser(trim(id));
			return user && { ...user, id: Number(user.id) as never };
		},
		getKey: async (id, shouldDataBeDeleted) => {
			const key = await adapter.getKey(id, shouldDataBeDeleted);
			return key && toNumber(key);
		},
		getKeysByUserId: async (id) => (await adapter.getKeysByUserId(trim(id))).map(toNumber),
		setKey: (key) => adapter.setKey({ ...key, user_id: trim(key.user_id) }),
	});

	test.each([
		["a collation that ignores case", "abc", "ABC", ignoringCase],
		["a column of integers", "1", "01", withIntegers],
		["a column of integers", "1", " 1", withIntegers],
		["a column of integers", "1", "1e0", withIntegers],
		["a column of integers", "1", "1.0", withIntegers],
	])("of a user under %s is an unknown user: %j as %j", async (_, id, spelling, wrap) => {
		const { sqlite, handler, code } = await open(wrap, { generate: () => "token" });
		await sqlite.createUser(id);
		const [link, token] = [await handler.issue(id), await code.issue(id)];
		expect(link.userId).toBe(id);
		const before = sqlite.keys();
		const limited = idToken(sqlite.auth, "limited", { expiresIn: 60, minInterval: 60 });
		for (const { issue } of [handler, limited, code]) {
			await expect(issue(spelling)).rejects.toEqual(UNKNOWN_USER);
		}
		await expect(handler.getAllUserTokens(spelling)).rejects.toEqual(UNKNOWN_USER);
		for (const guess of [`${token}`, "wrong"]) {
			await expect(code.validate(guess, spelling)).rejects.toEqual(INVALID);
		}
		await handler.invalidateAllUserTokens(spelling);
		vi.setSystemTime(NOW + 60_000 + 2 * HOUR);
		await handler.deleteExpiredUserTokens(spelling);
		vi.setSystemTime(NOW);
		expect(sqlite.keys()).toEqual(before);

		expect((await handler.getAllUserTokens(id)).map(({ userId }) => userId)).toEqual([id]);
		await expect(handler.validate(link)).resolves.toHaveProperty("userId", id);
		await expect(code.validate(token, id)).resolves.toHaveProperty("userId", id);
	});

	test("of a token is another token, and the one that is found stays stored", async () => {
		const { sqlite, handler } = await open(ignoringCase);
		sqlite.insertKey({ id: "name:abc", user_id: "user", expires: NOW });
		await expect(handler.validate("ABC")).rejects.toEqual(INVALID);
		await expect(handler.getToken("ABC")).rejects.toEqual(INVALID);
		await handler.invalidate("ABC");
		await expect(handler.validate("abc")).resolves.toHaveProperty("userId", "user");
	});
});

describe("what a row holds", () => {
	/** Replaces columns of the keys that the adapter returns. */
	const returning =
		(columns: object) =>
		(adapter: Adapter): Adapter => ({
			...adapter,
			getKey: async (id, shouldDataBeDeleted) => {
				const key = await adapter.getKey(id, shouldDataBeDeleted);
				return key && { ...key, ...columns };
			},
			getKeysByUserId: async (id) =>
				(await adapter.getKeysByUserId(id)).map((key) => ({ ...key, ...columns })),
		});

	test.each([
		["a number", 42, "42"],
		["the largest safe number", Number.MAX_SAFE_INTEGER, "9007199254740991"],
		["a bigint", 9_223_372_036_854_775_807n, "9223372036854775807"],
	])("is the id of a user as text, from %s", async (_, user_id, expected) => {
		const { sqlite, handler } = await open(returning({ user_id }));
		await sqlite.createUser(expected);
		sqlite.insertKey({ id: "name:token", user_id: expected, expires: NOW });
		const token = await handler.validate("token");
		expect(token.userId).toBe(expected);
		expect(sqlite.keys()).toEqual([
			expect.objectContaining({ id: `:name:token ${NOW}`, user_id: expected }),
		]);
	});

	test("is a TypeError if the adapter's column has another name", async () => {
		const { sqlite, handler } = await open(returning({ user_id: undefined }));
		sqlite.insertKey({ id: "name:token", user_id: "user", expires: NOW });
		await expect(handler.validate("token")).rejects.toEqual(
			new TypeError("The driver must return a column as user_id"),
		);
	});

	test.each([2 ** 53, -(2 ** 53), 1.5, Number.NaN])(
		"is a TypeError if the id of a user may be rounded: %d",
		async (user_id) => {
			const { sqlite, handler } = await open(returning({ user_id }));
			sqlite.insertKey({ id: "name:token", user_id: "user", expires: NOW });
			const error = new TypeError(
				"The driver returned a user id as a number that may be rounded: let it return text or BigInt",
			);
			await expect(handler.validate("token")).rejects.toEqual(error);
			await expect(handler.getToken("token")).rejects.toEqual(error);
			await expect(handler.getAllUserTokens("user")).rejects.toEqual(error);
			expect(sqlite.tokens()).toHaveLength(1);
		},
	);

	test.each([
		["a Date", new Date(NOW + 1000)],
		["the text of a date", new Date(NOW + 1000).toISOString()],
		["NaN", Number.NaN],
		["Infinity", Infinity],
		["an empty text", ""],
		["nothing", undefined],
		["bytes", new Uint8Array([9])],
	])("is a TypeError if the expiry is %s, never a token", async (_, expires) => {
		const { sqlite, handler, code } = await open(returning({ expires }));
		sqlite.insertKey({ id: "name:token", user_id: "user", expires: NOW });
		sqlite.insertKey({ id: "code:user.12345678", user_id: "user", expires: NOW });
		const error = new TypeError(
			"The column expires must hold epoch milliseconds: make it a BIGINT",
		);
		await expect(handler.validate("token")).rejects.toEqual(error);
		await expect(handler.getToken("token")).rejects.toEqual(error);
		await expect(handler.getAllUserTokens("user")).rejects.toEqual(error);
		await expect(code.validate("12345678", "user")).rejects.toEqual(error);
		expect(sqlite.keys()).toHaveLength(2);
	});

	test.each([
		["text", `${NOW}`],
		["a bigint", BigInt(NOW)],
	])("may be the expiry as %s", async (_, expires) => {
		const { sqlite, handler } = await open(returning({ expires }));
		sqlite.insertKey({ id: "name:token", user_id: "user", expires: NOW });
		await expect(handler.validate("token")).resolves.toHaveProperty("expiresAt", new Date(NOW));
	});
});

describe("a user id beyond ASCII", () => {
	// adapter-mysql 1.1.1 ends the process where a list fails, as it does for letters that the column's
	// character set lacks.
	test.each(["jürgen", "😀", "a\u0301", "\u{10ffff}"])(
		"reaches the list only after getUser: %j",
		async (id) => {
			const { sqlite, handler, code } = await open();
			const limited = idToken(sqlite.auth, "limited", { expiresIn: 60, minInterval: 60 });
			const lists = [
				() => handler.getAllUserTokens(id),
				() => handler.invalidateAllUserTokens(id),
				() => handler.deleteExpiredUserTokens(id),
				() => code.validate("12345678", id),
				() => code.getAllUserTokens(id),
				() => limited.issue(id),
			];
			for (const list of lists) {
				sqlite.calls.length = 0;
				await list().catch(() => {});
				expect(sqlite.calls).not.toContain("getKeysByUserId");
			}
			await sqlite.createUser(id);
			for (const list of lists) {
				sqlite.calls.length = 0;
				await list().catch(() => {});
				expect(sqlite.calls.slice(0, 2)).toEqual(["getUser", "getKeysByUserId"]);
			}
		},
	);
});

describe.each(TOKEN_KINDS)("the first argument of $kind", ({ make, keyId }) => {
	const open = (source: unknown) => () => make(source as LuciaAuth, "name", { expiresIn: 60 });
	const refuse = async (): Promise<never> => {
		throw new Error("not asked");
	};
	const methods = (...names: string[]) => Object.fromEntries(names.map((name) => [name, refuse]));

	const noSource = [["a string", "auth"], ...NOT_STRINGS.filter(([n]) => !n.includes("throw"))];
	test.each(noSource as [string, unknown][])("may not be %s", (_, source) => {
		expect(open(source)).toThrow(
			new TypeError("auth must be an initialized Lucia Auth or a KeyStore"),
		);
	});

	const CORE = ["getUser", "setUser", "getKey", "getKeysByUserId", "setKey"];
	test.each([
		["Lucia 2", { adapter: methods(...CORE, "deleteKey", "deleteKeysByUserId") }],
		["Lucia 2 with separate adapters", { adapter: { user: methods(...CORE), session: {} } }],
		["Lucia 3", { adapter: methods("getSessionAndUser", "setSession"), createSession: refuse }],
	])("may not be an Auth of %s", (_, source) => {
		expect(open(source)).toThrow(
			new TypeError(
				"auth must be an Auth of Lucia v1: with Lucia 2 or 3, pass a store of your database, such as pg(pool)",
			),
		);
	});

	test.each([
		[["get"], "auth must be a KeyStore, but it has no get"],
		[
			["insert", "deleteAllByUser"],
			"auth must be a KeyStore, but it has no insert, no deleteAllByUser",
		],
	])("may not be a store without %j", (lacking, message) => {
		const store = toKeyStore(openSqlite().auth);
		const source = Object.fromEntries(
			Object.entries(store).filter(([name]) => !lacking.includes(name)),
		);
		expect(open(source)).toThrow(new TypeError(message));
		// Nor is it taken for an Auth, if it has an adapter, too.
		expect(open({ ...source, adapter: methods(...CORE, "deleteNonPrimaryKey") })).toThrow(message);
	});

	test("may be an Auth, or anything with such an adapter", () => {
		expect(open(openSqlite().auth)).not.toThrow();
		expect(open({ adapter: methods(...CORE, "deleteNonPrimaryKey") })).not.toThrow();
	});

	test("may be any KeyStore, whose methods keep their `this`", async () => {
		class OneKeyStore implements KeyStore {
			asked: string[] = [];
			insert = refuse;
			getAllByUser = refuse;
			deleteAllByUser = refuse;
			delete = refuse;
			deleteExpiredByUser = refuse;
			async get(id: string, userId?: string) {
				this.asked.push(`${id} ${userId}`);
				return null;
			}
			async consume(id: string, userId = "anyone") {
				this.asked.push(`${id} ${userId}`);
				return { id, userId: "user", expires: Date.now() + 60_000 };
			}
		}
		const store = new OneKeyStore();
		const handler = make(store, "name", { expiresIn: 60 });
		const token = await handler.validate("token", "user");
		expect(token.userId).toBe("user");
		expect(`${token}`).toBe("token");
		await expect(handler.getToken("token", "user")).rejects.toEqual(INVALID);
		expect(store.asked).toHaveLength(2);
		expect(store.asked[0]).toContain(keyId("name", "user", "token"));
	});
});
