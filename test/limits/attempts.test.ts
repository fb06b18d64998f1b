import * as published from "published";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
	idToken,
	type KeyStore,
	type PasswordTokenOptions,
	passwordToken,
} from "../../src/index.js";
import { betterSqlite3 } from "../../src/stores/better-sqlite3.js";
import { tokenError } from "../support/errors.js";
import { createFault } from "../support/faults.js";
import { openSqlite, type Sqlite } from "../support/sqlite.js";

// What holds for every order of calls is in test/interleavings.

const NOW = 1_000_000;
const HOUR = 60 * 60 * 1000;
const INVALID = tokenError("INVALID_TOKEN");
const EXPIRED = tokenError("EXPIRED_TOKEN");
let sqlite: Sqlite;
let user: string;

const start = async (wrap?: Parameters<typeof openSqlite>[0]) => {
	sqlite = openSqlite(wrap);
	user = await sqlite.createUser("user");
};
beforeEach(async () => {
	vi.useFakeTimers({ now: NOW, toFake: ["Date"] });
	await start();
});
afterEach(() => {
	vi.useRealTimers();
	sqlite.db.close();
});

const open = (options: PasswordTokenOptions = {}) =>
	passwordToken(sqlite.auth, "code", { expiresIn: 60, ...options });

const guess = async (times: number, handler = open(), userId = user) => {
	for (let count = 0; count < times; count++) {
		await expect(handler.validate("wrong", userId)).rejects.toEqual(INVALID);
	}
};

const tries = () => sqlite.keys().filter(({ id }) => id.startsWith(":"));

describe("tries at a code", () => {
	test("are limited to five by default, and the fifth can succeed", async () => {
		const token = await open().issue(user);
		await guess(4);
		await expect(open().validate(token, user)).resolves.toHaveProperty("userId", user);
	});

	test("invalidate every outstanding code when they run out, and no newer code", async () => {
		const [first, second] = [await open().issue(user), await open().issue(user)];
		await guess(5);
		const third = await open().issue(user);
		expect((await open().getAllUserTokens(user)).map(String)).toEqual([`${third}`]);
		for (const token of [first, second]) {
			await expect(open().validate(token, user)).rejects.toEqual(INVALID);
			await expect(open().getToken(token, user)).rejects.toEqual(INVALID);
		}
		// Each of these was a wrong code to the third.
		expect(tries()).toHaveLength(5 + 5 + 4);
		await expect(open().validate(third, user)).resolves.toHaveProperty("userId", user);
	});

	test.each([
		["as long", 60],
		["shorter", 1],
		["longer", 3600],
	])(
		"of a new code with a lifetime that is %s do not include tries at another code",
		async (_, expiresIn) => {
			const old = await open().issue(user);
			await guess(4);
			const handler = open({ expiresIn });
			const token = await handler.issue(user);
			await guess(1, handler);
			await expect(open().validate(old, user)).rejects.toEqual(INVALID);
			await guess(2, handler);
			await expect(handler.validate(token, user)).resolves.toHaveProperty("userId", user);
		},
	);

	test("start again for a code that is issued again after it was consumed", async () => {
		const handler = open({ generate: () => "same" });
		for (let round = 0; round < 3; round++) {
			vi.setSystemTime(NOW + round);
			await handler.issue(user);
			await guess(4, handler);
			await handler.validate("same", user);
		}
	});

	test("do not count wrong codes without an outstanding code", async () => {
		await guess(9);
		await open().issue(user);
		await guess(4);
		vi.setSystemTime(NOW + 60_001);
		await guess(9);
		expect(tries()).toHaveLength(4);
		const token = await open().issue(user);
		await guess(4);
		await expect(open().validate(token, user)).resolves.toHaveProperty("userId", user);
	});

	test("do not hide EXPIRED_TOKEN, and an expired code does not count as an attempt", async () => {
		const [first, second] = [await open().issue(user), await open().issue(user)];
		await guess(5);
		vi.setSystemTime(NOW + 60_001);
		const fresh = await open().issue(user);
		await expect(open().getToken(first, user)).rejects.toEqual(EXPIRED);
		for (const token of [first, second]) {
			await expect(open().validate(token, user)).rejects.toEqual(EXPIRED);
		}
		expect((await open().getAllUserTokens(user)).map(String)).toEqual([`${fresh}`]);
		await guess(4);
		await expect(open().validate(first, user)).rejects.toEqual(INVALID);
		await expect(open().validate(fresh, user)).rejects.toEqual(INVALID);
	});

	test("are limited to five among a thousand concurrent calls", async () => {
		const token = await open({ generate: () => "right" }).issue(user);
		const calls = Array.from({ length: 1000 }, (_, number) =>
			open().getToken(`guess${number}`, user),
		);
		// The right code finds no attempt left, either.
		const results = await Promise.allSettled([...calls, open().getToken("right", user)]);
		expect(results.filter(({ status }) => status === "fulfilled")).toEqual([]);
		const ids = tries().map(({ id }) => id);
		expect(ids.sort()).toEqual(
			[1, 2, 3, 4, 5].map((number): unknown =>
				expect.stringMatching(new RegExp(`^:code:user\\. [0-9]{1,10} ${number}$`)),
			),
		);
		await expect(open().getToken(token, user)).rejects.toEqual(INVALID);
	});

	test("do not count the right code, even in concurrent or repeated calls", async () => {
		const handler = open({ maxAttempts: 2 });
		for (let round = 0; round < 20; round++) {
			const token = await handler.issue(user);
			await guess(1, handler);
			const calls = Array.from({ length: 2 }, () => handler.validate(token, user));
			const results = await Promise.allSettled(calls);
			expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
			for (let again = 0; again < 5; again++) {
				await expect(handler.validate(token, user)).rejects.toEqual(INVALID);
			}
		}
	});

	test("count for each user and each name", async () => {
		const other = await sqlite.createUser("other");
		const alike = await sqlite.createUser("user. 1");
		const second = passwordToken(sqlite.auth, "code2", { expiresIn: 60 });
		const theirs = [await open().issue(other), await open().issue(alike)];
		const ours = await second.issue(user);
		await open().issue(user);
		await guess(6);
		await expect(open().validate(String(theirs[0]), other)).resolves.toHaveProperty(
			"userId",
			other,
		);
		await expect(open().validate(String(theirs[1]), alike)).resolves.toHaveProperty(
			"userId",
			alike,
		);
		await expect(second.validate(ours, user)).resolves.toHaveProperty("userId", user);
	});

	test("do not count values that cannot be a code", async () => {
		const token = await open().issue(user);
		for (const value of ["", "a b", "\0", null, {}, "x".repeat(300)]) {
			await expect(open().validate(value as string, user)).rejects.toEqual(INVALID);
		}
		expect(tries()).toEqual([]);
		await open().validate(token, user);
	});

	test("count wrong codes in getToken, and no right ones", async () => {
		const handler = open({ maxAttempts: 2 });
		const token = await handler.issue(user);
		await expect(handler.getToken("wrong", user)).rejects.toEqual(INVALID);
		for (let count = 0; count < 5; count++) await handler.getToken(token, user);
		expect(tries()).toHaveLength(1);
		await expect(handler.getToken("wrong", user)).rejects.toEqual(INVALID);
		await expect(handler.getToken(token, user)).rejects.toEqual(INVALID);
		await expect(handler.validate(token, user)).rejects.toEqual(INVALID);
		expect(await handler.getAllUserTokens(user)).toEqual([]);
	});

	test("count for all handlers of one name, with any options", async () => {
		const token = await open({ length: 12 }).issue(user);
		const validator = open({ expiresIn: 0, length: 4, maxAttempts: 3 });
		await guess(3, validator);
		await expect(validator.validate(token, user)).rejects.toEqual(INVALID);
		await guess(2, open({ generate: () => "x" }));
		await expect(open().validate(token, user)).rejects.toEqual(INVALID);
	});

	test("expire with their code, and deleteExpiredUserTokens deletes them an hour later", async () => {
		await open().issue(user);
		await guess(5);
		vi.setSystemTime(NOW + 60_000 + HOUR);
		await open().deleteExpiredUserTokens(user);
		expect(sqlite.keys()).toHaveLength(5);
		vi.setSystemTime(NOW + 60_000 + HOUR + 1);
		await open().deleteExpiredUserTokens(user);
		expect(sqlite.keys()).toEqual([]);
	});

	test.each([60, 24 * 60 * 60])(
		"that an early build of 2.0.0 stored count only for codes from before: %d s",
		async (expiresIn) => {
			const handler = open({ expiresIn });
			const token = await handler.issue(user);
			vi.setSystemTime(NOW + 30_000);
			const second = await handler.issue(user);
			for (const number of [1, 2, 3]) {
				const id = `:code:user. ${number}`;
				sqlite.insertKey({ id, user_id: user, expires: NOW + 30_000 + 24 * HOUR });
			}
			await guess(2, handler);
			await expect(handler.validate(second, user)).rejects.toEqual(INVALID);
			await expect(handler.validate(token, user)).rejects.toEqual(INVALID);
			vi.setSystemTime(NOW + 30_001);
			const later = await handler.issue(user);
			await guess(4, handler);
			await expect(handler.validate(later, user)).resolves.toHaveProperty("userId", user);
		},
	);

	test("are unlimited when maxAttempts is Infinity, and store no key", async () => {
		const handler = open({ maxAttempts: Infinity });
		const token = await handler.issue(user);
		await guess(50, handler);
		expect(tries()).toEqual([]);
		await expect(handler.validate(token, user)).resolves.toHaveProperty("userId", user);
	});

	test.each([0, -1, 1.5, 1000, Number.NaN])("cannot be %d", (maxAttempts) => {
		expect(() => open({ maxAttempts })).toThrow(
			new RangeError("maxAttempts must be a whole number from 1 to 999, or Infinity"),
		);
	});

	test("fit in a key ID whenever a code does", async () => {
		const room = 255 - "code:.: 4294967295 999".length;
		const longest = await sqlite.createUser("u".repeat(room + 1));
		await expect(open({ length: 1 }).issue(longest)).rejects.toEqual(tokenError("INVALID_USER_ID"));
		const fits = await sqlite.createUser("u".repeat(room));
		await open({ length: 1 }).issue(fits);
		await guess(3, open(), fits);
		expect(tries()).toHaveLength(3);
	});
});

describe("a database fault during an attempt", () => {
	const CALLS = { right: 7, wrong: 2, look: 4 };

	test.each(["before", "after"] as const)(
		"%s any call reaches the caller, and costs an attempt only if it hides the insert or prevents the release",
		async (when) => {
			for (const [guessed, calls] of Object.entries(CALLS)) {
				for (let at = 0; at < calls; at++) {
					const fault = createFault();
					sqlite.db.close();
					await start(fault.wrap);
					await open({ generate: () => "right" }).issue(user);
					Object.assign(fault, { at: fault.calls.length + at, when });
					const handler = open();
					const call =
						guessed === "look" ? handler.getToken("right", user) : handler.validate(guessed, user);
					const outcome = await call.then(
						() => "ok",
						(error: Error) => error.message,
					);
					// The calls after a success only clean up.
					const isDone = at > (guessed === "look" ? 1 : 4);
					expect(outcome).toBe(isDone ? "ok" : "connection lost");
					const isHidden = when === "after" && at === 1;
					// The fault met the release of the try.
					const isLast = at === calls - 1;
					const isKept = isDone && (isLast ? when === "before" : guessed === "look");
					expect([at, tries().filter(({ id }) => id.startsWith(":code:user. ")).length]).toEqual([
						at,
						isHidden || isKept ? 1 : 0,
					]);
				}
			}
		},
	);
});

test.each(["getAllByUser", "consumeAndDelete", "consume"] as const)(
	"a native store whose %s fails six times costs a code no attempt",
	async (operation) => {
		const store = betterSqlite3(sqlite.db);
		if (operation === "consume") delete store.consumeAndDelete;
		let failures = 6;
		const failing: KeyStore = {
			...store,
			[operation]: async (...args: [never, never]) => {
				if (failures-- > 0) throw new Error("connection lost");
				return store[operation]?.(...args);
			},
		};
		const handler = passwordToken(failing, "code", { expiresIn: 60 });
		const token = await handler.issue(user);
		for (let count = 0; count < 6; count++) {
			await expect(handler.validate(token, user)).rejects.toThrow("connection lost");
		}
		await expect(handler.validate(token, user)).resolves.toHaveProperty("userId", user);
		expect(sqlite.keys()).toEqual([]);
	},
);

describe("a database fault during a wrong attempt with two codes outstanding", () => {
	test("keeps the attempt that was counted", async () => {
		const fault = createFault();
		sqlite.db.close();
		await start(fault.wrap);
		const token = await open({ generate: () => "first" }).issue(user);
		await open({ generate: () => "second" }).issue(user);
		for (let count = 1; count <= 5; count++) {
			Object.assign(fault, { at: fault.calls.length + 2, when: "before" });
			await expect(open().validate("wrong", user)).rejects.toThrow("connection lost");
			expect(tries()).toHaveLength(count);
		}
		await expect(open().validate(token, user)).rejects.toEqual(INVALID);
	});
});

test("neither 1.0.2 nor 2.0 treats an internal row as a token", async () => {
	const options = { expiresIn: 60, minInterval: 60 } as const;
	const hashed = { storeToken: "hashed", secret: "s".repeat(32) } as const;
	const { secret, ...hashedLink } = { ...options, ...hashed };
	const makers = {
		codes: [
			() => published.passwordToken(sqlite.auth as never, "name", options),
			() => passwordToken(sqlite.auth, "name", options),
			() => passwordToken(sqlite.auth, "name", { ...hashedLink, secret }),
		],
		links: [
			() => published.idToken(sqlite.auth as never, "name", options),
			() => idToken(sqlite.auth, "name", options),
			() => idToken(sqlite.auth, "name", hashedLink),
		],
	};
	for (const [kind, number] of [
		["codes", 1],
		["codes", 2],
		["links", 1],
		["links", 2],
	] as const) {
		// A claim stays where its release fails.
		const fault = createFault();
		sqlite.db.close();
		await start((adapter) => ({
			...fault.wrap(adapter),
			deleteNonPrimaryKey: async (id) => {
				if (id.startsWith(":")) throw fault.error;
				return adapter.deleteNonPrimaryKey(id);
			},
		}));
		const handler = makers[kind][number]?.() as ReturnType<typeof passwordToken>;
		const token = await handler.issue(user);
		await handler.validate("wrong", user).catch(() => {});
		await handler.validate(token, user);
		const ids = sqlite.keys().map(({ id }) => id);
		expect(ids.length).toBe(kind === "codes" ? 4 : 2);
		for (const id of ids) {
			expect(id.startsWith(":")).toBe(true);
			const ends = Array.from({ length: id.length }, (_, start) => id.slice(start));
			for (const make of [...makers.codes, ...makers.links]) {
				const other = make() as typeof handler;
				for (const end of ends) {
					await expect(other.validate(end, user)).rejects.toThrow(/^(INVALID|EXPIRED)_TOKEN$/);
				}
				expect(await other.getUserTokens(user)).toEqual([]);
			}
		}
	}
});
