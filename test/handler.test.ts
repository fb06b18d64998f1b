import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
	idToken,
	type KeyStore,
	passwordToken,
	Token,
	type LuciaTokenError,
} from "../src/index.js";
import { betterSqlite3 } from "../src/stores/better-sqlite3.js";
import { toKeyStore } from "../src/stores/lucia.js";
import { tokenError } from "./support/errors.js";
import { intercept } from "./support/faults.js";
import { TOKEN_KINDS } from "./support/handlers.js";
import { openSqlite, type Sqlite } from "./support/sqlite.js";
import { NOT_STRINGS, NOT_TOKENS, UNSTORABLE_STRINGS } from "./support/values.js";

const MINUTE = 60;
const HALF_AN_HOUR = 30 * 60 * 1000;
// Tokens of these tests do not expire at a multiple of 8, so that issue() does not sweep.
const NOW = 1_000_001;
const NOBODY = ["a user that does not exist", "nobody"] as const;

let sqlite: Sqlite;
beforeEach(() => {
	sqlite = openSqlite();
});
afterEach(() => {
	vi.useRealTimers();
	sqlite.db.close();
});

describe.each(TOKEN_KINDS)("$kind", ({ kind, make, keyId }) => {
	const open = async (name = "name") => {
		const handler = make(sqlite.auth, name, { expiresIn: MINUTE });
		return { handler, userId: await sqlite.createUser("user") };
	};

	describe("validate", () => {
		test("returns the user's token and consumes it", async () => {
			const { handler, userId } = await open();
			const issued = await handler.issue(userId);
			const validated = await handler.validate(issued.toString(), userId);
			expect(`${validated}`).toBe(`${issued}`);
			expect(validated.userId).toBe(userId);
			expect(validated.expiresAt).toEqual(issued.expiresAt);
			expect(validated.expired).toBe(false);
			expect(sqlite.tokens()).toEqual([]);
			await expect(handler.validate(`${issued}`, userId)).rejects.toEqual(
				tokenError("INVALID_TOKEN"),
			);
		});

		test("accepts a Token as well as a string", async () => {
			const { handler, userId } = await open();
			const issued = await handler.issue(userId);
			await expect(handler.validate(issued, userId)).resolves.toHaveProperty("userId", userId);
		});

		test("accepts a token in its last millisecond", async () => {
			vi.useFakeTimers({ now: NOW });
			const { handler, userId } = await open();
			const token = `${await handler.issue(userId)}`;
			vi.setSystemTime(NOW + 60_000);
			await expect(handler.validate(token, userId)).resolves.toHaveProperty("userId", userId);
		});

		test("rejects a token one millisecond later, first as expired and then as invalid", async () => {
			vi.useFakeTimers({ now: NOW });
			const { handler, userId } = await open();
			const token = `${await handler.issue(userId)}`;
			vi.setSystemTime(NOW + 60_001);
			const error: unknown = await handler.validate(token, userId).catch((error: unknown) => error);
			expect(error).toEqual(tokenError("EXPIRED_TOKEN"));
			// The caller of a code's validate() knows the user.
			const { userId: whose } = error as LuciaTokenError;
			expect(whose).toBe(kind === "idToken" ? userId : undefined);
			expect(sqlite.tokens()).toEqual([]);
			await expect(handler.validate(token, userId)).rejects.toEqual(tokenError("INVALID_TOKEN"));
		});

		test.each([...NOT_STRINGS, ...NOT_TOKENS])("rejects %s without a query", async (_, value) => {
			const { handler, userId } = await open();
			sqlite.calls.length = 0;
			await expect(handler.validate(value as string, userId)).rejects.toEqual(
				tokenError("INVALID_TOKEN"),
			);
			expect(sqlite.calls).toEqual([]);
		});

		test("rejects a token of another name", async () => {
			const { handler, userId } = await open("name");
			const others = ["nam", "name2", "Name"].map((name) =>
				make(sqlite.auth, name, { expiresIn: MINUTE }),
			);
			const token = `${await handler.issue(userId)}`;
			for (const other of others) {
				await expect(other.validate(token, userId)).rejects.toEqual(tokenError("INVALID_TOKEN"));
			}
			await expect(handler.validate(token, userId)).resolves.toHaveProperty("userId", userId);
		});

		test("reports a token as expired, never as used, if it was used half an hour after it expired", async () => {
			// The spent row of an earlier use may be swept an hour after the expiry.
			for (const [late, outcome] of [
				[0, "success"],
				[HALF_AN_HOUR, "success"],
				[HALF_AN_HOUR + 1, "EXPIRED_TOKEN"],
			] as const) {
				vi.useFakeTimers({ now: NOW, toFake: ["Date"] });
				sqlite.db.close();
				sqlite = openSqlite((adapter) =>
					intercept(adapter, async (name, run) => {
						if (name === "deleteNonPrimaryKey") vi.setSystemTime(NOW + 60_000 + late);
						return run();
					}),
				);
				const { handler, userId } = await open();
				const token = await handler.issue(userId);
				const result = handler.validate(token, userId).then(
					() => "success",
					(error: Error) => error.message,
				);
				expect([late, await result]).toEqual([late, outcome]);
				expect(sqlite.tokens()).toEqual([]);
			}
		});

		test("accepts a custom token whose key id has 255 characters", async () => {
			const { userId } = await open();
			const length = 255 - keyId("name", userId, "").length;
			const handler = make(sqlite.auth, "name", {
				expiresIn: MINUTE,
				generate: () => "~".repeat(length),
			});
			const token = `${await handler.issue(userId)}`;
			const results = await Promise.allSettled([
				handler.validate(token, userId),
				handler.validate(token, userId),
			]);
			expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
			expect(sqlite.tokens()).toEqual([]);
		});
	});

	describe("an object that only looks like a Token", () => {
		const hostile = (token: Token): [string, unknown][] => [
			["a proxy of one", new Proxy(token, {})],
			["an object with its prototype", Object.create(Token.prototype)],
			["a revoked proxy", (({ proxy, revoke }) => (revoke(), proxy))(Proxy.revocable(token, {}))],
			[
				"one with a key of symbols",
				new Token("x", { ...token.key, providerId: Symbol() as never }),
			],
		];

		test("is invalid for validate and getToken, and ignored by invalidate", async () => {
			const { handler, userId } = await open();
			const token = await handler.issue(userId);
			for (const [, value] of hostile(token)) {
				for (const use of [handler.validate, handler.getToken]) {
					await expect(use(value as Token, userId)).rejects.toEqual(tokenError("INVALID_TOKEN"));
				}
				await expect(handler.invalidate(value as Token, userId)).resolves.toBeUndefined();
			}
			expect(sqlite.keys()).toHaveLength(1);
		});

		test("cannot change the value of a Token with its own toString", async () => {
			const { handler, userId } = await open();
			const token = await handler.issue(userId);
			class Loud extends Token {
				override toString(): string {
					throw new Error("called");
				}
			}
			const loud = new Loud(token.toString(), token.key);
			await expect(handler.validate(loud, userId)).resolves.toHaveProperty("userId", userId);
		});
	});

	describe("getToken", () => {
		test("returns the token without consuming it", async () => {
			const { handler, userId } = await open();
			const issued = await handler.issue(userId);
			const before = sqlite.keys();
			const seen = await handler.getToken(`${issued}`, userId);
			expect(`${seen}`).toBe(`${issued}`);
			expect(seen.key).toEqual(issued.key);
			expect(sqlite.keys()).toEqual(before);
			await expect(handler.validate(issued, userId)).resolves.toHaveProperty("userId", userId);
			await expect(handler.getToken(issued, userId)).rejects.toEqual(tokenError("INVALID_TOKEN"));
		});

		test("reports an expired token as expired on every call", async () => {
			vi.useFakeTimers({ now: NOW });
			const { handler, userId } = await open();
			const token = await handler.issue(userId);
			vi.setSystemTime(NOW + 60_000);
			await expect(handler.getToken(token, userId)).resolves.toHaveProperty("expired", false);
			vi.setSystemTime(NOW + 60_001);
			await expect(handler.getToken(token, userId)).rejects.toEqual(tokenError("EXPIRED_TOKEN"));
			await expect(handler.getToken(token, userId)).rejects.toEqual(tokenError("EXPIRED_TOKEN"));
			expect(sqlite.keys()).toHaveLength(1);
		});

		test.each([...NOT_STRINGS, ...NOT_TOKENS])("rejects %s without a query", async (_, value) => {
			const { handler, userId } = await open();
			sqlite.calls.length = 0;
			await expect(handler.getToken(value as string, userId)).rejects.toEqual(
				tokenError("INVALID_TOKEN"),
			);
			expect(sqlite.calls).toEqual([]);
		});
	});

	describe("invalidate", () => {
		test.each(["invalidate", "invalidateToken"] as const)(
			"accepts a string or a Token, as %s",
			async (method) => {
				const { handler, userId } = await open();
				const [first, second, third] = [
					await handler.issue(userId),
					await handler.issue(userId),
					await handler.issue(userId),
				];
				await handler[method](first.toString(), userId);
				await handler[method](second, userId);
				await expect(handler.validate(first, userId)).rejects.toEqual(tokenError("INVALID_TOKEN"));
				await expect(handler.validate(second, userId)).rejects.toEqual(tokenError("INVALID_TOKEN"));
				await expect(handler.validate(third, userId)).resolves.toBeInstanceOf(Token);
			},
		);

		test("succeeds for an unknown or consumed token", async () => {
			const { handler, userId } = await open();
			const token = await handler.issue(userId);
			await handler.validate(token, userId);
			await expect(handler.invalidate(token, userId)).resolves.toBeUndefined();
			await expect(handler.invalidate("unknown", userId)).resolves.toBeUndefined();
		});

		test.each([...NOT_STRINGS, ...NOT_TOKENS])(
			"succeeds for %s without a query",
			async (_, value) => {
				const { handler, userId } = await open();
				sqlite.calls.length = 0;
				await expect(handler.invalidate(value as string, userId)).resolves.toBeUndefined();
				expect(sqlite.calls).toEqual([]);
			},
		);
	});

	describe("invalidateAllUserTokens", () => {
		test("deletes the user's tokens of this name, including expired ones, and no other key", async () => {
			const { handler, userId } = await open();
			const other = await sqlite.createUser("other");
			const expires = Date.now() - 60_000;
			for (let count = 0; count < 20; count++) await handler.issue(userId);
			sqlite.insertKey({ id: keyId("name", userId, "old"), user_id: userId, expires });
			const kept = [
				{ id: keyId("name", userId, "login"), user_id: userId, expires: null },
				{ id: keyId("name", userId, "pass"), user_id: userId, expires, hashed_password: "hash" },
				{ id: keyId("name2", userId, "longer"), user_id: userId, expires },
				{ id: keyId("nam", userId, "shorter"), user_id: userId, expires },
				{ id: keyId("name", other, "other"), user_id: other, expires },
			];
			for (const key of kept) sqlite.insertKey(key);
			await handler.invalidateAllUserTokens(userId);
			expect(
				sqlite
					.keys()
					.map(({ id }) => id)
					.sort(),
			).toEqual(kept.map(({ id }) => id).sort());
		});

		test.each([NOBODY, ...NOT_STRINGS, ...UNSTORABLE_STRINGS])(
			"succeeds for %s and deletes nothing",
			async (_, value) => {
				const { handler, userId } = await open();
				await handler.issue(userId);
				await expect(handler.invalidateAllUserTokens(value as string)).resolves.toBeUndefined();
				expect(sqlite.keys()).toHaveLength(1);
			},
		);
	});

	describe("getAllUserTokens", () => {
		test.each(["getAllUserTokens", "getUserTokens"] as const)(
			"lists valid and expired tokens in the order of their expiry, as %s",
			async (method) => {
				vi.useFakeTimers({ now: NOW });
				const { handler, userId } = await open();
				const issued: Token[] = [];
				for (const time of [0, 30_000, 10_000]) {
					vi.setSystemTime(NOW + time);
					issued.push(await handler.issue(userId));
				}
				vi.setSystemTime(NOW + 65_000);
				const listed = await handler[method](userId);
				expect(listed.map(String)).toEqual([issued[0], issued[2], issued[1]].map(String));
				expect(listed.map((token) => token.expired)).toEqual([true, false, false]);
				expect(listed.map((token) => token.key.expired)).toEqual([true, false, false]);
				expect(listed.map((token) => token.userId)).toEqual([userId, userId, userId]);
				expect(sqlite.keys()).toHaveLength(3);
			},
		);

		test("lists tokens with the same expiry in a stable order", async () => {
			const { handler, userId } = await open();
			const expires = Date.now() + 60_000;
			for (const token of ["c", "a", "d", "b"]) {
				sqlite.insertKey({ id: keyId("name", userId, token), user_id: userId, expires });
			}
			expect((await handler.getAllUserTokens(userId)).map(String)).toEqual(["a", "b", "c", "d"]);
		});

		test.each([NOBODY, ...NOT_STRINGS, ...UNSTORABLE_STRINGS])("rejects %s", async (_, value) => {
			const { handler } = await open();
			await expect(handler.getAllUserTokens(value as string)).rejects.toEqual(
				tokenError("INVALID_USER_ID"),
			);
		});
	});

	test.each(["a.b", "a:b", "it's", 'say "hi"', "100%", "a_b", "_", "%", "ä🔑"])(
		"supports the user id %j and affects no other user",
		async (userId) => {
			await sqlite.createUser(userId);
			for (const other of ["a", "axb", "", "x", "ab"].filter(Boolean))
				await sqlite.createUser(other);
			const handler = make(sqlite.auth, "name", { expiresIn: MINUTE });
			const [first, second] = [await handler.issue(userId), await handler.issue(userId)];
			expect((await handler.getAllUserTokens(userId)).map(String).sort()).toEqual(
				[first, second].map(String).sort(),
			);
			for (const other of ["a", "axb", "x", "ab"]) {
				expect(await handler.getAllUserTokens(other)).toEqual([]);
				await handler.invalidateAllUserTokens(other);
			}
			await expect(handler.validate(first, userId)).resolves.toHaveProperty("userId", userId);
			await handler.invalidateAllUserTokens(userId);
			expect(sqlite.tokens()).toEqual([]);
		},
	);

	describe("deleteExpiredTokens", () => {
		test("throws on a store without deleteExpired", async () => {
			const { handler } = await open();
			await expect(handler.deleteExpiredTokens()).rejects.toEqual(
				new TypeError("This store cannot delete the expired tokens of all users"),
			);
		});

		test("deletes the expired tokens of all users on a store with deleteExpired", async () => {
			const handler = make(betterSqlite3(sqlite.db), "name", { expiresIn: MINUTE });
			const [userId, other] = [await sqlite.createUser("user"), await sqlite.createUser("other")];
			const expires = Date.now() - 1;
			for (const owner of [userId, other]) {
				sqlite.insertKey({ id: keyId("name", owner, `old${owner}`), user_id: owner, expires });
				sqlite.insertKey({ id: keyId("other", owner, `old${owner}`), user_id: owner, expires });
			}
			const token = await handler.issue(other);
			expect(await handler.deleteExpiredTokens()).toBe(2);
			expect(sqlite.keys()).toHaveLength(3);
			await expect(handler.validate(token, other)).resolves.toHaveProperty("userId", other);
		});
	});

	test("has methods that work without their object", async () => {
		const userId = await sqlite.createUser();
		const { issue, validate, getToken, invalidate, getAllUserTokens, invalidateAllUserTokens } =
			make(sqlite.auth, "name", { expiresIn: MINUTE });
		const token = await issue(userId);
		await getToken(token, userId);
		await validate(token, userId);
		await invalidate(await issue(userId), userId);
		await issue(userId);
		expect(await getAllUserTokens(userId)).toHaveLength(1);
		await invalidateAllUserTokens(userId);
		expect(sqlite.tokens()).toEqual([]);
	});
});

describe("the options of a method", () => {
	const HASHED = { expiresIn: MINUTE, storeToken: "hashed" } as const;
	const inherited = Object.create({ boundTo: "a" }) as object;
	class Options {
		get boundTo() {
			return "a";
		}
	}

	// Of the methods below, in their order.
	const ISSUE = "boundTo, expiresIn";
	const VALIDATE = "boundTo, revoke";
	const READ = "boundTo";
	const NAMES = [ISSUE, ISSUE, VALIDATE, READ, READ, READ, VALIDATE, READ, READ];

	const methods = async () => {
		const userId = await sqlite.createUser("user");
		const link = idToken(sqlite.auth, "link", HASHED);
		const code = passwordToken(sqlite.auth, "code", { ...HASHED, secret: "s".repeat(32) });
		const token = await link.issue(userId);
		const codeToken = await code.issue(userId);
		return [
			(options?: never) => link.issue(userId, options),
			(options?: never) => code.issue(userId, options),
			(options?: never) => link.validate(token, options),
			(options?: never) => link.getToken(token, options),
			(options?: never) => link.invalidate(token, options),
			(options?: never) => link.invalidateToken(token, options),
			(options?: never) => code.validate(codeToken, userId, options),
			(options?: never) => code.getToken(codeToken, userId, options),
			(options?: never) => code.invalidate(codeToken, userId, options),
		];
	};

	test.each([
		["a text", "nonce", "options must be an object"],
		["the index that map() passes", 0, "options must be an object"],
		["null", null, "options must be an object"],
		["a function", () => ({}), "options must be an object"],
		["a misspelled option", { boundto: "a" }, "boundto is not an option: the options are boundTo"],
		[
			"an option of the factory",
			{ minInterval: 1 },
			"minInterval is not an option: the options are boundTo",
		],
		[
			"a symbol",
			{ [Symbol("boundTo")]: "a" },
			"Symbol(boundTo) is not an option: the options are boundTo",
		],
		["an array", ["a"], "options must be an object"],
		["a String object", new String("a"), "options must be an object"],
		[
			"an inherited option",
			inherited,
			"boundTo must be an own property of options, but it is inherited",
		],
		[
			"an accessor of a class",
			new Options(),
			"boundTo must be an own property of options, but it is inherited",
		],
	])("may not be %s, for any method, and nothing is asked", async (_, options, message) => {
		const expected = (at: number) => message.replace(/are boundTo$/, `are ${NAMES[at]}`);
		const all = await methods();
		const before = sqlite.keys();
		sqlite.calls.length = 0;
		for (const [at, method] of all.entries()) {
			await expect(method(options as never)).rejects.toEqual(new TypeError(expected(at)));
		}
		expect(sqlite.calls).toEqual([]);
		expect(sqlite.keys()).toEqual(before);
	});

	test("do not come from a polluted Object.prototype, even where none are passed", async () => {
		const all = await methods();
		sqlite.calls.length = 0;
		Object.assign(Object.prototype, { boundTo: "a" });
		try {
			for (const method of all) {
				const message = "boundTo must be an own property of options, but it is inherited";
				await expect(method()).rejects.toEqual(new TypeError(message));
			}
		} finally {
			Reflect.deleteProperty(Object.prototype, "boundTo");
		}
		expect(sqlite.calls).toEqual([]);
	});

	test.each([{}, Object.create(null) as object, Object.freeze({ boundTo: "a" })])(
		"may be an object of any prototype, which is not changed: %#",
		async (options) => {
			const [issueLink = async () => undefined] = await methods();
			await expect(issueLink(options as never)).resolves.toBeInstanceOf(Token);
		},
	);

	test("may not be undefined in its boundTo, such as that of a missing cookie", async () => {
		const userId = await sqlite.createUser("user");
		const handler = idToken(sqlite.auth, "link", HASHED);
		await expect(handler.issue(userId, { boundTo: undefined as never })).rejects.toEqual(
			new TypeError("boundTo must be a non-empty string without lone surrogates"),
		);
		await expect(handler.validate(await handler.issue(userId), {})).resolves.toBeInstanceOf(Token);
	});
});

describe("in a transaction of the app's", () => {
	const refused = (option: string) =>
		new Error(
			`${option} does not hold in a transaction, because a rollback forgets what was counted: ` +
				"pass the pool, or call this outside of the transaction",
		);

	const open = async (isInTransaction: KeyStore["isInTransaction"]) => {
		const store = { ...toKeyStore(sqlite.auth), isInTransaction } as KeyStore;
		const userId = await sqlite.createUser("user");
		const code = passwordToken(store, "code", { expiresIn: MINUTE });
		const token = await code.issue(userId);
		sqlite.calls.length = 0;
		return { store, userId, code, token };
	};

	test.each([
		["at once", () => true],
		["later", async () => true],
	])("a handler with a limit refuses to answer, if the store tells %s", async (_, tells) => {
		const { store, userId, code, token } = await open(tells);
		const link = idToken(store, "link", { expiresIn: MINUTE, minInterval: 60 });
		for (const value of [token, "wrong"]) {
			await expect(code.validate(value, userId)).rejects.toEqual(refused("maxAttempts"));
			await expect(code.getToken(value, userId)).rejects.toEqual(refused("maxAttempts"));
		}
		await expect(link.issue(userId)).rejects.toEqual(refused("minInterval"));
		expect(sqlite.calls).toEqual([]);
	});

	test("what needs no count goes on", async () => {
		const { store, userId, code, token } = await open(() => true);
		const link = idToken(store, "link", { expiresIn: MINUTE, maxTokensPerUser: 2 });
		await expect(link.validate(await link.issue(userId))).resolves.toBeInstanceOf(Token);
		const free = passwordToken(store, "code", { maxAttempts: Infinity });
		await expect(free.validate(token, userId)).resolves.toBeInstanceOf(Token);
		await code.invalidate(await code.issue(userId), userId);
		await expect(code.validate("é", userId)).rejects.toEqual(tokenError("INVALID_TOKEN"));
	});

	test("a handler answers where the store says that there is none", async () => {
		const { userId, code, token } = await open(async () => false);
		await expect(code.validate(token, userId)).resolves.toBeInstanceOf(Token);
	});
});
