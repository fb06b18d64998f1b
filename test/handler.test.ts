import { describe, expect, test, vi } from "vitest";
import { idToken, type KeyStore, passwordToken, Token } from "../src/index.js";
import { toKeyStore } from "../src/stores/lucia.js";
import { outcomeOf, tokenError } from "./support/errors.js";
import { intercept } from "./support/faults.js";
import { TOKEN_KINDS } from "./support/handlers.js";
import { NOW, openForEach, openStopped, sqlite } from "./support/sqlite.js";
import { NOT_STRINGS, NOT_TOKENS, UNSTORABLE_STRINGS } from "./support/values.js";

const MINUTE = 60;
const HALF_AN_HOUR = 30 * 60 * 1000;
const INVALID = tokenError("INVALID_TOKEN");
const EXPIRED = tokenError("EXPIRED_TOKEN");

const userId = "user";
openForEach();

describe.each(TOKEN_KINDS)("$kind", ({ kind, make, keyId }) => {
	const open = () => make(sqlite.auth, "name", { expiresIn: MINUTE });

	test("validate returns the user's token and uses it, as a string or a Token", async () => {
		const handler = open();
		for (const as of [String, (token: Token) => token]) {
			const issued = await handler.issue(userId);
			const validated = await handler.validate(as(issued), userId);
			expect(`${validated}`).toBe(`${issued}`);
			expect(validated.userId).toBe(userId);
			expect(validated.expiresAt).toEqual(issued.expiresAt);
			expect(validated.expired).toBe(false);
			expect(sqlite.tokens()).toEqual([]);
			await expect(handler.validate(as(issued), userId)).rejects.toEqual(INVALID);
		}
	});

	test("getToken returns the token without using it", async () => {
		const handler = open();
		const issued = await handler.issue(userId);
		const before = sqlite.keys();
		const seen = await handler.getToken(`${issued}`, userId);
		expect(`${seen}`).toBe(`${issued}`);
		expect(seen.key).toEqual(issued.key);
		expect(sqlite.keys()).toEqual(before);
		await expect(handler.validate(issued, userId)).resolves.toHaveProperty("userId", userId);
		await expect(handler.getToken(issued, userId)).rejects.toEqual(INVALID);
	});

	test("a token is valid in its last millisecond, and then expired until validate deletes it", async () => {
		const handler = open();
		const [token, used] = [await handler.issue(userId), await handler.issue(userId)];
		vi.setSystemTime(NOW + 60_000);
		await expect(handler.getToken(token, userId)).resolves.toHaveProperty("expired", false);
		await expect(handler.validate(used, userId)).resolves.toHaveProperty("userId", userId);
		vi.setSystemTime(NOW + 60_001);
		for (const use of [handler.getToken, handler.getToken, handler.validate]) {
			expect(sqlite.tokens()).toHaveLength(1);
			const error: unknown = await use(token, userId).catch((error: unknown) => error);
			expect(error).toEqual(EXPIRED);
			// The caller of a code's validate() knows the user.
			expect((error as { userId?: string }).userId).toBe(kind === "idToken" ? userId : undefined);
		}
		expect(sqlite.tokens()).toEqual([]);
		await expect(handler.validate(token, userId)).rejects.toEqual(INVALID);
	});

	test("validate reports a token as expired, never as used, if it was used half an hour after it expired", async () => {
		// The spent row of an earlier use may be swept an hour after the expiry.
		for (const [late, outcome] of [
			[0, "ok"],
			[HALF_AN_HOUR, "ok"],
			[HALF_AN_HOUR + 1, "EXPIRED_TOKEN"],
		] as const) {
			const slow = await openStopped((adapter) =>
				intercept(adapter, async (name, run) => {
					if (name === "deleteNonPrimaryKey") vi.setSystemTime(NOW + 60_000 + late);
					return run();
				}),
			);
			const handler = make(slow.auth, "name", { expiresIn: MINUTE });
			const token = await handler.issue(userId);
			expect([late, await outcomeOf(handler.validate(token, userId))]).toEqual([late, outcome]);
			expect(slow.tokens()).toEqual([]);
		}
	});

	test.each([...NOT_STRINGS, ...NOT_TOKENS])(
		"%s is no token, without a query",
		async (_, value) => {
			const handler = open();
			sqlite.calls.length = 0;
			for (const use of [handler.validate, handler.getToken]) {
				await expect(use(value as string, userId)).rejects.toEqual(INVALID);
			}
			await expect(handler.invalidate(value as string, userId)).resolves.toBeUndefined();
			expect(sqlite.calls).toEqual([]);
		},
	);

	test.each<readonly [string, unknown]>([
		["a user that does not exist", "nobody"],
		...NOT_STRINGS,
		...UNSTORABLE_STRINGS,
	])("%s is no user", async (_, value) => {
		const handler = open();
		const token = await handler.issue(userId);
		const nobody = value as string;
		sqlite.calls.length = 0;
		for (const list of [handler.issue, handler.getAllUserTokens]) {
			await expect(list(nobody)).rejects.toEqual(tokenError("INVALID_USER_ID"));
		}
		await expect(handler.invalidateAllUserTokens(nobody)).resolves.toBeUndefined();
		await expect(handler.deleteExpiredUserTokens(nobody)).resolves.toBeUndefined();
		if (kind === "passwordToken") {
			for (const use of [handler.validate, handler.getToken]) {
				await expect(use(token, nobody)).rejects.toEqual(INVALID);
			}
			await expect(handler.invalidate(token, nobody)).resolves.toBeUndefined();
		}
		if (value !== "nobody") expect(sqlite.calls).toEqual([]);
		expect(sqlite.keys()).toHaveLength(1);
	});

	test("a generated token may fill the key id of 255 characters, and is used once", async () => {
		const length = 255 - keyId("name", userId, "").length;
		const generate = () => "~".repeat(length);
		const handler = make(sqlite.auth, "name", { expiresIn: MINUTE, generate });
		const token = `${await handler.issue(userId)}`;
		await expect(handler.validate(token, userId)).resolves.toHaveProperty("userId", userId);
		await expect(handler.validate(token, userId)).rejects.toEqual(INVALID);
	});

	test("an object that only looks like a Token is no token", async () => {
		const handler = open();
		const token = await handler.issue(userId);
		const revoked = Proxy.revocable(token, {});
		revoked.revoke();
		for (const value of [
			new Proxy(token, {}),
			Object.create(Token.prototype),
			revoked.proxy,
			new Token("x", { ...token.key, providerId: Symbol() as never }),
		] as Token[]) {
			for (const use of [handler.validate, handler.getToken]) {
				await expect(use(value, userId)).rejects.toEqual(INVALID);
			}
			await expect(handler.invalidate(value, userId)).resolves.toBeUndefined();
		}
		expect(sqlite.keys()).toHaveLength(1);
	});

	test("a subclass of Token cannot change its value with a toString of its own", async () => {
		const handler = open();
		const token = await handler.issue(userId);
		class Loud extends Token {
			override toString(): string {
				throw new Error("called");
			}
		}
		const loud = new Loud(token.toString(), token.key);
		await expect(handler.validate(loud, userId)).resolves.toHaveProperty("userId", userId);
	});

	test.each(["invalidate", "invalidateToken"] as const)(
		"%s deletes a token, given as a string or a Token, and needs none",
		async (method) => {
			const handler = open();
			const [first, second] = [await handler.issue(userId), await handler.issue(userId)];
			const kept = await handler.issue(userId);
			for (let again = 0; again < 2; again++) {
				await handler[method](first.toString(), userId);
				await handler[method](second, userId);
			}
			expect(sqlite.keys().map(({ id }) => id)).toEqual([keyId("name", userId, `${kept}`)]);
			await expect(handler.validate(first, userId)).rejects.toEqual(INVALID);
		},
	);

	test("invalidateAllUserTokens deletes the user's tokens of this name, including expired ones, and no other key", async () => {
		const handler = open();
		const other = await sqlite.createUser("other");
		const expires = NOW - 60_000;
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
		const ids = sqlite.keys().map(({ id }) => id);
		expect(ids.sort()).toEqual(kept.map(({ id }) => id).sort());
	});

	test.each(["getAllUserTokens", "getUserTokens"] as const)(
		"%s lists valid and expired tokens in the order of their expiry, and then of their ids",
		async (method) => {
			const handler = open();
			for (const [token, at] of [
				["b", 9],
				["old", 1],
				["c", 9],
				["a", 9],
				["new", 5],
			] as const) {
				const id = keyId("name", userId, token);
				sqlite.insertKey({ id, user_id: userId, expires: NOW + at });
			}
			vi.setSystemTime(NOW + 2);
			const listed = await handler[method](userId);
			expect(listed.map(String)).toEqual(["old", "new", "a", "b", "c"]);
			const expired = [true, false, false, false, false];
			expect(listed.map((token) => token.expired)).toEqual(expired);
			expect(listed.map(({ key }) => key.expired)).toEqual(expired);
			expect(new Set(listed.map((token) => token.userId))).toEqual(new Set([userId]));
			expect(sqlite.keys()).toHaveLength(5);
		},
	);

	test("all methods work without their object", async () => {
		const handler = open();
		const { issue, validate, getToken, invalidate, withdraw } = handler;
		const { getAllUserTokens, invalidateAllUserTokens, deleteExpiredUserTokens } = handler;
		const token = await issue(userId);
		await getToken(token, userId);
		await validate(token, userId);
		await invalidate(await issue(userId), userId);
		await withdraw(await issue(userId));
		await issue(userId);
		await deleteExpiredUserTokens(userId);
		expect(await getAllUserTokens(userId)).toHaveLength(1);
		await invalidateAllUserTokens(userId);
		expect(sqlite.tokens()).toEqual([]);
	});
});

describe("in a transaction of the app's", () => {
	const refused = (option: string) =>
		new Error(
			`${option} does not hold in a transaction, because a rollback forgets what was counted: ` +
				"pass the pool, or call this outside of the transaction",
		);

	const open = async (isInTransaction: NonNullable<KeyStore["isInTransaction"]>) => {
		const store = { ...toKeyStore(sqlite.auth), isInTransaction };
		const code = passwordToken(store, "code", { expiresIn: MINUTE });
		return { store, code, token: await code.issue(userId) };
	};

	test.each([
		["at once", () => true],
		["later", async () => true],
	])("a handler with a limit throws if the store reports a transaction %s", async (_, tells) => {
		const { store, code, token } = await open(tells);
		const link = idToken(store, "link", { expiresIn: MINUTE, minInterval: 60 });
		sqlite.calls.length = 0;
		for (const value of [token, "wrong"]) {
			await expect(code.validate(value, userId)).rejects.toEqual(refused("maxAttempts"));
			await expect(code.getToken(value, userId)).rejects.toEqual(refused("maxAttempts"));
		}
		await expect(link.issue(userId)).rejects.toEqual(refused("minInterval"));
		expect(sqlite.calls).toEqual([]);
	});

	test("what needs no count goes on", async () => {
		const { store, code, token } = await open(() => true);
		const link = idToken(store, "link", { expiresIn: MINUTE, maxTokensPerUser: 2 });
		await expect(link.validate(await link.issue(userId))).resolves.toBeInstanceOf(Token);
		const free = passwordToken(store, "code", { maxAttempts: Infinity });
		await expect(free.validate(token, userId)).resolves.toBeInstanceOf(Token);
		await code.invalidate(await code.issue(userId), userId);
		await expect(code.validate("é", userId)).rejects.toEqual(INVALID);
	});

	test("a handler works if the store reports no transaction", async () => {
		const { code, token } = await open(async () => false);
		await expect(code.validate(token, userId)).resolves.toBeInstanceOf(Token);
	});
});
