import type { Auth } from "lucia-auth";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { idToken, type KeyStore, passwordToken } from "../../src/index.js";
import type { KeyStoreHarness } from "../../src/testing.js";
import { casesOf, type Database, type StoreKind, toStore } from "../support/database.js";
import { tokenError } from "../support/errors.js";

/** A store on a database. */
export interface Contender extends KeyStoreHarness {
	readonly source: Auth | KeyStore;
	close(): Promise<void>;
}

const unique = (): string => `n${crypto.randomUUID().slice(0, 18)}`;

const succeeded = (results: readonly PromiseSettledResult<unknown>[]): number =>
	results.filter(({ status }) => status === "fulfilled").length;

/** Checks that both stores return the expiry of a key as a number, whatever type the driver returns. */
export const expectNumericExpiry = async (db: Database): Promise<void> => {
	const key = { id: "n:a", userId: "u", expires: 4_000_000_000_000 };
	await db.sql("INSERT INTO auth_user (id) VALUES (?)", ["u"]);
	for (const store of [db.nativeSource, toStore(db.defaultSource)]) {
		await store.insert(key);
		expect(await store.get(key.id)).toEqual(key);
		expect(await store.getAllByUser("u", "n:")).toEqual([key]);
		expect(await store.consume(key.id)).toEqual(key);
	}
};

/**
 * What a token type does, whatever the store and the database. */
export const behavior = (
	name: string,
	open: () => Promise<Contender>,
	kind: StoreKind = "native",
): void => {
	describe(name, () => {
		let db: Contender;
		beforeAll(async () => {
			db = await open();
		});
		afterAll(() => db.close());

		test.each(casesOf(kind).map((one) => [one.name, one.run]))("%s", (_name, run) => run(db));

		const user = async (id = unique()): Promise<string> => {
			await db.createUser(id);
			return id;
		};

		// A used token may leave its spent row, and wrong ones leave attempts.
		const tokenIds = async (userId: string): Promise<string[]> =>
			(await db.getRows(userId)).map(({ id }) => id).filter((id) => !id.startsWith(":"));

		test("an id token is valid once and names its user", async () => {
			const handler = idToken(db.source, unique(), { expiresIn: 60 });
			const userId = await user();
			const token = await handler.issue(userId);
			expect((await handler.getToken(`${token}`)).userId).toBe(userId);
			const results = await Promise.allSettled(
				Array.from({ length: 10 }, () => handler.validate(`${token}`)),
			);
			expect(succeeded(results)).toBe(1);
			await expect(handler.validate(token)).rejects.toEqual(tokenError("INVALID_TOKEN"));
			expect(await tokenIds(userId)).toEqual([]);
		});

		test("a password token is valid once, with its user's id", async () => {
			const handler = passwordToken(db.source, unique(), { expiresIn: 60 });
			const [userId, other] = [await user(), await user()];
			const token = await handler.issue(userId);
			await expect(handler.validate(token, other)).rejects.toEqual(tokenError("INVALID_TOKEN"));
			const results = await Promise.allSettled(
				Array.from({ length: 10 }, () => handler.validate(`${token}`, userId)),
			);
			expect(succeeded(results)).toBe(1);
			expect(await tokenIds(userId)).toEqual([]);
		});

		test("a password token is guessed at five times by a hundred calls at once", async () => {
			const handler = passwordToken(db.source, unique(), { expiresIn: 60 });
			const userId = await user();
			const token = await handler.issue(userId);
			const calls = Array.from({ length: 100 }, () => handler.getToken("wrong", userId));
			expect(succeeded(await Promise.allSettled(calls))).toBe(0);
			// The code and a key for each attempt.
			expect(await db.getRows(userId)).toHaveLength(6);
			await expect(handler.validate(token, userId)).rejects.toEqual(tokenError("INVALID_TOKEN"));
			const next = await handler.issue(userId);
			await expect(handler.validate(token, userId)).rejects.toEqual(tokenError("INVALID_TOKEN"));
			await expect(handler.validate(next, userId)).resolves.toHaveProperty("userId", userId);
			// The first code stays until it expires, and has no attempt left.
			expect(await handler.getAllUserTokens(userId)).toEqual([]);
		});

		test("a password token is invalid after five wrong ones", async () => {
			const handler = passwordToken(db.source, unique(), { expiresIn: 60 });
			const userId = await user();
			await handler.issue(userId);
			for (let count = 0; count < 5; count++) {
				await expect(handler.validate("wrong", userId)).rejects.toEqual(
					tokenError("INVALID_TOKEN"),
				);
			}
			expect(await handler.getAllUserTokens(userId)).toEqual([]);
		});

		test("a flood of tokens stays within its limit, and the newest works", async () => {
			const handler = idToken(db.source, unique(), { expiresIn: 60, maxTokensPerUser: 2 });
			const userId = await user();
			await Promise.all(Array.from({ length: 10 }, () => handler.issue(userId)));
			const left = await handler.getAllUserTokens(userId);
			expect(left).toHaveLength(2);
			await expect(handler.validate(left[1] ?? "")).resolves.toHaveProperty("userId", userId);
		});

		test("minInterval lets one of ten concurrent calls issue, also once the last interval is over", async () => {
			const options = { expiresIn: 60, minInterval: 60 };
			const start = Date.now();
			const clock = vi.spyOn(Date, "now").mockReturnValue(start);
			try {
				for (const handler of [
					idToken(db.source, unique(), options),
					passwordToken(db.source, unique(), options),
				]) {
					const userId = await user();
					for (const passed of [0, 60_000]) {
						clock.mockReturnValue(start + passed);
						const calls = Array.from({ length: 10 }, () => handler.issue(userId));
						const results = await Promise.allSettled(calls);
						expect(succeeded(results)).toBe(1);
						for (const result of results) {
							if (result.status === "fulfilled") continue;
							expect(result.reason).toEqual(tokenError("ISSUED_RECENTLY"));
						}
						expect(await handler.getAllUserTokens(userId)).toHaveLength(1);
						await handler.invalidateAllUserTokens(userId);
						// It holds after the token is gone.
						clock.mockReturnValue(start + passed + 59_001);
						await expect(handler.issue(userId)).rejects.toMatchObject({
							message: "ISSUED_RECENTLY",
							retryAfter: 1,
						});
					}
					await expect(handler.issue(unique())).rejects.toEqual(tokenError("INVALID_USER_ID"));
					clock.mockReturnValue(start + 2 * 60 * 60_000);
					await handler.deleteExpiredUserTokens(userId);
					expect(await db.getRows(userId)).toEqual([]);
				}
			} finally {
				clock.mockRestore();
			}
		});

		test("a token that is not stored starts no interval", async () => {
			const name = unique();
			const generate = () => "same";
			const userId = await user();
			await idToken(db.source, name, { expiresIn: 60, generate }).issue(userId);
			const spaced = idToken(db.source, name, { expiresIn: 60, minInterval: 60, generate });
			await expect(spaced.issue(userId)).rejects.toEqual(tokenError("DUPLICATE_TOKEN"));
			await idToken(db.source, name, { expiresIn: 60, minInterval: 60 }).issue(userId);
		});

		test("a bound token is valid with its text alone, and stays good with another", async () => {
			const secret = "0123456789abcdef0123456789abcdef";
			const options = { expiresIn: 60, storeToken: "hashed" } as const;
			const [link, code] = [
				idToken(db.source, unique(), options),
				passwordToken(db.source, unique(), { ...options, secret }),
			];
			const bound = { boundTo: "a@example.com" };
			const userId = await user();
			const [linked, coded] = [
				`${await link.issue(userId, bound)}`,
				`${await code.issue(userId, bound)}`,
			];
			for (const other of [undefined, { boundTo: "A@example.com" }]) {
				await expect(link.validate(linked, other)).rejects.toEqual(tokenError("INVALID_TOKEN"));
				const attempt = code.validate(coded, userId, other);
				await expect(attempt).rejects.toEqual(tokenError("INVALID_TOKEN"));
			}
			expect((await link.getToken(linked, bound)).userId).toBe(userId);
			expect((await link.validate(linked, bound)).userId).toBe(userId);
			expect((await code.validate(coded, userId, bound)).userId).toBe(userId);
		});

		test("handlers of one name work on each other's tokens, whatever their other options", async () => {
			const name = unique();
			const userId = await user();
			const long = { expiresIn: 60 * 60 * 24 * 7, length: 64, generate: () => "a".repeat(64) };
			await idToken(db.source, name, long).issue(userId);
			const brief = await idToken(db.source, name, { expiresIn: 60 }).issue(userId);
			// As Lucia's documentation makes them, and as apps do that only validate.
			for (const validator of [
				idToken(db.source, name),
				idToken(db.source, name, { expiresIn: 0 }),
			]) {
				const tokens = await validator.getAllUserTokens(userId);
				await validator.validate(`${tokens[0]}`);
			}
			await expect(idToken(db.source, name).validate(brief)).rejects.toEqual(
				tokenError("INVALID_TOKEN"),
			);
			await expect(idToken(db.source, name).issue(userId)).rejects.toThrow(TypeError);
		});

		test("a hashed token is stored as a digest alone, and valid once", async () => {
			const userId = await user();
			const secret = "0123456789abcdef0123456789abcdef";
			const options = { expiresIn: 60, storeToken: "hashed" } as const;
			const link = idToken(db.source, unique(), options);
			const code = passwordToken(db.source, unique(), { ...options, secret });
			const tokens = [await link.issue(userId), await code.issue(userId)];
			for (const row of await db.getRows(userId)) {
				expect(row.id).toMatch(/[:.](hmac-)?sha256 [0-9a-f]{64}$/);
			}
			for (const token of tokens) {
				const calls = Array.from({ length: 10 }, () =>
					token === tokens[0] ? link.validate(token) : code.validate(token, userId),
				);
				expect(succeeded(await Promise.allSettled(calls))).toBe(1);
			}
			await link.issue(userId);
			const [listed] = await link.getAllUserTokens(userId);
			await expect(link.validate(`${listed}`)).rejects.toEqual(tokenError("INVALID_TOKEN"));
			await link.invalidate(`${listed}`);
			expect(await link.getAllUserTokens(userId)).toEqual([]);
		});

		test("a token is good in its last millisecond, and expired once after it", async () => {
			const handler = idToken(db.source, unique(), { expiresIn: 60 });
			const userId = await user();
			const [first, second] = [await handler.issue(userId), await handler.issue(userId)];
			const clock = vi.spyOn(Date, "now");
			try {
				clock.mockReturnValue(first.expiresAt.getTime());
				await handler.validate(first);
				clock.mockReturnValue(second.expiresAt.getTime() + 1);
				await expect(handler.getToken(second)).rejects.toEqual(tokenError("EXPIRED_TOKEN"));
				await expect(handler.validate(second)).rejects.toEqual(tokenError("EXPIRED_TOKEN"));
				await expect(handler.validate(second)).rejects.toEqual(tokenError("INVALID_TOKEN"));
			} finally {
				clock.mockRestore();
			}
			expect(await tokenIds(userId)).toEqual([]);
		});

		test.each([
			["a NUL", "a\0b"],
			["a lone surrogate", "a\ud800b"],
			["another case", "abc"],
			["an accent", "ÁBC"],
			["what is over 255 characters with the name", "A".repeat(256)],
		])("a token with %s is invalid, and the real one survives", async (_what, value) => {
			const name = unique();
			const ids = idToken(db.source, name, { expiresIn: 60, generate: () => "ABC" });
			const codes = passwordToken(db.source, unique(), { expiresIn: 60, generate: () => "ABC" });
			const userId = await user();
			await ids.issue(userId);
			await codes.issue(userId);
			for (const attempt of ["validate", "getToken"] as const) {
				await expect(ids[attempt](value)).rejects.toEqual(tokenError("INVALID_TOKEN"));
				await expect(codes[attempt](value, userId)).rejects.toEqual(tokenError("INVALID_TOKEN"));
				await expect(codes[attempt]("ABC", value)).rejects.toEqual(tokenError("INVALID_TOKEN"));
			}
			await ids.invalidate(value);
			await codes.invalidate(value, userId);
			await ids.validate("ABC");
			await codes.validate("ABC", userId);
		});

		test.each(["a\0b", "a\ud800b", "A".repeat(256), "nobody"])(
			"there is no user %j",
			async (userId) => {
				const handler = idToken(db.source, unique(), { expiresIn: 60 });
				await expect(handler.issue(userId)).rejects.toEqual(tokenError("INVALID_USER_ID"));
				const list = handler.getAllUserTokens(userId);
				await expect(list).rejects.toEqual(tokenError("INVALID_USER_ID"));
				await handler.invalidateAllUserTokens(userId);
			},
		);

		test("a token may fill an id of 255 characters", async () => {
			const name = unique();
			const length = 254 - name.length;
			const handler = idToken(db.source, name, { expiresIn: 60, length });
			const token = await handler.issue(await user());
			expect(`${token}`).toHaveLength(length);
			await handler.validate(`${token}`);
		});

		test("a token that is stored is a duplicate", async () => {
			const options = { expiresIn: 60, generate: () => "same" };
			const handler = idToken(db.source, unique(), options);
			const [userId, other] = [await user(), await user()];
			const results = await Promise.allSettled(
				Array.from({ length: 5 }, () => handler.issue(userId)),
			);
			expect(succeeded(results)).toBe(1);
			await expect(handler.issue(other)).rejects.toEqual(tokenError("DUPLICATE_TOKEN"));
			expect((await handler.validate("same")).userId).toBe(userId);
		});

		test.each(["a.b.c", "a:b:", `o'"b`, "100%", "a_b", "%", "_", "a\\b", "é𝄞"])(
			"user id %s: its tokens alone are listed and revoked",
			async (part) => {
				const name = unique();
				const userId = await user(`${part}${unique()}`);
				const other = await user(userId.replace(/[.:'"%_\\]/g, "x") + "2");
				const longer = await user(`${userId}.1`);
				for (const handler of [
					idToken(db.source, name, { expiresIn: 60 }),
					passwordToken(db.source, name, { expiresIn: 60 }),
				]) {
					const tokens = [await handler.issue(userId), await handler.issue(userId)];
					const kept = [await handler.issue(other), await handler.issue(longer)];
					const listed = await handler.getAllUserTokens(userId);
					expect(listed.map(String).sort()).toEqual(tokens.map(String).sort());
					await handler.invalidateAllUserTokens(userId);
					expect(await handler.getAllUserTokens(userId)).toEqual([]);
					expect((await handler.getAllUserTokens(other)).map(String)).toEqual([String(kept[0])]);
					expect((await handler.getAllUserTokens(longer)).map(String)).toEqual([String(kept[1])]);
					await handler.invalidateAllUserTokens(other);
					await handler.invalidateAllUserTokens(longer);
				}
			},
		);

		test("a type whose name is the other's prefix keeps to its own tokens", async () => {
			const name = unique();
			const options = { expiresIn: 60, generate: () => "same" };
			const [short, long] = [
				idToken(db.source, name, options),
				idToken(db.source, `${name}-2`, options),
			];
			const userId = await user();
			await short.issue(userId);
			await long.issue(userId);
			expect(await short.getAllUserTokens(userId)).toHaveLength(1);
			await short.invalidateAllUserTokens(userId);
			await short.invalidate("-2:same");
			await expect(short.validate("-2:same")).rejects.toEqual(tokenError("INVALID_TOKEN"));
			await long.validate("same");
		});

		if (kind === "own tables") return;

		test("persistent keys of the same name stay as they are", async () => {
			const name = unique();
			const userId = await user();
			const row = {
				id: `${name}:login`,
				user_id: userId,
				primary_key: false,
				hashed_password: null,
				expires: null,
			};
			await db.insertRow(row);
			const handler = idToken(db.source, name, { expiresIn: 60 });
			await expect(handler.validate("login")).rejects.toEqual(tokenError("INVALID_TOKEN"));
			await handler.invalidate("login");
			await handler.invalidateAllUserTokens(userId);
			expect(await handler.getAllUserTokens(userId)).toEqual([]);
			expect(await db.getRows(userId)).toEqual([row]);
		});
	});
};
