import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Token } from "../src/index.js";
import { betterSqlite3 } from "../src/stores/better-sqlite3.js";
import { tokenError } from "./support/errors.js";
import { TOKEN_KINDS } from "./support/handlers.js";
import { openSqlite, type Sqlite } from "./support/sqlite.js";
import { NOT_STRINGS, NOT_TOKENS, UNSTORABLE_STRINGS } from "./support/values.js";

const MINUTE = 60;
const NOBODY = ["a user that does not exist", "nobody"] as const;

let sqlite: Sqlite;
beforeEach(() => {
	sqlite = openSqlite();
});
afterEach(() => {
	vi.useRealTimers();
	sqlite.db.close();
});

const generated = (prefix: string) =>
	`the return value of generate must be a string of 1 to ${255 - prefix.length} visible ASCII characters`;

describe.each(TOKEN_KINDS)("$kind", ({ make, keyId, defaultToken }) => {
	const open = async (name = "name") => {
		const handler = make(sqlite.auth, name, { expiresIn: MINUTE });
		return { handler, userId: await sqlite.createUser("user") };
	};

	describe("issue", () => {
		test("stores a single-use key that lasts for expiresIn", async () => {
			vi.useFakeTimers({ now: 1_000_000 });
			const { handler, userId } = await open();
			const token = await handler.issue(userId);
			expect(token).toBeInstanceOf(Token);
			expect(`${token}`).toMatch(defaultToken);
			expect(sqlite.keys()).toEqual([
				{
					id: keyId("name", userId, `${token}`),
					user_id: userId,
					primary_key: false,
					hashed_password: null,
					expires: 1_060_000,
				},
			]);
		});

		test("returns an unexpired token with the key that Lucia returns", async () => {
			const { handler, userId } = await open();
			const token = await handler.issue(userId);
			expect(token.userId).toBe(userId);
			expect(token.expired).toBe(false);
			const id = keyId("name", userId, `${token}`);
			expect(token.key).toEqual(await sqlite.auth.getKey("name", id.slice("name:".length)));
		});

		test("stores nothing for an unknown user", async () => {
			const { handler } = await open();
			await expect(handler.issue("nobody")).rejects.toEqual(tokenError("INVALID_USER_ID"));
			expect(sqlite.keys()).toEqual([]);
		});

		test.each([...NOT_STRINGS, ...UNSTORABLE_STRINGS])(
			"rejects %s as a user ID, without a query",
			async (_, value) => {
				const { handler } = await open();
				sqlite.calls.length = 0;
				await expect(handler.issue(value as string)).rejects.toEqual(tokenError("INVALID_USER_ID"));
				expect(sqlite.calls).toEqual([]);
			},
		);

		test("rejects a duplicate and keeps the first token", async () => {
			const { userId } = await open();
			const handler = make(sqlite.auth, "name", { expiresIn: MINUTE, generate: () => "same" });
			await handler.issue(userId);
			const error: unknown = await handler.issue(userId).catch((e: unknown) => e);
			expect(error).toEqual(tokenError("DUPLICATE_TOKEN"));
			expect(error).toHaveProperty("cause.message", "AUTH_DUPLICATE_KEY_ID");
			await expect(handler.validate("same", userId)).resolves.toHaveProperty("userId", userId);
		});

		test("calls a custom generator with the configured length", async () => {
			const { userId } = await open();
			const generate = vi.fn((length?: number) => "x".repeat(length ?? 0));
			const handler = make(sqlite.auth, "name", { expiresIn: MINUTE, length: 12, generate });
			expect(`${await handler.issue(userId)}`).toBe("x".repeat(12));
			expect(generate).toHaveBeenCalledExactlyOnceWith(12);
		});

		test.each(NOT_STRINGS)("rejects %s from a generator", async (_, value) => {
			const { userId } = await open();
			const handler = make(sqlite.auth, "name", {
				expiresIn: MINUTE,
				generate: () => value as string,
			});
			await expect(handler.issue(userId)).rejects.toEqual(
				new TypeError(generated(keyId("name", userId, ""))),
			);
			expect(sqlite.keys()).toEqual([]);
		});

		test.each(NOT_TOKENS)(
			"rejects %s from a generator, without repeating it in the error",
			async (_, value) => {
				const { userId } = await open();
				const handler = make(sqlite.auth, "name", { expiresIn: MINUTE, generate: () => value });
				await expect(handler.issue(userId)).rejects.toEqual(
					new RangeError(generated(keyId("name", userId, ""))),
				);
				expect(sqlite.keys()).toEqual([]);
			},
		);

		test("rethrows an error of the generator", async () => {
			const { userId } = await open();
			const generate = () => {
				throw new Error("no entropy");
			};
			const handler = make(sqlite.auth, "name", { expiresIn: MINUTE, generate });
			await expect(handler.issue(userId)).rejects.toEqual(new Error("no entropy"));
		});
	});

	describe("validate", () => {
		test("returns the user's token and consumes it", async () => {
			const { handler, userId } = await open();
			const issued = await handler.issue(userId);
			const validated = await handler.validate(issued.toString(), userId);
			expect(`${validated}`).toBe(`${issued}`);
			expect(validated.userId).toBe(userId);
			expect(validated.expiresAt).toEqual(issued.expiresAt);
			expect(validated.expired).toBe(false);
			expect(sqlite.keys()).toEqual([]);
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
			vi.useFakeTimers({ now: 1_000_000 });
			const { handler, userId } = await open();
			const token = `${await handler.issue(userId)}`;
			vi.setSystemTime(1_060_000);
			await expect(handler.validate(token, userId)).resolves.toHaveProperty("userId", userId);
		});

		test("rejects a token one millisecond later, first as expired and then as invalid", async () => {
			vi.useFakeTimers({ now: 1_000_000 });
			const { handler, userId } = await open();
			const token = `${await handler.issue(userId)}`;
			vi.setSystemTime(1_060_001);
			await expect(handler.validate(token, userId)).rejects.toEqual(tokenError("EXPIRED_TOKEN"));
			expect(sqlite.keys()).toEqual([]);
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

		test("accepts a custom token whose key ID has 255 characters", async () => {
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
			expect(sqlite.keys()).toEqual([]);
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
			vi.useFakeTimers({ now: 1_000_000 });
			const { handler, userId } = await open();
			const token = await handler.issue(userId);
			vi.setSystemTime(1_060_000);
			await expect(handler.getToken(token, userId)).resolves.toHaveProperty("expired", false);
			vi.setSystemTime(1_060_001);
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
				vi.useFakeTimers({ now: 1_000_000 });
				const { handler, userId } = await open();
				const issued: Token[] = [];
				for (const time of [1_000_000, 1_030_000, 1_010_000]) {
					vi.setSystemTime(time);
					issued.push(await handler.issue(userId));
				}
				vi.setSystemTime(1_065_000);
				const listed = await handler[method](userId);
				expect(listed.map(String)).toEqual([issued[0], issued[2], issued[1]].map(String));
				expect(listed.map((token) => token.expired)).toEqual([true, false, false]);
				expect(listed.map((token) => token.key.expired)).toEqual([true, false, false]);
				expect(listed.map((token) => token.userId)).toEqual([userId, userId, userId]);
				expect(sqlite.keys()).toHaveLength(3);
			},
		);

		test("lists tokens with the same expiry in a stable order", async () => {
			vi.useFakeTimers({ now: 1_000_000 });
			const { userId } = await open();
			const values = ["c", "a", "d", "b"].values();
			const handler = make(sqlite.auth, "name", {
				expiresIn: MINUTE,
				generate: () => String(values.next().value),
			});
			for (let count = 0; count < 4; count++) await handler.issue(userId);
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
		"supports the user ID %j and affects no other user",
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
			expect(sqlite.keys()).toEqual([]);
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
			await handler.deleteExpiredTokens();
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
		expect(sqlite.keys()).toEqual([]);
	});
});
