import { createHash, createHmac } from "node:crypto";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import {
	type BindingOptions,
	type IdTokenOptions,
	idToken,
	type PasswordTokenOptions,
	passwordToken,
	type Token,
} from "../src/index.js";
import { attemptPrefix, spentId } from "../src/key-id.js";
import { tokenError } from "./support/errors.js";
import { withoutUser } from "./support/handlers.js";
import { openForEach, sqlite } from "./support/sqlite.js";
import { NOT_STRINGS } from "./support/values.js";

const INVALID = tokenError("INVALID_TOKEN");
const SECRET = "0123456789abcdef0123456789abcdef";
const BOUND = { boundTo: "a@example.com" };
const OTHERS = [undefined, {}, { boundTo: "b@example.com" }, { boundTo: "" }, { boundTo: "a" }];

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
const hmac = (text: string) => createHmac("sha256", SECRET).update(text).digest("hex");

const user = "user";
openForEach();

const links = (options: IdTokenOptions = {}) =>
	withoutUser(idToken(sqlite.auth, "link", { expiresIn: 60, storeToken: "hashed", ...options }));

const codes = (options: PasswordTokenOptions = {}, name = "code") => {
	const hashed = { storeToken: "hashed", secret: SECRET } as const;
	const defaults = { expiresIn: 60, maxAttempts: Infinity, ...hashed };
	return passwordToken(sqlite.auth, name, { ...defaults, ...options });
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
		open: links,
		openPlain: () => links({ storeToken: "plain" }),
		digestOf: (text: string) => `sha256 ${sha256(text)}`,
		pattern: /^[a-zA-Z0-9]{43}$/,
	},
	{
		kind: "code",
		prefix: "code:user.",
		open: codes,
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
		await expect(open().getToken(`${first}`, user)).resolves.toHaveProperty("userId", user);
		expect(`${await open().validate(`${first}`, user)}`).toBe(`${first}`);
		await expect(open().validate(`${first}`, user)).rejects.toEqual(INVALID);
		await open().invalidate(`${second}`, user);
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
					await expect(use(identify(listed), user)).rejects.toEqual(INVALID);
					await expect(use(hex, user)).rejects.toEqual(INVALID);
				}
			}
			await open().invalidate(identify(listed), user);
			expect(sqlite.tokens()).toEqual([]);
		}
	});

	test("lives beside plain ones: each validates under its own handler, and both can be listed and revoked", async () => {
		const handlers = [open(), openPlain()] as const;
		const [hashed, plain] = [await handlers[0].issue(user), await handlers[1].issue(user)];
		await expect(openPlain().validate(`${hashed}`, user)).rejects.toEqual(INVALID);
		await expect(open().validate(`${plain}`, user)).rejects.toEqual(INVALID);
		for (const handler of handlers) {
			expect(await handler.getAllUserTokens(user)).toHaveLength(2);
		}
		await openPlain().validate(`${plain}`, user);
		await open().validate(`${hashed}`, user);
		for (const handler of handlers) await handler.issue(user);
		for (const token of await open().getAllUserTokens(user)) await open().invalidate(token, user);
		expect(sqlite.tokens()).toEqual([]);
	});

	test("that is bound validates with its string only, and stays valid after a call without it", async () => {
		const token = await open().issue(user, BOUND);
		for (const options of [...OTHERS, ...NOT_STRINGS.map(([, boundTo]) => ({ boundTo }))]) {
			const given = options as BindingOptions;
			await expect(open().getToken(`${token}`, user, given)).rejects.toEqual(INVALID);
			await expect(open().validate(token, user, given)).rejects.toEqual(INVALID);
		}
		await expect(open().getToken(`${token}`, user, BOUND)).resolves.toHaveProperty("userId", user);
		await expect(open().validate(token, user, BOUND)).resolves.toHaveProperty("userId", user);
		await expect(open().validate(token, user, BOUND)).rejects.toEqual(INVALID);
		const unbound = await open().issue(user);
		await expect(open().validate(unbound, user, BOUND)).rejects.toEqual(INVALID);
		await expect(open().validate(unbound, user, {})).resolves.toHaveProperty("userId", user);
	});

	test("that is bound can be invalidated by its value with the string, or as a Token without the string", async () => {
		const token = await open().issue(user, BOUND);
		for (const options of OTHERS) await open().invalidate(`${token}`, user, options);
		expect(sqlite.keys()).toHaveLength(1);
		await open().invalidate(`${token}`, user, BOUND);
		expect(sqlite.keys()).toEqual([]);
		await open().invalidate(await open().issue(user, BOUND), user);
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
		await expect(openPlain().validate(token, user, BOUND)).rejects.toEqual(INVALID);
		await expect(openPlain().validate(token, user)).resolves.toHaveProperty("userId", user);
	});
});

describe("a hashed link", () => {
	test.each([
		[{}, 19],
		[{ alphabet: "BCDFGHJKMNPQRSTVWXYZ" }, 26],
	])(
		"has from the length that 112 bits need up to 255 characters: with %o, %i",
		async (options, min) => {
			expect(() => links({ ...options, length: min - 1 })).toThrow(
				new RangeError(`length must be a whole number from ${min} to 255`),
			);
			for (const length of [min, 255]) {
				expect(`${await links({ ...options, length }).issue(user)}`).toHaveLength(length);
			}
		},
	);

	test("that the app generates needs 112 bits", async () => {
		const hex = "0123456789abcdef".repeat(2);
		const generated = (value: string) => links({ length: 1, generate: () => value });
		await expect(generated(hex.slice(5)).issue(user)).rejects.toEqual(
			new RangeError(
				"the return value of generate must be a string of 1 to 255 visible ASCII characters that can hold 112 bits",
			),
		);
		expect(sqlite.tokens()).toEqual([]);
		const token = await generated(hex.slice(4)).issue(user);
		await expect(links().validate(token, user)).resolves.toHaveProperty("userId", user);
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
		await expect(codes({}, "code2").validate(token, user)).rejects.toEqual(INVALID);
		await expect(codes().validate(token, other)).rejects.toEqual(INVALID);
		await expect(codes({ secret: SECRET.toUpperCase() }).validate(token, user)).rejects.toEqual(
			INVALID,
		);
		await expect(codes().validate(token, user)).resolves.toHaveProperty("userId", user);
	});

	test("that is bound counts an attempt with another string", async () => {
		const handler = codes({ maxAttempts: 2 });
		const token = await handler.issue(user, BOUND);
		for (const options of [undefined, { boundTo: "other" }, BOUND]) {
			await expect(handler.validate(token, user, options)).rejects.toEqual(INVALID);
		}
	});
});

test.each([
	["link", (name: string) => idToken(sqlite.auth, name, { storeToken: "hashed" }), 183],
	["code", (name: string) => codes({ maxAttempts: 5 }, name), 155],
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
		expect(() => codes({ storeToken, secret: secret as string })).toThrow(new type(message));
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
