import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { tokenError } from "../support/errors.js";
import { DatabaseError, intercept } from "../support/faults.js";
import { TOKEN_KINDS } from "../support/handlers.js";
import { openSqlite, type Sqlite, STORES } from "../support/sqlite.js";

// Tokens of these tests do not expire at a multiple of 8, so that issue() does not sweep.
const NOW = 1_000_001;
let sqlite: Sqlite;
beforeEach(() => {
	vi.useFakeTimers({ now: NOW, toFake: ["Date"] });
	sqlite = openSqlite();
});
afterEach(() => {
	vi.useRealTimers();
	sqlite.db.close();
});

const CONTENDERS = TOKEN_KINDS.flatMap((kind) =>
	STORES.map(([store, source]) => ({ ...kind, store, source })),
);

describe.each(CONTENDERS)("maxTokensPerUser of $kind on $store", ({ make, keyId, source }) => {
	const open = (maxTokensPerUser: number, expiresIn = 60) =>
		make(source(sqlite), "name", { expiresIn, maxTokensPerUser });
	const issueMany = async (count: number, issue: () => Promise<unknown>) => {
		const issued: unknown[] = [];
		for (let index = 0; index < count; index++) {
			issued.push(await issue());
			vi.advanceTimersByTime(1);
		}
		return issued.map(String);
	};

	test("treats the last issued token as the newest, in one millisecond or after the clock is set back", async () => {
		const user = await sqlite.createUser();
		const handler = open(1);
		for (const time of [NOW, NOW, NOW, NOW - 2000, NOW - 60_000]) {
			vi.setSystemTime(time);
			const token = await handler.issue(user);
			expect((await handler.getAllUserTokens(user)).map(String)).toEqual([`${token}`]);
		}
		// Nor does a life that is a little shorter from now on make a new token the older one.
		const token = await open(1, 30).issue(user);
		await expect(handler.validate(token, user)).resolves.toHaveProperty("userId", user);
	});

	test("of 3 keeps the three newest tokens", async () => {
		const user = await sqlite.createUser();
		const handler = open(3);
		const issued = await issueMany(10, () => handler.issue(user));
		expect((await handler.getAllUserTokens(user)).map(String)).toEqual(issued.slice(-3));
	});

	test("limits concurrent issues, and at least one of their tokens works", async () => {
		const user = await sqlite.createUser();
		const handler = open(2);
		const issued = await Promise.all(Array.from({ length: 30 }, () => handler.issue(user)));
		const left = (await handler.getAllUserTokens(user)).map(String);
		expect(left).toHaveLength(2);
		expect(issued.map(String)).toEqual(expect.arrayContaining(left));
		await expect(handler.validate(left[0] ?? "", user)).resolves.toHaveProperty("userId", user);
	});

	test("ignores other users, other names and other keys", async () => {
		const [user, other] = [await sqlite.createUser(), await sqlite.createUser()];
		await open(1).issue(other);
		await make(sqlite.auth, "other", { expiresIn: 60 }).issue(user);
		sqlite.insertKey({ id: keyId("name", user, "login"), user_id: user });
		await issueMany(3, () => open(1).issue(user));
		expect(sqlite.keys()).toHaveLength(4);
	});

	test("deletes the oldest tokens in any order of the list", async () => {
		const user = await sqlite.createUser();
		const insert = (token: string, expires: number) => {
			sqlite.insertKey({ id: keyId("name", user, token), user_id: user, expires });
		};
		insert("newer", NOW + 50_000);
		insert("oldest", NOW + 10_000);
		insert("outlasting", NOW + 3_600_000);
		insert("older", NOW + 20_000);
		const token = await open(2).issue(user);
		expect(token.expiresAt.getTime()).toBe(NOW + 60_000);
		const left = await open(2).getAllUserTokens(user);
		expect(left.map(String)).toEqual(["newer", `${token}`]);
	});

	test("issues a token after one that expires up to three minutes later, and ignores one that expires later still", async () => {
		for (const [ahead, expected] of [
			[179_999, 240_000],
			[180_000, 60_000],
			[180_001, 60_000],
		] as const) {
			const user = await sqlite.createUser();
			sqlite.insertKey({
				id: keyId("name", user, `other${ahead}`),
				user_id: user,
				expires: NOW + 60_000 + ahead,
			});
			const token = await open(5).issue(user);
			expect([ahead, token.expiresAt.getTime()]).toEqual([ahead, NOW + expected]);
		}
	});

	test("keeps one of two tokens from machines whose clocks differ by three minutes", async () => {
		const user = await sqlite.createUser();
		const issued = await Promise.all(
			[0, 179_999].map((ahead) => {
				vi.setSystemTime(NOW + ahead);
				return open(1).issue(user);
			}),
		);
		vi.setSystemTime(NOW);
		const used = await Promise.allSettled(issued.map((token) => open(1).validate(token, user)));
		expect(used.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
	});

	test("leaves an unknown user unknown", async () => {
		await expect(open(1).issue("nobody")).rejects.toEqual(tokenError("INVALID_USER_ID"));
	});
});

describe.each(TOKEN_KINDS)("maxTokensPerUser of $kind", ({ make }) => {
	const open = (maxTokensPerUser: number) =>
		make(sqlite.auth, "name", { expiresIn: 60, maxTokensPerUser });

	test("makes no extra call when it is Infinity, and none for the user when it lists", async () => {
		const user = await sqlite.createUser();
		sqlite.calls.length = 0;
		await open(Infinity).issue(user);
		expect(sqlite.calls).toEqual(["getUser", "setKey"]);
		sqlite.calls.length = 0;
		await open(2).issue(user);
		expect(sqlite.calls).toEqual(["getKeysByUserId", "setKey", "getKeysByUserId"]);
	});

	test("deletes nothing before the new token is stored", async () => {
		sqlite.db.close();
		let fails = false;
		sqlite = openSqlite((adapter) =>
			intercept(adapter, async (name, run) => {
				if (fails && name === "setKey") throw new DatabaseError("connection lost");
				return run();
			}),
		);
		const user = await sqlite.createUser();
		const first = await open(1).issue(user);
		fails = true;
		await expect(open(1).issue(user)).rejects.toThrow("connection lost");
		fails = false;
		await expect(open(1).validate(first, user)).resolves.toHaveProperty("userId", user);
	});

	test.each([0, -1, 1.5, Number.NaN])("cannot be %d", (max) => {
		expect(() => open(max)).toThrow(
			new RangeError(
				"maxTokensPerUser must be a whole number from 1 to 9007199254740991, or Infinity",
			),
		);
	});

	test("cannot have another type", () => {
		expect(() => open("1" as unknown as number)).toThrow(TypeError);
	});
});
