import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { passwordToken } from "../src/index.js";
import { tokenError } from "./support/errors.js";
import { createFault, intercept } from "./support/faults.js";
import { openSqlite, type Sqlite } from "./support/sqlite.js";

const NOW = 1_000_000;
const INVALID = tokenError("INVALID_TOKEN");
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

const open = (options: { maxAttempts?: number; length?: number } = {}) =>
	passwordToken(sqlite.auth, "code", { expiresIn: 60, ...options });

const guess = async (times: number, handler = open(), userId = user) => {
	for (let count = 0; count < times; count++) {
		await expect(handler.validate("wrong", userId)).rejects.toEqual(INVALID);
	}
};

const tries = () => sqlite.keys().filter(({ id }) => id.startsWith(":"));

describe("the tries at a password token", () => {
	test("are five by default: the right one is taken as the fifth", async () => {
		const token = await open().issue(user);
		await guess(4);
		await expect(open().validate(token, user)).resolves.toHaveProperty("userId", user);
	});

	test("take all codes of the user away when they have failed, until a new one is issued", async () => {
		const handler = open();
		const [first, second] = [await handler.issue(user), await handler.issue(user)];
		await guess(5);
		expect(await handler.getAllUserTokens(user)).toEqual([]);
		for (const token of [first, second]) {
			await expect(handler.validate(token, user)).rejects.toEqual(INVALID);
			await expect(handler.getToken(token, user)).rejects.toEqual(INVALID);
		}
		const third = await handler.issue(user);
		await expect(handler.validate(third, user)).resolves.toHaveProperty("userId", user);
	});

	test("are as many again once a new code is issued after the last", async () => {
		const handler = open({ maxAttempts: 3 });
		await handler.issue(user);
		await guess(3, handler);
		const token = await handler.issue(user);
		await guess(2, handler);
		await expect(handler.validate(token, user)).resolves.toHaveProperty("userId", user);
	});

	test("are not given back by a new code before the last has failed", async () => {
		const handler = open({ maxAttempts: 3 });
		await handler.issue(user);
		await guess(2, handler);
		const token = await handler.issue(user);
		await guess(1, handler);
		await expect(handler.validate(token, user)).rejects.toEqual(INVALID);
	});

	test("are all given back by a success", async () => {
		const handler = open();
		for (let round = 0; round < 3; round++) {
			const token = await handler.issue(user);
			await guess(4, handler);
			await handler.validate(token, user);
			expect(sqlite.keys()).toEqual([]);
		}
	});

	test("are five of a thousand calls at once, each taken before the code is looked at", async () => {
		const taken: string[] = [];
		sqlite.db.close();
		await start((adapter) => ({
			...adapter,
			setKey: async (key) => {
				await adapter.setKey(key);
				taken.push(key.id);
			},
		}));
		sqlite.insertKey({ id: "code:user.right", user_id: user, expires: NOW + 60_000 });
		const calls = Array.from({ length: 1000 }, (_, number) =>
			open().getToken(`guess${number}`, user),
		);
		const results = await Promise.allSettled(calls);
		expect(results.filter(({ status }) => status === "fulfilled")).toEqual([]);
		expect(taken.sort()).toEqual([1, 2, 3, 4, 5].map((number) => `:code:user. ${number}`));
		await expect(open().getToken("right", user)).rejects.toEqual(INVALID);
	});

	test("are not spent by the right code, however many calls come with it at once", async () => {
		for (let round = 0; round < 20; round++) {
			const handler = open({ maxAttempts: 2 });
			const token = await handler.issue(user);
			await guess(1, handler);
			const calls = Array.from({ length: 2 }, () => handler.validate(token, user));
			const results = await Promise.allSettled(calls);
			expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
			await handler.invalidateAllUserTokens(user);
		}
	});

	test("are counted for each user and each type of their own", async () => {
		const other = await sqlite.createUser("other");
		const second = passwordToken(sqlite.auth, "code2", { expiresIn: 60 });
		const [theirs, ours] = [await open().issue(other), await second.issue(user)];
		await open().issue(user);
		await guess(6);
		await expect(open().validate(theirs, other)).resolves.toHaveProperty("userId", other);
		await expect(second.validate(ours, user)).resolves.toHaveProperty("userId", user);
	});

	test("are counted for users whose ids begin alike", async () => {
		const alike = await sqlite.createUser("user. 1");
		const token = await open().issue(alike);
		await open().issue(user);
		await guess(5);
		await expect(open().validate(token, alike)).resolves.toHaveProperty("userId", alike);
	});

	test("are not spent by what can't be a token", async () => {
		const token = await open().issue(user);
		for (const value of ["", "a b", "\0", null, {}, "x".repeat(300)]) {
			await expect(open().validate(value as string, user)).rejects.toEqual(INVALID);
		}
		expect(tries()).toEqual([]);
		await open().validate(token, user);
	});

	test("are spent by getToken too, which gives a right one's try back", async () => {
		const handler = open({ maxAttempts: 2 });
		const token = await handler.issue(user);
		for (let count = 0; count < 5; count++) await handler.getToken(token, user);
		expect(tries()).toEqual([]);
		for (let count = 0; count < 3; count++) {
			await expect(handler.getToken("wrong", user)).rejects.toEqual(INVALID);
		}
		await expect(handler.getToken(token, user)).rejects.toEqual(INVALID);
		await expect(handler.validate(token, user)).rejects.toEqual(INVALID);
		expect(await handler.getAllUserTokens(user)).toEqual([]);
	});

	test("that have failed stay taken when getToken is right", async () => {
		const token = await open().issue(user);
		await guess(2);
		await open().getToken(token, user);
		expect(tries()).toHaveLength(2);
	});

	test("do not bring a code back to life that getToken was guessed at with", async () => {
		const handler = open({ maxAttempts: 2 });
		const old = await handler.issue(user);
		for (let count = 0; count < 2; count++) {
			await expect(handler.getToken("wrong", user)).rejects.toEqual(INVALID);
		}
		await handler.issue(user);
		await expect(handler.validate(old, user)).rejects.toEqual(INVALID);
	});

	test("are not spent by the right code that is too late", async () => {
		const handler = open({ maxAttempts: 1 });
		const token = await handler.issue(user);
		vi.setSystemTime(NOW + 60_001);
		await expect(handler.getToken(token, user)).rejects.toEqual(tokenError("EXPIRED_TOKEN"));
		await expect(handler.getToken(token, user)).rejects.toEqual(tokenError("EXPIRED_TOKEN"));
		await expect(handler.validate(token, user)).rejects.toEqual(tokenError("EXPIRED_TOKEN"));
		expect(sqlite.keys()).toEqual([]);
	});

	test("outlast the codes: a sweep clears them a day and an hour later", async () => {
		await guess(5);
		vi.setSystemTime(NOW + 25 * 60 * 60 * 1000);
		await open().deleteExpiredUserTokens(user);
		expect(sqlite.keys()).toHaveLength(5);
		vi.setSystemTime(NOW + 25 * 60 * 60 * 1000 + 1);
		await open().deleteExpiredUserTokens(user);
		expect(sqlite.keys()).toEqual([]);
	});

	test("that right codes hold for a moment take no code away", async () => {
		for (let round = 0; round < 20; round++) {
			const handler = open();
			const token = await handler.issue(user);
			await Promise.allSettled([
				...[1, 2, 3, 4].map(() => handler.getToken(token, user)),
				handler.validate("wrong", user),
			]);
			await expect(handler.validate(token, user)).resolves.toHaveProperty("userId", user);
		}
	});

	test("that fail late do not touch a code that was issued since", async () => {
		let resume = () => {};
		const paused = new Promise<void>((resolve) => (resume = resolve));
		let pause = false;
		sqlite.db.close();
		await start((adapter) =>
			intercept(adapter, async (name, run) => {
				const result = await run();
				if (pause && name === "getKey") {
					pause = false;
					await paused;
				}
				return result;
			}),
		);
		await open().issue(user);
		await guess(4);
		pause = true;
		const fifth = open().validate("wrong", user);
		while (tries().length < 5) await new Promise(setImmediate);
		const fresh = await open().issue(user);
		resume();
		await expect(fifth).rejects.toEqual(INVALID);
		await expect(open().validate(fresh, user)).resolves.toHaveProperty("userId", user);
	});

	test("are without end where maxAttempts is Infinity, and leave no key behind", async () => {
		const handler = open({ maxAttempts: Infinity });
		const token = await handler.issue(user);
		await guess(50, handler);
		expect(tries()).toEqual([]);
		await expect(handler.validate(token, user)).resolves.toHaveProperty("userId", user);
	});

	test("make as many queries for any user, known or not, with codes or without, with tries or without", async () => {
		const [empty, many] = [await sqlite.createUser("empty"), await sqlite.createUser("many")];
		await open().issue(user);
		for (let count = 0; count < 20; count++) await open().issue(many);
		for (const method of ["validate", "getToken"] as const) {
			for (const userId of ["nobody", empty, user, many]) {
				// Six and more: the last of them have no try left.
				for (let attempt = 0; attempt < 7; attempt++) {
					sqlite.calls.length = 0;
					await expect(open()[method]("unknown", userId)).rejects.toEqual(INVALID);
					expect([userId, sqlite.calls.length]).toEqual([userId, 4]);
				}
			}
			for (const userId of [empty, user, many]) await open().issue(userId);
		}
	});

	test("store nothing for a user that does not exist", async () => {
		await guess(6, open(), "nobody");
		expect(sqlite.keys()).toEqual([]);
	});

	test.each([0, -1, 1.5, 1000, Number.NaN])("may not be %d", (maxAttempts) => {
		expect(() => open({ maxAttempts })).toThrow(
			new RangeError("maxAttempts must be a whole number from 1 to 999, or Infinity"),
		);
	});

	test("fit the id of a key wherever a code does", async () => {
		const longest = await sqlite.createUser("u".repeat(255 - "code:.: 999".length + 1));
		await expect(open({ length: 1 }).issue(longest)).rejects.toEqual(tokenError("INVALID_USER_ID"));
		const fits = await sqlite.createUser("u".repeat(255 - "code:.: 999".length));
		const handler = open({ length: 1, maxAttempts: 999 });
		await handler.issue(fits);
		await guess(3, handler, fits);
		expect(tries()).toHaveLength(3);
	});
});

describe("a fault of the database while a password token is tried", () => {
	test("after the code was used is still a success", async () => {
		sqlite.db.close();
		await start((adapter) =>
			intercept(adapter, async (name, run) => {
				// The one list after the code is gone is the one that gives the tries back.
				const gone = !sqlite.keys().some(({ id }) => id.startsWith("code:user."));
				if (name === "getKeysByUserId" && gone) throw new Error("connection lost");
				return run();
			}),
		);
		sqlite.insertKey({ id: "code:user.1", user_id: user, expires: NOW + 60_000 });
		await expect(open().validate("1", user)).resolves.toHaveProperty("userId", user);
		expect(tries()).toHaveLength(1);
	});

	test("passes through wherever it is, costs a try at most, and the code works on a retry", async () => {
		for (const when of ["before", "after"] as const) {
			for (let at = 0; at < 4; at++) {
				const fault = createFault();
				sqlite.db.close();
				await start(fault.wrap);
				sqlite.insertKey({ id: "code:user.1", user_id: user, expires: NOW + 60_000 });
				Object.assign(fault, { at: fault.calls.length + at, when });
				await expect(open().validate("1", user)).rejects.toThrow("connection lost");
				expect(tries().length).toBeLessThanOrEqual(1);
				await expect(open().validate("1", user)).resolves.toHaveProperty("userId", user);
			}
		}
	});
});
