import { describe, expect, test, vi } from "vitest";
import * as ours from "../src/index.js";
import { toKeyStore } from "../src/stores/lucia.js";
import { NOW, openForEach, sqlite } from "./support/sqlite.js";

// A bundler or a workspace may load this package twice. Each copy has classes of its own.

vi.resetModules();
const theirs = await import("../src/index.js");
const { toKeyStore: toTheirKeyStore } = await import("../src/stores/lucia.js");

type Package = typeof ours;
const COPIES: readonly (readonly [string, Package, Package])[] = [
	["this copy", ours, theirs],
	["the other copy", theirs, ours],
];

const MINUTE = 60;
const userId = "user";
openForEach();

test("the two copies do not share their classes", () => {
	expect(theirs.LuciaTokenError).not.toBe(ours.LuciaTokenError);
	expect(theirs.Token).not.toBe(ours.Token);
});

const KEY: ours.SingleUseKey = {
	type: "single_use",
	userId: "user",
	providerId: "name",
	providerUserId: "x",
	passwordDefined: false,
	expiresAt: new Date(NOW),
	expired: false,
};

describe.each(COPIES)("instanceof of a class of %s", (_, one, other) => {
	class SubError extends other.LuciaTokenError {}
	class SubToken extends other.Token {}
	class ErrorAlike extends Error {
		override name = "LuciaTokenError";
	}

	test("recognizes the errors and tokens of both copies, and those of their subclasses", () => {
		for (const LuciaTokenError of [one.LuciaTokenError, other.LuciaTokenError, SubError]) {
			const error: unknown = new LuciaTokenError("INVALID_TOKEN");
			expect(error instanceof one.LuciaTokenError).toBe(true);
			expect(error instanceof Error).toBe(true);
		}
		for (const Token of [one.Token, other.Token, SubToken]) {
			expect((new Token("x", KEY) as unknown) instanceof one.Token).toBe(true);
		}
	});

	test("stays narrow for a subclass", () => {
		expect(new SubError("INVALID_TOKEN") instanceof SubError).toBe(true);
		expect(new SubToken("x", KEY) instanceof SubToken).toBe(true);
		for (const { LuciaTokenError, Token } of [one, other]) {
			expect(new LuciaTokenError("INVALID_TOKEN") instanceof SubError).toBe(false);
			expect(new Token("x", KEY) instanceof SubToken).toBe(false);
		}
	});

	test.each([
		["an Error of the same name and message", new ErrorAlike("INVALID_TOKEN")],
		["the prototype of a class", Object.getPrototypeOf(ours.LuciaTokenError.prototype) as unknown],
		["a copy of a token", { ...new other.Token("x", KEY) }],
		["an object with the prototype of a token", Object.create(other.Token.prototype) as unknown],
		["a proxy of a token", new Proxy(new other.Token("x", KEY), {})],
		["null", null],
	])("takes %s for no error of this package, and for no token", (_, value) => {
		expect(value instanceof one.LuciaTokenError).toBe(false);
		expect(value instanceof one.Token).toBe(false);
	});
});

// The handler has to recognize the errors of the other copy's store.
describe.each([
	["this copy on a store of the other", ours, () => toTheirKeyStore(sqlite.auth)],
	["the other copy on a store of this one", theirs, () => toKeyStore(sqlite.auth)],
] as const)("a handler of %s", (_, { idToken, passwordToken }, toStore) => {
	test("throws its own errors for an unknown user", async () => {
		const code = passwordToken(toStore(), "code", { expiresIn: MINUTE });
		await expect(code.issue("nobody")).rejects.toThrow("INVALID_USER_ID");
		await expect(code.getAllUserTokens("nobody")).rejects.toThrow("INVALID_USER_ID");
		await expect(code.validate("12345678", "nobody")).rejects.toThrow("INVALID_TOKEN");
	});

	test("throws for a token that is taken, and replaces it once it has expired", async () => {
		const link = idToken(toStore(), "link", { expiresIn: MINUTE, generate: () => "same" });
		await link.issue(userId);
		await expect(link.issue(userId)).rejects.toThrow("DUPLICATE_TOKEN");
		vi.setSystemTime(NOW + 61_000);
		await expect(link.issue(userId)).resolves.toHaveProperty("userId", userId);
	});
});

test.each(COPIES)(
	"a token that %s issued is one for handlers of the other",
	async (_, one, other) => {
		const open = ({ idToken, passwordToken }: Package) => ({
			link: idToken(sqlite.auth, "link", { expiresIn: MINUTE, storeToken: "hashed" }),
			code: passwordToken(sqlite.auth, "code", { expiresIn: MINUTE }),
		});
		const [issuer, user] = [open(one), open(other)];
		const [link, code] = [await issuer.link.issue(userId), await issuer.code.issue(userId)];
		await expect(user.link.getToken(link)).resolves.toBeInstanceOf(one.Token);
		await expect(user.link.validate(link)).resolves.toHaveProperty("userId", userId);
		await expect(user.code.validate(code, userId)).resolves.toHaveProperty("userId", userId);
		await user.link.invalidate(await issuer.link.issue(userId));
		await user.code.invalidate(await issuer.code.issue(userId), userId);
		await user.link.withdraw(await issuer.link.issue(userId));
		expect(sqlite.tokens()).toEqual([]);
	},
);
