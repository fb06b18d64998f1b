import fc from "fast-check";
import { createHash, createHmac } from "node:crypto";
import { beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import {
	type BindingOptions,
	type IdTokenOptions,
	idToken,
	passwordToken,
	type Token,
} from "../src/index.js";
import { attemptPrefix, spentId } from "../src/key-id.js";
import { tokenError } from "./support/errors.js";
import { openStopped, type Sqlite } from "./support/sqlite.js";
import { NOT_STRINGS } from "./support/values.js";

const INVALID = tokenError("INVALID_TOKEN");
const SECRET = "0123456789abcdef0123456789abcdef";
const BOUND = { boundTo: "a@example.com" };
const OTHERS = [undefined, {}, { boundTo: "b@example.com" }, { boundTo: "" }, { boundTo: "a" }];

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
const hmac = (text: string) => createHmac("sha256", SECRET).update(text).digest("hex");

const user = "user";
let sqlite: Sqlite;
beforeEach(async () => {
	sqlite = await openStopped();
});

const links = (options: Partial<IdTokenOptions> = {}) =>
	idToken(sqlite.auth, "link", { expiresIn: 60, storeToken: "hashed", ...options });

const codesOf = (options: object = {}, name = "code") => {
	const defaults = { expiresIn: 60, maxAttempts: Infinity, storeToken: "hashed", secret: SECRET };
	return passwordToken(sqlite.auth, name, { ...defaults, ...options } as object);
};

/** A handler of the user's codes that has the signature of one of links. */
const codes = (options: object = {}) => {
	const handler = codesOf(options);
	type Given = [token: string | Token, options?: BindingOptions];
	return {
		...handler,
		validate: (...[token, options]: Given) => handler.validate(token, user, options),
		getToken: (...[token, options]: Given) => handler.getToken(token, user, options),
		invalidate: (...[token, options]: Given) => handler.invalidate(token, user, options),
	};
};

/** The one key that is stored, behind the prefix of its id. */
const stored = (prefix: string): string => {
	const [key, ...others] = sqlite.tokens();
	expect(others).toEqual([]);
	expect(key?.id.startsWith(prefix)).toBe(true);
	return key?.id.slice(prefix.length) ?? "";
};

describe.each([
	{
		kind: "link",
		prefix: "link:",
		open: () => links(),
		openPlain: () => links({ storeToken: "plain" }),
		digestOf: (text: string) => `sha256 ${sha256(text)}`,
		pattern: /^[a-zA-Z0-9]{43}$/,
	},
	{
		kind: "code",
		prefix: "code:user.",
		open: () => codes(),
		openPlain: () => codes({ storeToken: "plain", secret: undefined }),
		digestOf: (text: string) => `hmac-sha256 ${hmac(`code:user.\0${text}`)}`,
		pattern: /^[0-9]{8}$/,
	},
])("a hashed $kind", ({ prefix, open, openPlain, digestOf, pattern }) => {
	test.each([
		[undefined, ""],
		[BOUND, `\0${BOUND.boundTo}`],
	])(
		"is stored only as its digest, with a NUL and the string if it is bound: %o",
		async (options, binding) => {
			const token = await open().issue(user, options);
			expect(stored(prefix)).toBe(digestOf(`${token}${binding}`));
			expect(`${token}`).toMatch(pattern);
			expect(JSON.stringify(token.key)).not.toContain(`${token}`);
			expect(JSON.stringify([token, token.key])).not.toContain(BOUND.boundTo);
		},
	);

	test("can be read, used once, and invalidated by its value", async () => {
		const [first, second] = [await open().issue(user), await open().issue(user)];
		await expect(open().getToken(`${first}`)).resolves.toHaveProperty("userId", user);
		expect(`${await open().validate(`${first}`)}`).toBe(`${first}`);
		await expect(open().validate(`${first}`)).rejects.toEqual(INVALID);
		await open().invalidate(`${second}`);
		expect(sqlite.tokens()).toEqual([]);
	});

	test("is listed by its digest, which can invalidate it and never validates", async () => {
		for (const identify of [String, (token: Token) => token]) {
			await open().issue(user);
			const [listed] = await open().getAllUserTokens(user);
			if (!listed) throw new Error("nothing is listed");
			expect(listed.toString()).toBe(stored(prefix));
			const [, hex = ""] = listed.toString().split(" ");
			for (const handler of [open(), openPlain()]) {
				for (const use of [handler.validate, handler.getToken]) {
					await expect(use(identify(listed))).rejects.toEqual(INVALID);
					await expect(use(hex)).rejects.toEqual(INVALID);
				}
			}
			await open().invalidate(identify(listed));
			expect(sqlite.tokens()).toEqual([]);
		}
	});

	test("lives beside plain ones: each validates under its own handler, and both can be listed and revoked", async () => {
		const handlers = [open(), openPlain()] as const;
		const [hashed, plain] = [await handlers[0].issue(user), await handlers[1].issue(user)];
		await expect(openPlain().validate(`${hashed}`)).rejects.toEqual(INVALID);
		await expect(open().validate(`${plain}`)).rejects.toEqual(INVALID);
		for (const handler of handlers) {
			expect(await handler.getAllUserTokens(user)).toHaveLength(2);
		}
		await openPlain().validate(`${plain}`);
		await open().validate(`${hashed}`);
		for (const handler of handlers) await handler.issue(user);
		for (const token of await open().getAllUserTokens(user)) await open().invalidate(token);
		expect(sqlite.tokens()).toEqual([]);
	});

	test("that is bound validates with its string only, and stays valid after a call without it", async () => {
		const token = await open().issue(user, BOUND);
		for (const options of [...OTHERS, ...NOT_STRINGS.map(([, boundTo]) => ({ boundTo }))]) {
			const given = options as BindingOptions;
			await expect(open().getToken(`${token}`, given)).rejects.toEqual(INVALID);
			await expect(open().validate(token, given)).rejects.toEqual(INVALID);
		}
		await expect(open().getToken(`${token}`, BOUND)).resolves.toHaveProperty("userId", user);
		await expect(open().validate(token, BOUND)).resolves.toHaveProperty("userId", user);
		await expect(open().validate(token, BOUND)).rejects.toEqual(INVALID);
		const unbound = await open().issue(user);
		await expect(open().validate(unbound, BOUND)).rejects.toEqual(INVALID);
		await expect(open().validate(unbound, {})).resolves.toHaveProperty("userId", user);
	});

	test("that is bound can be invalidated by its value with the string, or as a Token without the string", async () => {
		const token = await open().issue(user, BOUND);
		for (const options of OTHERS) await open().invalidate(`${token}`, options);
		expect(sqlite.keys()).toHaveLength(1);
		await open().invalidate(`${token}`, BOUND);
		expect(sqlite.keys()).toEqual([]);
		await open().invalidate(await open().issue(user, BOUND));
		expect(sqlite.keys()).toEqual([]);
	});

	// An undefined string may be that of a missing cookie.
	test.each<readonly [string, unknown]>([
		["the empty string", ""],
		["a lone surrogate", "a\ud800"],
		...NOT_STRINGS,
	])("cannot be bound to %s", async (_, boundTo) => {
		const type = typeof boundTo === "string" ? RangeError : TypeError;
		await expect(open().issue(user, { boundTo } as never)).rejects.toEqual(
			new type("boundTo must be a non-empty string without lone surrogates"),
		);
		expect(sqlite.keys()).toEqual([]);
	});

	test("can be bound, and a plain one cannot", async () => {
		await expect(openPlain().issue(user, BOUND)).rejects.toEqual(
			new TypeError('boundTo needs storeToken: "hashed"'),
		);
		const token = await openPlain().issue(user);
		await expect(openPlain().validate(token, BOUND)).rejects.toEqual(INVALID);
		await expect(openPlain().validate(token)).resolves.toHaveProperty("userId", user);
	});
});

describe("a hashed link", () => {
	test.each([
		[{}, 19],
		[{ alphabet: "BCDFGHJKMNPQRSTVWXYZ" }, 26],
	])(
		"has from the length that 112 bits need up to 255 characters: with %o, %i",
		async (options, min) => {
			for (const length of [1, min - 1]) {
				expect(() => links({ ...options, length })).toThrow(
					new RangeError(`length must be a whole number from ${min} to 255`),
				);
			}
			for (const length of [min, 255]) {
				const token = await links({ ...options, length }).issue(user);
				expect(`${token}`).toHaveLength(length);
				await expect(links().validate(token)).resolves.toHaveProperty("userId", user);
			}
		},
	);

	test.each([
		["12345678", false],
		["1".repeat(33), false],
		["1".repeat(34), true],
		["0123456789abcdef".repeat(2).slice(5), false],
		["0123456789abcdef".repeat(2).slice(4), true],
		["a".repeat(18), false],
		["!".repeat(17), false],
		["3d5e1a6e-7a1c-4a0e-8a53-1c0b9f6f4f0a", true],
	])("that the app generates needs 112 bits: %j is good: %s", async (value, isGood) => {
		const handler = links({ length: 1, generate: () => value });
		if (isGood) {
			await handler.issue(user);
			await expect(handler.validate(value)).resolves.toHaveProperty("userId", user);
			return;
		}
		await expect(handler.issue(user)).rejects.toEqual(
			new RangeError(
				"the return value of generate must be a string of 1 to 255 visible ASCII characters that can hold 112 bits",
			),
		);
		expect(sqlite.tokens()).toEqual([]);
	});

	test.each([
		[2, "V1StGXR8_Z5jdHi6B-myT"],
		[3, "RangeError"],
	])("is generated again after %i with too few different characters: %s", async (poor, outcome) => {
		const draws = [...Array<string>(poor).fill("1".repeat(21)), "V1StGXR8_Z5jdHi6B-myT"].values();
		const handler = links({ generate: () => String(draws.next().value) });
		const result = handler.issue(user).then(String, (error: Error) => error.name);
		expect(await result).toBe(outcome);
	});

	test("is taken from the default generator whatever it draws, since its length is enough", async () => {
		// Digits alone, as 19 of 62 characters can be.
		const fill = vi
			.spyOn(crypto, "getRandomValues")
			.mockImplementation((bytes) => (bytes as unknown as Uint8Array).fill(61));
		onTestFinished(() => fill.mockRestore());
		expect(`${await links({ length: 19 }).issue(user)}`).toBe("9".repeat(19));
	});
});

describe("a hashed code", () => {
	test("is invalid with another secret, name or user", async () => {
		const other = await sqlite.createUser("other");
		const token = await codes().issue(user);
		const digest = stored("code:user.");
		// As if the stored digest had been copied to where another handler or user looks.
		const expires = Date.now() + 1e6;
		sqlite.insertKey({ id: `code2:user.${digest}`, user_id: user, expires });
		sqlite.insertKey({ id: `code:other.${digest}`, user_id: other, expires });
		await expect(codesOf({}, "code2").validate(token, user)).rejects.toEqual(INVALID);
		await expect(codesOf().validate(token, other)).rejects.toEqual(INVALID);
		await expect(codes({ secret: SECRET.toUpperCase() }).validate(token)).rejects.toEqual(INVALID);
		await expect(codes().validate(token)).resolves.toHaveProperty("userId", user);
	});

	test("that is bound counts an attempt with another string", async () => {
		const handler = codes({ maxAttempts: 2 });
		const token = await handler.issue(user, BOUND);
		for (const options of [undefined, { boundTo: "other" }, BOUND]) {
			await expect(handler.validate(token, options)).rejects.toEqual(INVALID);
		}
	});

	test("shares its digest with no other pair of token and string", async () => {
		const part = fc.string({
			unit: fc.constantFrom("a", "b", "!", "\0"),
			minLength: 1,
			maxLength: 4,
		});
		const value = part.map((text) => text.replaceAll("\0", "~"));
		await fc.assert(
			fc.asyncProperty(value, part, value, part, async (token, text, otherToken, otherText) => {
				fc.pre(token !== otherToken || text !== otherText);
				// Handlers know nothing of each other, so two of them must not make the same token at one time.
				vi.advanceTimersByTime(1);
				const handler = codes({ generate: () => token });
				await handler.issue(user, { boundTo: text });
				const other = handler.validate(otherToken, { boundTo: otherText });
				await expect(other).rejects.toEqual(INVALID);
				await handler.validate(token, { boundTo: text });
			}),
		);
	});

	test("has another digest for a user and a token that join to the same string", async () => {
		const [a, ab] = [await sqlite.createUser("a"), await sqlite.createUser("a.b")];
		await codes({ generate: () => "b.c" }).issue(a);
		await codes({ generate: () => "c" }).issue(ab);
		const [first, second] = sqlite.tokens().map(({ id }) => id.split("hmac-sha256 ")[1]);
		expect(first).not.toBe(second);
	});
});

test.each([
	["link", (name: string) => idToken(sqlite.auth, name, { storeToken: "hashed" }), 183],
	["code", (name: string) => codesOf({ maxAttempts: 5 }, name), 155],
] as const)("the name of a hashed %s leaves room for the digest", (_, make, room) => {
	expect(() => make("n".repeat(room))).not.toThrow();
	expect(() => make("n".repeat(room + 1))).toThrow(`name must be a string of 1 to ${room} `);
});

test.each([
	["hashed", undefined, TypeError, "secret must be a string of 32 characters or more"],
	["hashed", 1, TypeError, "secret must be a string of 32 characters or more"],
	["hashed", SECRET.slice(1), RangeError, "secret must be a string of 32 characters or more"],
	// A secret without hashing is a mistake that would go unnoticed.
	["plain", SECRET, RangeError, 'storeToken must be "hashed" when there is a secret'],
] as const)(
	"storeToken %s with the secret %o is a %o that does not show it",
	(storeToken, secret, type, message) => {
		expect(() => codes({ storeToken, secret })).toThrow(new type(message));
	},
);

describe("internal ids", () => {
	const EXPIRES = 1_700_000_000_000;
	const keyOf = (id: string, expires = EXPIRES) => ({ id, userId: "user", expires });

	test("name the key and its expiry, behind a colon", async () => {
		expect(await spentId(keyOf("name:token"))).toBe(`:name:token ${EXPIRES}`);
		expect(attemptPrefix(keyOf("name:user.code"))).toBe(`:name:user.code ${EXPIRES} `);
	});

	test("of a spent row hold the digest of an id that is too long, and fit the column with any expiry", async () => {
		for (const expires of [0, EXPIRES, 102_000_000_000_000]) {
			const room = 255 - `: ${expires}`.length;
			const [fits, tooLong] = ["a".repeat(room), "a".repeat(room + 1)];
			expect(await spentId(keyOf(fits, expires))).toBe(`:${fits} ${expires}`);
			expect(await spentId(keyOf(tooLong, expires))).toBe(`:${sha256(tooLong)} ${expires}`);
		}
	});
});
