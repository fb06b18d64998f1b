import { describe, expect, test } from "vitest";
import { idToken, type KeyStore, passwordToken } from "../../src/index.js";
import { memory, type MemoryOptions } from "../../src/stores/memory.js";
import { keyStoreCases, type KeyStoreHarness } from "../../src/testing.js";
import { tokenError } from "../support/errors.js";

// The store has nothing below it, so the cases reach its rows through its own operations.
const open = (): KeyStoreHarness & { readonly inserted: boolean[] } => {
	const users = new Set<string>();
	const store = memory({ isUser: async (id) => users.has(id) });
	const inserted: boolean[] = [];
	return {
		store,
		inserted,
		hasLoginKeys: false,
		createUser: async (id) => {
			users.add(id);
		},
		insertRow: async ({ id, user_id, primary_key, hashed_password, expires }) => {
			inserted.push(!primary_key && hashed_password === null && expires !== null);
			await store.insert({ id, userId: user_id, expires: Number(expires) });
		},
		getRows: async (userId) => {
			const keys = users.has(userId) ? await store.getAllByUser(userId, "") : [];
			return keys.map(({ id, expires }) => ({
				id,
				user_id: userId,
				primary_key: false,
				hashed_password: null,
				expires,
			}));
		},
	};
};

const LIVE = { expiresIn: 60 };

const outcomes = async (calls: readonly Promise<unknown>[]): Promise<Record<string, number>> => {
	const counts: Record<string, number> = {};
	for (const result of await Promise.allSettled(calls)) {
		const outcome = result.status === "fulfilled" ? "fulfilled" : (result.reason as Error).message;
		counts[outcome] = (counts[outcome] ?? 0) + 1;
	}
	return counts;
};

const times = (length: number, call: () => Promise<unknown>): Promise<unknown>[] =>
	Array.from({ length }, call);

describe("memory()", () => {
	test.each(keyStoreCases)("$name", async ({ run }) => {
		const harness = open();
		await run(harness);
		// A case keeps to what such a store can hold.
		expect(harness.inserted).not.toContain(false);
	});

	test("has every optional operation but isInTransaction: there are no transactions", () => {
		const all: readonly (keyof KeyStore)[] = [
			"insert",
			"get",
			"consume",
			"consumeAndRevoke",
			"delete",
			"getAllByUser",
			"deleteAllByUser",
			"deleteExpiredByUser",
			"deleteExpired",
			"deleteOldest",
			"takeAttempts",
			"consumeAndDelete",
		];
		expect(Object.keys(memory()).sort()).toEqual([...all].sort());
	});

	test("a link is used by one of 1,000 concurrent calls", async () => {
		const link = idToken(memory(), "link", LIVE);
		const token = `${await link.issue("u")}`;
		const counts = await outcomes(times(1000, () => link.validate(token)));
		expect(counts).toEqual({ fulfilled: 1, INVALID_TOKEN: 999 });
	});

	test("of 1,000 concurrent wrong guesses, a code counts five", async () => {
		const store = memory();
		const code = passwordToken(store, "code", LIVE);
		const token = `${await code.issue("u")}`;
		expect(await outcomes(times(1000, () => code.validate("x", "u")))).toEqual({
			INVALID_TOKEN: 1000,
		});
		expect(await store.getAllByUser("u", ":code:")).toHaveLength(5);
		await expect(code.validate(token, "u")).rejects.toEqual(tokenError("INVALID_TOKEN"));
	});

	test("minInterval lets one of 1,000 concurrent calls issue", async () => {
		const link = idToken(memory(), "link", { ...LIVE, minInterval: 60 });
		const counts = await outcomes(times(1000, () => link.issue("u")));
		expect(counts).toEqual({ fulfilled: 1, ISSUED_RECENTLY: 999 });
	});

	test("a link and a code that revoke each other: one of 1,000 concurrent calls succeeds", async () => {
		const store = memory();
		const [link, code] = [idToken(store, "link", LIVE), passwordToken(store, "code", LIVE)];
		const [linked, coded] = [`${await link.issue("u")}`, `${await code.issue("u")}`];
		const revoke = { revoke: ["link", "code"] };
		const counts = await outcomes([
			...times(500, () => link.validate(linked, revoke)),
			...times(500, () => code.validate(coded, "u", revoke)),
		]);
		expect(counts).toEqual({ fulfilled: 1, INVALID_TOKEN: 999 });
	});

	test("without isUser, every id but an empty one is a user's", async () => {
		const link = idToken(memory(), "link", LIVE);
		expect(await link.getAllUserTokens("anyone")).toEqual([]);
		expect((await link.validate(await link.issue("anyone"))).userId).toBe("anyone");
		await expect(link.issue("")).rejects.toEqual(tokenError("INVALID_USER_ID"));
	});

	test("isUser tells who is a user, at once or later", async () => {
		for (const isUser of [(id: string) => id === "u", async (id: string) => id === "u"]) {
			const link = idToken(memory({ isUser }), "link", LIVE);
			expect((await link.issue("u")).userId).toBe("u");
			await expect(link.issue("v")).rejects.toEqual(tokenError("INVALID_USER_ID"));
			const list = link.getAllUserTokens("v");
			await expect(list).rejects.toEqual(tokenError("INVALID_USER_ID"));
		}
	});

	test("an error of isUser reaches the caller, and nothing is stored", async () => {
		const error = new Error("no connection");
		let fails = true;
		const isUser = (): boolean => {
			if (fails) throw error;
			return true;
		};
		const link = idToken(memory({ isUser }), "link", LIVE);
		await expect(link.issue("u")).rejects.toBe(error);
		fails = false;
		expect(await link.getAllUserTokens("u")).toEqual([]);
	});

	test("two stores share nothing", async () => {
		const [one, other] = [idToken(memory(), "link", LIVE), idToken(memory(), "link", LIVE)];
		const token = `${await one.issue("u")}`;
		await expect(other.validate(token)).rejects.toEqual(tokenError("INVALID_TOKEN"));
		await one.validate(token);
	});

	test.each([
		["an option that there is not", { isuser: () => true }, "isuser is not an option"],
		["isUser that is no function", { isUser: ["u"] }, "isUser must be a function"],
		["options that are no object", new Set(["u"]), "options must be an object"],
	])("rejects %s", (_what, options, message) => {
		expect(() => memory(options as MemoryOptions)).toThrow(
			expect.objectContaining({
				name: "TypeError",
				message: expect.stringContaining(message) as string,
			}),
		);
	});
});
