import { describe, expect, test, vi } from "vitest";
import { idToken } from "../../src/index.js";
import { memory, type MemoryOptions } from "../../src/stores/memory.js";
import { keyStoreCases, type KeyStoreRow } from "../../src/testing.js";
import { tokenError } from "../support/errors.js";

const LIVE = { expiresIn: 60 };
const UNKNOWN_USER = tokenError("INVALID_USER_ID");

describe("memory()", () => {
	// The store has nothing below it, so the cases reach its rows through its own operations.
	test.each(keyStoreCases)("$name", async ({ run }) => {
		const users = new Set<string>();
		const store = memory({ isUser: async (id) => users.has(id) });
		const rest = { primary_key: false, hashed_password: null };
		await run({
			store,
			hasLoginKeys: false,
			createUser: async (id) => void users.add(id),
			insertRow: async ({ id, user_id: userId, expires, ...others }: KeyStoreRow) => {
				// A case keeps to what such a store can hold.
				expect(others).toEqual(rest);
				await store.insert({ id, userId, expires: expires as number });
			},
			getRows: async (userId) => {
				const keys = users.has(userId) ? await store.getAllByUser(userId, "") : [];
				return keys.map(({ id, expires }) => ({ id, user_id: userId, expires, ...rest }));
			},
		});
	});

	test("has every optional operation but isInTransaction: there are no transactions", () => {
		const OPTIONAL = /^(consumeAnd|deleteExpired$|deleteOldest|takeAttempts|isInTransaction)/;
		expect(Object.keys(memory()).filter((operation) => OPTIONAL.test(operation))).toEqual([
			"consumeAndRevoke",
			"consumeAndDelete",
			"deleteExpired",
			"deleteOldest",
			"takeAttempts",
		]);
	});

	test("without isUser, every id but an empty one is a user's", async () => {
		const links = idToken(memory(), "link", LIVE);
		expect(await links.getAllUserTokens("anyone")).toEqual([]);
		expect((await links.validate(await links.issue("anyone"))).userId).toBe("anyone");
		await expect(links.issue("")).rejects.toEqual(UNKNOWN_USER);
	});

	test.each([(id: string) => id === "u", async (id: string) => id === "u"])(
		"isUser tells who is a user, at once or later: %o",
		async (isUser) => {
			const links = idToken(memory({ isUser }), "link", LIVE);
			expect((await links.issue("u")).userId).toBe("u");
			await expect(links.issue("v")).rejects.toEqual(UNKNOWN_USER);
			await expect(links.getAllUserTokens("v")).rejects.toEqual(UNKNOWN_USER);
		},
	);

	test("an error of isUser reaches the caller, and nothing is stored", async () => {
		const error = new Error("no connection");
		const isUser = vi.fn(async () => true).mockRejectedValueOnce(error);
		const links = idToken(memory({ isUser }), "link", LIVE);
		await expect(links.issue("u")).rejects.toBe(error);
		expect(await links.getAllUserTokens("u")).toEqual([]);
	});

	test("two stores share nothing", async () => {
		const token = `${await idToken(memory(), "link", LIVE).issue("u")}`;
		const other = idToken(memory(), "link", LIVE);
		await expect(other.validate(token)).rejects.toEqual(tokenError("INVALID_TOKEN"));
	});

	test.each([
		["isuser is not an option: the options are isUser", { isuser: () => true }],
		["isUser must be a function", { isUser: ["u"] }],
		["options must be an object", new Set(["u"])],
	])("throws a TypeError: %s", (message, options) => {
		expect(() => memory(options as MemoryOptions)).toThrow(new TypeError(message));
	});
});
