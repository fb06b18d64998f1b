import { format, inspect } from "node:util";
import { describe, expect, test, vi } from "vitest";
import { type SingleUseKey, Token } from "../src/token.js";
import { NOT_STRINGS } from "./support/values.js";

const SECRET = "s3cretValue";

const keyOf = (expiresAt = new Date(Date.now() + 60_000)): SingleUseKey => ({
	type: "single_use",
	userId: "user",
	providerId: "name",
	providerUserId: SECRET,
	passwordDefined: false,
	expiresAt,
	expired: false,
});

describe("Token", () => {
	test("tells its value, its user, its expiry, and its key", () => {
		const key = keyOf();
		const token = new Token(SECRET, key);
		expect(token.toString()).toBe(SECRET);
		expect(`/sign-in/${token}`).toBe(`/sign-in/${SECRET}`);
		expect(format("%s", token)).toBe(SECRET);
		expect(token.userId).toBe("user");
		expect(token.expiresAt).toBe(key.expiresAt);
		expect(token.key).toBe(key);
	});

	test("is expired from one millisecond after its last, as of when that is read", () => {
		vi.useFakeTimers({ now: 1_000_000 });
		const token = new Token(SECRET, keyOf(new Date(1_000_000)));
		expect(token.expired).toBe(false);
		vi.setSystemTime(1_000_001);
		expect(token.expired).toBe(true);
		vi.useRealTimers();
	});

	test.each<[string, (value: unknown) => string]>([
		["console.log and util.inspect", (value) => inspect(value)],
		[
			"util.inspect with everything shown",
			(value) => inspect(value, { showHidden: true, depth: null, getters: true }),
		],
		["JSON.stringify", (value) => JSON.stringify(value)],
		["spread", (value) => inspect({ ...(value as object) }, { depth: null })],
		["structuredClone", (value) => inspect(structuredClone(value), { depth: null })],
		["%o", (value) => format("%o", value)],
		["its keys", (value) => inspect(Reflect.ownKeys(value as object))],
	])("does not show its secret to %s", (_, print) => {
		const token = new Token(SECRET, keyOf());
		expect(print(token)).not.toContain(SECRET);
		expect(print({ holder: [token] })).not.toContain(SECRET);
		expect(print(token)).toContain("user");
	});

	test("shows its user, its expiry and whether that is over when it is printed", () => {
		const token = new Token(SECRET, keyOf(new Date(0)));
		expect(inspect(token)).toBe(
			"{ userId: 'user', expiresAt: 1970-01-01T00:00:00.000Z, expired: true }",
		);
		expect(JSON.stringify(token)).toBe('{"userId":"user","expiresAt":"1970-01-01T00:00:00.000Z"}');
	});

	test.each(NOT_STRINGS)("refuses %s as its value", (_, value) => {
		expect(() => new Token(value as string, keyOf())).toThrow(
			new TypeError("value must be a string"),
		);
	});

	test.each([undefined, null, {}, "key", { ...keyOf(), expiresAt: 0 }])(
		"refuses %j as its key",
		(key) => {
			expect(() => new Token(SECRET, key as SingleUseKey)).toThrow(
				new TypeError("key must be a single-use key"),
			);
		},
	);
});
