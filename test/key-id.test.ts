import fc from "fast-check";
import { createHash, createHmac } from "node:crypto";
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { type IdTokenOptions, idToken, passwordToken, type Token } from "../src/index.js";
import { attemptPrefix, isStorable, isTokenValue, spentId } from "../src/key-id.js";
import { tokenError } from "./support/errors.js";
import { openSqlite, type Sqlite } from "./support/sqlite.js";
import { NOT_STRINGS, NOT_TOKENS, UNSTORABLE_STRINGS } from "./support/values.js";

const INVALID = tokenError("INVALID_TOKEN");
const SECRET = "0123456789abcdef0123456789abcdef";

let sqlite: Sqlite;
let user: string;
beforeEach(async () => {
	sqlite = openSqlite();
	user = await sqlite.createUser("user");
});
afterEach(() => sqlite.db.close());

const links = (options: Partial<IdTokenOptions> = {}) =>
	idToken(sqlite.auth, "link", { expiresIn: 60, storeToken: "hashed", ...options });
const plainLinks = () => idToken(sqlite.auth, "link", { expiresIn: 60 });
const codes = (secret = SECRET, name = "code") =>
	passwordToken(sqlite.auth, name, { expiresIn: 60, storeToken: "hashed", secret });

/** The one key that is stored, behind the prefix of its id. */
const stored = (prefix: string): string => {
	const [key, ...others] = sqlite.tokens();
	expect(others).toEqual([]);
	expect(key?.id.startsWith(prefix)).toBe(true);
	return key?.id.slice(prefix.length) ?? "";
};

describe("a hashed id token", () => {
	test("is stored only as its SHA-256 digest", async () => {
		const token = await links().issue(user);
		const digest = createHash("sha256").update(`${token}`).digest("hex");
		expect(stored("link:")).toBe(`sha256 ${digest}`);
		expect(`${token}`).toMatch(/^[a-zA-Z0-9]{43}$/);
		expect(token.key.providerUserId).toBe(`sha256 ${digest}`);
	});

	test("can be read, validated once and invalidated by its value", async () => {
		const [first, second] = [await links().issue(user), await links().issue(user)];
		await expect(links().getToken(`${first}`)).resolves.toHaveProperty("userId", user);
		const validated = await links().validate(`${first}`);
		expect(`${validated}`).toBe(`${first}`);
		await expect(links().validate(`${first}`)).rejects.toEqual(INVALID);
		await links().invalidate(`${second}`);
		expect(sqlite.tokens()).toEqual([]);
	});

	test("is listed by its digest, which can invalidate it and never validates", async () => {
		for (const identify of [String, (token: Token) => token]) {
			await links().issue(user);
			const [listed] = await links().getAllUserTokens(user);
			if (!listed) throw new Error("nothing is listed");
			expect(listed.toString()).toBe(stored("link:"));
			for (const handler of [links(), plainLinks()]) {
				for (const use of [handler.validate, handler.getToken]) {
					await expect(use(identify(listed))).rejects.toEqual(INVALID);
					await expect(use(stored("link:").slice("sha256 ".length))).rejects.toEqual(INVALID);
				}
			}
			await links().invalidate(identify(listed));
			expect(sqlite.tokens()).toEqual([]);
		}
	});

	test("is revoked with the others of its user", async () => {
		await links().issue(user);
		await plainLinks().issue(user);
		await links().invalidateAllUserTokens(user);
		expect(sqlite.tokens()).toEqual([]);
	});

	test("does not validate under a plain handler, nor a plain one under a hashed", async () => {
		const [hashed, plain] = [await links().issue(user), await plainLinks().issue(user)];
		await expect(plainLinks().validate(`${hashed}`)).rejects.toEqual(INVALID);
		await expect(links().validate(`${plain}`)).rejects.toEqual(INVALID);
		await expect(plainLinks().validate(`${plain}`)).resolves.toHaveProperty("userId", user);
		await expect(links().validate(`${hashed}`)).resolves.toHaveProperty("userId", user);
	});

	test("is listed beside plain ones, each of which the list can revoke", async () => {
		await links().issue(user);
		await plainLinks().issue(user);
		for (const handler of [links(), plainLinks()]) {
			const listed = await handler.getAllUserTokens(user);
			expect(listed).toHaveLength(2);
		}
		for (const token of await links().getAllUserTokens(user)) await links().invalidate(token);
		expect(sqlite.tokens()).toEqual([]);
	});

	test("may have any length, since its digest has one", async () => {
		const token = await links({ length: 255 }).issue(user);
		expect(`${token}`).toHaveLength(255);
		await expect(links().validate(token)).resolves.toHaveProperty("userId", user);
	});

	test.each([1, 8, 18])(
		"requires a longer length than %d when the handler is created",
		(length) => {
			expect(() => links({ length })).toThrow(
				new RangeError("length must be a whole number from 19 to 255"),
			);
			expect(() => links({ length: 19 })).not.toThrow();
		},
	);

	test("requires the length that 112 bits need with an alphabet of its own", async () => {
		const alphabet = "BCDFGHJKMNPQRSTVWXYZ";
		expect(() => links({ alphabet, length: 25 })).toThrow(
			new RangeError("length must be a whole number from 26 to 255"),
		);
		const handler = links({ alphabet, length: 26 });
		const token = `${await handler.issue(user)}`.toLowerCase();
		await expect(handler.validate(token)).resolves.toHaveProperty("userId", user);
	});

	test.each([
		"12345678",
		"1".repeat(33),
		"0123456789abcdef".repeat(2).slice(5),
		"a".repeat(18),
		"!".repeat(17),
	])("is refused as %j of the app's own, at issue, without repeating it", async (value) => {
		const handler = links({ length: 1, generate: () => value });
		await expect(handler.issue(user)).rejects.toEqual(
			new RangeError(
				"the return value of generate must be a string of 1 to 255 visible ASCII characters that can hold 112 bits",
			),
		);
		expect(sqlite.tokens()).toEqual([]);
	});

	test.each([
		"1".repeat(34),
		"0123456789abcdef".repeat(2).slice(4),
		"3d5e1a6e-7a1c-4a0e-8a53-1c0b9f6f4f0a",
	])("is taken as %j of the app's own", async (value) => {
		const handler = links({ generate: () => value });
		await handler.issue(user);
		await expect(handler.validate(value)).resolves.toHaveProperty("userId", user);
	});

	test("is generated again if it has too few different characters", async () => {
		const draws = ["1".repeat(21), "V1StGXR8_Z5jdHi6B-myT"].values();
		const handler = links({ generate: () => String(draws.next().value) });
		expect(`${await handler.issue(user)}`).toBe("V1StGXR8_Z5jdHi6B-myT");
	});

	test("is taken from the default generator whatever it draws, since its length is enough", async () => {
		// Digits alone, as 19 of 62 characters can be.
		const fill = vi.spyOn(crypto, "getRandomValues").mockImplementation((bytes) => {
			(bytes as unknown as Uint8Array).fill(61);
			return bytes;
		});
		onTestFinished(() => fill.mockRestore());
		expect(`${await links({ length: 19 }).issue(user)}`).toBe("9".repeat(19));
	});

	test("limits the length of the name to leave room for its digest", () => {
		const make = (length: number) => () =>
			idToken(sqlite.auth, "n".repeat(length), { expiresIn: 60, storeToken: "hashed" });
		expect(make(183)).not.toThrow();
		expect(make(184)).toThrow(/^name must be a string of 1 to 183 characters/);
	});
});

describe("a hashed password token", () => {
	test("is stored as an HMAC-SHA-256 of its name, user and value", async () => {
		const token = await codes().issue(user);
		const digest = createHmac("sha256", SECRET).update(`code:user.\0${token}`).digest("hex");
		expect(stored("code:user.")).toBe(`hmac-sha256 ${digest}`);
		expect(`${token}`).toMatch(/^[0-9]{8}$/);
	});

	test("can be read, validated once and invalidated by its value", async () => {
		const [first, second] = [await codes().issue(user), await codes().issue(user)];
		await codes().getToken(`${first}`, user);
		await expect(codes().validate(`${first}`, user)).resolves.toHaveProperty("userId", user);
		await expect(codes().validate(`${first}`, user)).rejects.toEqual(INVALID);
		await codes().invalidate(`${second}`, user);
		const [listed] = (await codes().issue(user)) && (await codes().getAllUserTokens(user));
		await codes().invalidate(`${listed}`, user);
		expect(await codes().getAllUserTokens(user)).toEqual([]);
	});

	test("is invalid with another secret, name or user", async () => {
		const other = await sqlite.createUser("other");
		const token = await codes().issue(user);
		const digest = stored("code:user.");
		// As if the stored digest had been copied to where another handler or user looks.
		for (const id of [`code2:user.${digest}`, `code:other.${digest}`]) {
			sqlite.insertKey({
				id,
				user_id: id.includes("other") ? other : user,
				expires: Date.now() + 1e6,
			});
		}
		await expect(codes(SECRET, "code2").validate(token, user)).rejects.toEqual(INVALID);
		await expect(codes().validate(token, other)).rejects.toEqual(INVALID);
		await expect(codes(SECRET.toUpperCase()).validate(token, user)).rejects.toEqual(INVALID);
		await expect(codes().validate(token, user)).resolves.toHaveProperty("userId", user);
	});

	test("has another digest for a user and a token that join to the same text", async () => {
		const handler = (value: string) =>
			passwordToken(sqlite.auth, "code", {
				expiresIn: 60,
				storeToken: "hashed",
				secret: SECRET,
				generate: () => value,
			});
		const [a, ab] = [await sqlite.createUser("a"), await sqlite.createUser("a.b")];
		await handler("b.c").issue(a);
		await handler("c").issue(ab);
		const [first, second] = sqlite.tokens().map(({ id }) => id.split("hmac-sha256 ")[1]);
		expect(first).not.toBe(second);
		await expect(handler("").validate("c", a)).rejects.toEqual(INVALID);
		await expect(handler("").validate("b.c", a)).resolves.toHaveProperty("userId", a);
	});

	test("limits the length of the name to leave room for its digest", () => {
		expect(() => codes(SECRET, "n".repeat(155))).not.toThrow();
		expect(() => codes(SECRET, "n".repeat(156))).toThrow(/^name must be a string of 1 to 155 /);
	});

	test("allows as many attempts as a plain one", async () => {
		const token = await codes().issue(user);
		for (let count = 0; count < 5; count++) {
			await expect(codes().validate("00000000", user)).rejects.toEqual(INVALID);
		}
		await expect(codes().validate(token, user)).rejects.toEqual(INVALID);
	});
});

describe("storeToken and secret", () => {
	const attempt = (make: typeof idToken | typeof passwordToken, options: object) => () =>
		make(sqlite.auth, "name", { expiresIn: 60, ...options });

	test.each([idToken, passwordToken])("are optional, and the default is plain", (make) => {
		expect(attempt(make, {})).not.toThrow();
		expect(attempt(make, { storeToken: "plain" })).not.toThrow();
	});

	test.each([idToken, passwordToken])("reject any other value", (make) => {
		const message = 'storeToken must be "plain" or "hashed"';
		for (const storeToken of ["", "hash", "Hashed"]) {
			expect(attempt(make, { storeToken })).toThrow(new RangeError(message));
		}
		for (const storeToken of [null, true, 1, {}]) {
			expect(attempt(make, { storeToken })).toThrow(new TypeError(message));
		}
	});

	test("require each other for password tokens", () => {
		const message = "secret must be a string of 32 characters or more";
		const hashed = { storeToken: "hashed" };
		expect(attempt(passwordToken, hashed)).toThrow(new TypeError(message));
		expect(attempt(passwordToken, { ...hashed, secret: 1 })).toThrow(new TypeError(message));
		expect(attempt(passwordToken, { ...hashed, secret: SECRET.slice(1) })).toThrow(
			new RangeError(message),
		);
		// A secret without hashing is a mistake that would go unnoticed.
		expect(attempt(passwordToken, { secret: SECRET })).toThrow(
			new RangeError('storeToken must be "hashed" when there is a secret'),
		);
	});

	test("never appear in an error", () => {
		for (const secret of ["s3cret", SECRET]) {
			try {
				attempt(passwordToken, { secret, storeToken: secret === SECRET ? "plain" : "hashed" })();
			} catch (error) {
				expect(String(error)).not.toContain(secret);
			}
		}
		expect.assertions(2);
	});
});

describe("isStorable", () => {
	test.each(["a", "a".repeat(255), "a.b:c'd\"e%f_g", "ä 🔑", " "])("accepts %j", (value) => {
		expect(isStorable(value)).toBe(true);
	});

	test.each([...NOT_STRINGS, ...UNSTORABLE_STRINGS])("rejects %s", (_, value) => {
		expect(isStorable(value)).toBe(false);
	});
});

describe("isTokenValue", () => {
	test("accepts all visible ASCII characters", () => {
		const visible = String.fromCharCode(...Array.from({ length: 94 }, (_, index) => 0x21 + index));
		expect(isTokenValue(visible, 94)).toBe(true);
	});

	test.each([...NOT_STRINGS, ...NOT_TOKENS])("rejects %s", (_, value) => {
		expect(isTokenValue(value, 255)).toBe(false);
	});

	test("accepts up to the given number of characters", () => {
		expect(isTokenValue("a".repeat(250), 250)).toBe(true);
		expect(isTokenValue("a".repeat(251), 250)).toBe(false);
	});
});

describe("internal ids", () => {
	const EXPIRES = 1_700_000_000_000;
	const keyOf = (id: string, expires = EXPIRES) => ({ id, userId: "user", expires });

	test("name the key and its expiry, behind a colon", async () => {
		expect(await spentId(keyOf("name:token"))).toBe(`:name:token ${EXPIRES}`);
		expect(attemptPrefix(keyOf("name:user.code"))).toBe(`:name:user.code ${EXPIRES} `);
	});

	test("of a spent row hold the digest of an id that is too long, and fit the column with any expiry", async () => {
		const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
		for (const expires of [0, EXPIRES, 102_000_000_000_000]) {
			const room = 255 - `: ${expires}`.length;
			const [fits, tooLong] = ["a".repeat(room), "a".repeat(room + 1)];
			expect(await spentId(keyOf(fits, expires))).toBe(`:${fits} ${expires}`);
			expect(await spentId(keyOf(tooLong, expires))).toBe(`:${sha256(tooLong)} ${expires}`);
		}
	});

	test("differ for different keys and expiries", async () => {
		const part = fc.string({
			unit: fc.constantFrom("a", ".", ":", "1"),
			minLength: 1,
			maxLength: 300,
		});
		const key = fc.record({ id: part, expires: fc.integer({ min: 0, max: 120 }) });
		await fc.assert(
			fc.asyncProperty(key, key, async (one, other) => {
				fc.pre(one.id !== other.id || one.expires !== other.expires);
				const [first, second] = [keyOf(one.id, one.expires), keyOf(other.id, other.expires)];
				expect(await spentId(first)).not.toBe(await spentId(second));
				expect(attemptPrefix(first)).not.toBe(attemptPrefix(second));
			}),
		);
	});
});
