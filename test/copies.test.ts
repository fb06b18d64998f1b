import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import * as ours from "../src/index.js";
import type { KeyStore } from "../src/index.js";
import { toKeyStore } from "../src/stores/lucia.js";
import { openSqlite, type Sqlite } from "./support/sqlite.js";

// A bundler or a workspace may load this package twice. Each copy has classes of its own.

vi.resetModules();
const theirs = await import("../src/index.js");
const { toKeyStore: toTheirKeyStore } = await import("../src/stores/lucia.js");

type Package = typeof ours;
const COPIES: readonly (readonly [string, Package, Package])[] = [
	["this copy", ours, theirs],
	["the other copy", theirs, ours],
];

const NOW = 1_000_001;
const MINUTE = 60;
let sqlite: Sqlite;
let userId: string;
beforeEach(async () => {
	vi.useFakeTimers({ now: NOW, toFake: ["Date"] });
	sqlite = openSqlite();
	userId = await sqlite.createUser("user");
});
afterEach(() => {
	vi.useRealTimers();
	sqlite.db.close();
});

test("the two copies do not share their classes", () => {
	expect(theirs.LuciaTokenError).not.toBe(ours.LuciaTokenError);
	expect(theirs.Token).not.toBe(ours.Token);
});

describe.each(COPIES)("instanceof of a class of %s", (_, one, other) => {
	test("recognizes the errors of both copies, and those of their subclasses", () => {
		class Sub extends other.LuciaTokenError {}
		for (const error of [
			new one.LuciaTokenError("INVALID_TOKEN"),
			new other.LuciaTokenError("INVALID_TOKEN"),
			new Sub("INVALID_TOKEN"),
		]) {
			expect(error instanceof one.LuciaTokenError).toBe(true);
			expect(error instanceof Error).toBe(true);
		}
	});

	test.each([
		[
			"an Error of the same name and message",
			Object.assign(new Error("INVALID_TOKEN"), { name: "LuciaTokenError" }),
		],
		["the prototype of a class", Object.getPrototypeOf(ours.LuciaTokenError.prototype) as unknown],
		["a plain object", { name: "LuciaTokenError", message: "INVALID_TOKEN" }],
		["a text", "INVALID_TOKEN"],
		["null", null],
		["undefined", undefined],
	])("takes %s for no error of this package, and for no token", (_, value) => {
		expect(value instanceof one.LuciaTokenError).toBe(false);
		expect(value instanceof one.Token).toBe(false);
	});

	test("stays narrow for a subclass", () => {
		class SubError extends one.LuciaTokenError {}
		class SubToken extends one.Token {}
		const { key } = new one.Token("x", keyOf());
		expect(new SubError("INVALID_TOKEN") instanceof SubError).toBe(true);
		expect(new SubToken("x", key) instanceof SubToken).toBe(true);
		for (const { LuciaTokenError, Token } of [one, other]) {
			expect(new LuciaTokenError("INVALID_TOKEN") instanceof SubError).toBe(false);
			expect(new Token("x", key) instanceof SubToken).toBe(false);
		}
	});

	test("recognizes the tokens of both copies, and nothing that only looks like one", () => {
		const token = new other.Token("x", keyOf());
		expect(token instanceof one.Token).toBe(true);
		expect({ ...token } instanceof one.Token).toBe(false);
		expect(Object.create(other.Token.prototype) instanceof one.Token).toBe(false);
		expect(new Proxy(token, {}) instanceof one.Token).toBe(false);
	});
});

const keyOf = (): ours.SingleUseKey => ({
	type: "single_use",
	userId: "user",
	providerId: "name",
	providerUserId: "x",
	passwordDefined: false,
	expiresAt: new Date(NOW),
	expired: false,
});

describe.each([
	["this copy on a store of the other", ours, () => toTheirKeyStore(sqlite.auth)],
	["the other copy on a store of this one", theirs, () => toKeyStore(sqlite.auth)],
] as const)("a handler of %s", (_, { idToken, passwordToken }, toStore) => {
	let store: KeyStore;
	beforeEach(() => {
		store = toStore();
	});

	test("answers an unknown user with its own errors", async () => {
		const code = passwordToken(store, "code", { expiresIn: MINUTE });
		await expect(code.issue("nobody")).rejects.toThrow("INVALID_USER_ID");
		await expect(code.getAllUserTokens("nobody")).rejects.toThrow("INVALID_USER_ID");
		await expect(code.validate("12345678", "nobody")).rejects.toThrow("INVALID_TOKEN");
	});

	test("throws ISSUED_RECENTLY for all but one of ten calls at once", async () => {
		const link = idToken(store, "link", { expiresIn: MINUTE, minInterval: 60 });
		const calls = Array.from({ length: 10 }, () =>
			link.issue(userId).then(
				() => "issued",
				(error: Error) => error.message,
			),
		);
		const outcomes = (await Promise.all(calls)).sort();
		expect(outcomes).toEqual([...Array<string>(9).fill("ISSUED_RECENTLY"), "issued"]);
	});

	test("counts concurrent wrong codes, and ends each call with INVALID_TOKEN", async () => {
		const code = passwordToken(store, "code", { expiresIn: MINUTE });
		const token = await code.issue(userId);
		const calls = Array.from({ length: 20 }, () =>
			code.validate("wrong", userId).catch((error: Error) => error.message),
		);
		expect(new Set(await Promise.all(calls))).toEqual(new Set(["INVALID_TOKEN"]));
		expect(sqlite.keys()).toHaveLength(1 + 5);
		await expect(code.validate(token, userId)).rejects.toThrow("INVALID_TOKEN");
	});

	test("draws again what is taken, and replaces what has expired", async () => {
		const code = passwordToken(store, "code", {
			expiresIn: MINUTE,
			length: 1,
			maxAttempts: Infinity,
		});
		const issued = new Set<string>();
		for (let count = 0; count < 3; count++) {
			issued.add(`${await code.issue(userId).catch(() => code.issue(userId))}`);
		}
		expect(issued.size).toBe(3);
		const link = idToken(store, "link", { expiresIn: MINUTE, generate: () => "same" });
		await link.issue(userId);
		await expect(link.issue(userId)).rejects.toThrow("DUPLICATE_TOKEN");
		vi.setSystemTime(NOW + 61_000);
		await expect(link.issue(userId)).resolves.toHaveProperty("userId", userId);
	});

	test("uses a token once", async () => {
		const link = idToken(store, "link", { expiresIn: MINUTE });
		const token = await link.issue(userId);
		const calls = Array.from({ length: 10 }, () => link.validate(token));
		const results = await Promise.allSettled(calls);
		expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
	});
});

describe.each(COPIES)("a token that %s issued", (_, one, other) => {
	const open = ({ idToken, passwordToken }: Package) => ({
		link: idToken(sqlite.auth, "link", { expiresIn: MINUTE, storeToken: "hashed" }),
		code: passwordToken(sqlite.auth, "code", { expiresIn: MINUTE }),
	});

	test("is valid for handlers of the other one, as the object it is", async () => {
		const [issuer, user] = [open(one), open(other)];
		const link = await issuer.link.issue(userId);
		const code = await issuer.code.issue(userId);
		await expect(user.link.getToken(link)).resolves.toBeInstanceOf(one.Token);
		await expect(user.link.validate(link)).resolves.toHaveProperty("userId", userId);
		await expect(user.code.validate(code, userId)).resolves.toHaveProperty("userId", userId);
	});

	test("can be revoked and withdrawn by handlers of the other one", async () => {
		const [issuer, user] = [open(one), open(other)];
		await user.link.invalidate(await issuer.link.issue(userId));
		await user.code.invalidate(await issuer.code.issue(userId), userId);
		await user.link.withdraw(await issuer.link.issue(userId));
		expect(sqlite.keys()).toEqual([]);
	});
});
