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
import { withoutUser } from "../support/handlers.js";
import { openSqlite, type Sqlite } from "../support/sqlite.js";

// What holds for every order of calls is in test/interleavings.

// Tokens of these tests do not expire at a multiple of 8, so that issue() does not sweep.
const NOW = 1_000_001;
const HOUR = 60 * 60 * 1000;
// How far clocks may differ.
const SKEW = 3 * 60 * 1000;
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

/** The ids of the attempts that are taken, of all codes and users. */
const attempts = () =>
	sqlite
		.keys()
		.map(({ id }) => id)
		.filter((id) => /^:.* \d+ \d+$/.test(id));

describe("attempts at a code", () => {
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
		expect(attempts()).toHaveLength(5 + 5 + 4);
		await expect(open().validate(third, user)).resolves.toHaveProperty("userId", user);
	});

	test.each([
		["as long", 60],
		["shorter", 1],
		["longer", 3600],
	])(
		"of a new code with a lifetime that is %s do not include attempts at another code",
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
		vi.setSystemTime(NOW + 60_001 + SKEW);
		await guess(9);
		expect(attempts()).toHaveLength(4);
		const token = await open().issue(user);
		await guess(4);
		await expect(open().validate(token, user)).resolves.toHaveProperty("userId", user);
	});

	test("count at a code that has expired, as long as a clock that is behind may take it for good", async () => {
		const token = await open().issue(user);
		vi.setSystemTime(NOW + 60_000 + SKEW);
		await guess(5);
		vi.setSystemTime(NOW);
		await expect(open().validate(token, user)).rejects.toEqual(INVALID);
	});

	test("of a hashed code are no hit for the guess that its id begins with", async () => {
		const hashed = open({ storeToken: "hashed", secret: "s".repeat(32) });
		await hashed.issue(user);
		for (const guess of ["hmac-sha256", "hmac-sha256 "]) {
			await expect(open().getToken(guess, user)).rejects.toEqual(INVALID);
			await expect(open().validate(guess, user)).rejects.toEqual(INVALID);
		}
	});

	test("do not hide EXPIRED_TOKEN while one is left, and an expired code costs no other code an attempt", async () => {
		const [first, second] = [await open().issue(user), await open().issue(user)];
		await guess(4);
		vi.setSystemTime(NOW + 60_001);
		const fresh = await open().issue(user);
		await expect(open().getToken(first, user)).rejects.toEqual(EXPIRED);
		for (const token of [first, second]) {
			await expect(open().validate(token, user)).rejects.toEqual(EXPIRED);
		}
		expect((await open().getAllUserTokens(user)).map(String)).toEqual([`${fresh}`]);
		await guess(4);
		await expect(open().validate(fresh, user)).resolves.toHaveProperty("userId", user);
	});

	test("make a code invalid when they run out, and leave it so after it has expired", async () => {
		const token = await open().issue(user);
		await guess(5);
		vi.setSystemTime(NOW + 60_001);
		await expect(open().getToken(token, user)).rejects.toEqual(INVALID);
		await expect(open().validate(token, user)).rejects.toEqual(INVALID);
	});

	test("are limited to five among a thousand concurrent calls", async () => {
		const token = await open({ generate: () => "right" }).issue(user);
		const calls = Array.from({ length: 1000 }, (_, number) =>
			open().getToken(`guess${number}`, user),
		);
		// The right code finds no attempt left, either.
		const results = await Promise.allSettled([...calls, open().getToken("right", user)]);
		expect(results.filter(({ status }) => status === "fulfilled")).toEqual([]);
		expect(attempts().sort()).toEqual(
			[1, 2, 3, 4, 5].map((number) => `:code:user.right ${NOW + 60_000} ${number}`),
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
		for (const value of ["", "é", "\0", null, {}, "x".repeat(300)]) {
			await expect(open().validate(value as string, user)).rejects.toEqual(INVALID);
		}
		expect(attempts()).toEqual([]);
		await open().validate(token, user);
	});

	test("count wrong codes in getToken, and no right ones", async () => {
		const handler = open({ maxAttempts: 2 });
		const token = await handler.issue(user);
		await expect(handler.getToken("wrong", user)).rejects.toEqual(INVALID);
		for (let count = 0; count < 5; count++) await handler.getToken(token, user);
		expect(attempts()).toHaveLength(1);
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

	test("run out by how many are taken, whatever their numbers", async () => {
		const handler = (maxAttempts: number) => open({ maxAttempts, generate: () => "right" });
		const { expiresAt } = await handler(5).issue(user);
		const expires = expiresAt.getTime();
		// A handler with a higher limit may have taken any of its numbers.
		for (const number of [3, 9]) {
			sqlite.insertKey({ id: `:code:user.right ${expires} ${number}`, user_id: user, expires });
		}
		// Another code's, another moment's, and those of a code whose value begins alike.
		for (const other of ["righ", "rights"]) {
			sqlite.insertKey({ id: `:code:user.${other} ${expires} 1`, user_id: user, expires });
		}
		sqlite.insertKey({ id: `:code:user.right ${expires - 1} 1`, user_id: user, expires });
		for (const max of [1, 2]) {
			await expect(handler(max).getToken("right", user)).rejects.toEqual(INVALID);
			expect(await handler(max).getAllUserTokens(user)).toEqual([]);
		}
		await expect(handler(3).getToken("right", user)).resolves.toHaveProperty("userId", user);
		await guess(1, handler(3));
		expect(attempts()).toContain(`:code:user.right ${expires} 1`);
		await expect(handler(3).validate("right", user)).rejects.toEqual(INVALID);
		await expect(handler(4).validate("right", user)).resolves.toHaveProperty("userId", user);
	});

	test("of all but the ten newest outstanding codes are none", async () => {
		const issued: string[] = [];
		for (let count = 0; count < 12; count++) {
			vi.setSystemTime(NOW + 8 * count);
			issued.push(`${await open().issue(user)}`);
		}
		const codes = await open().getAllUserTokens(user);
		expect(codes.map(String)).toEqual(issued.slice(2));
		// An older one is a wrong one, to each of the ten.
		await expect(open().validate(issued[1] ?? "", user)).rejects.toEqual(INVALID);
		expect(attempts()).toHaveLength(10);
		await expect(open().getToken(issued[2] ?? "", user)).resolves.toHaveProperty("userId", user);
		// A handler that counts nothing knows all of them.
		const unlimited = open({ maxAttempts: Infinity });
		expect(await unlimited.getAllUserTokens(user)).toHaveLength(12);
		await expect(unlimited.validate(issued[0] ?? "", user)).resolves.toHaveProperty("userId", user);
	});

	test("are left to ten outstanding codes beside any number of expired ones", async () => {
		for (let count = 0; count < 15; count++) {
			sqlite.insertKey({ id: `code:user.old${count}`, user_id: user, expires: NOW - 1 - SKEW });
		}
		const token = await open().issue(user);
		await guess(4);
		expect(attempts()).toHaveLength(4);
		expect(await open().getAllUserTokens(user)).toHaveLength(16);
		await expect(open().validate(token, user)).resolves.toHaveProperty("userId", user);
	});

	test("are unlimited when maxAttempts is Infinity, and store no key", async () => {
		const handler = open({ maxAttempts: Infinity });
		const token = await handler.issue(user);
		await guess(50, handler);
		expect(attempts()).toEqual([]);
		await expect(handler.validate(token, user)).resolves.toHaveProperty("userId", user);
	});

	test.each([0, -1, 1.5, 1000, Number.NaN])("cannot be %d", (maxAttempts) => {
		expect(() => open({ maxAttempts })).toThrow(
			new RangeError("maxAttempts must be a whole number from 1 to 999, or Infinity"),
		);
	});

	test("fit in a key id whenever a code does", async () => {
		const room = 255 - ":code:. 102000000000000 999".length - 1;
		const tooLong = await sqlite.createUser("u".repeat(room + 1));
		const handler = open({ length: 1 });
		await expect(handler.issue(tooLong)).rejects.toEqual(tokenError("INVALID_USER_ID"));
		const fits = await sqlite.createUser("u".repeat(room));
		await handler.issue(fits);
		for (let count = 0; count < 3; count++) {
			await expect(handler.validate("x", fits)).rejects.toEqual(INVALID);
		}
		expect(attempts()).toHaveLength(3);
	});
});

describe("a database fault during an attempt", () => {
	// The calls of the adapter: a list, the attempt, then what the guess needs. At each one: what the caller
	// gets, how many attempts are lost, and whether the code is still good.
	const RIGHT = ["list", "attempt", "spent row", "delete the code", "give back"] as const;
	const LOST = "connection lost";
	const cases = [
		["validate right", 0, "before", LOST, 0, true],
		["validate right", 0, "after", LOST, 0, true],
		["validate right", 1, "before", LOST, 0, true],
		["validate right", 1, "after", LOST, 1, true],
		["validate right", 2, "before", LOST, 0, true],
		["validate right", 2, "after", LOST, 0, false],
		["validate right", 3, "before", "ok", 0, false],
		["validate right", 3, "after", "ok", 0, false],
		["validate right", 4, "before", "ok", 1, false],
		["validate right", 4, "after", "ok", 0, false],
		["validate wrong", 0, "before", LOST, 0, true],
		["validate wrong", 0, "after", LOST, 0, true],
		["validate wrong", 1, "before", LOST, 0, true],
		["validate wrong", 1, "after", LOST, 1, true],
		["getToken right", 0, "before", LOST, 0, true],
		["getToken right", 0, "after", LOST, 0, true],
		["getToken right", 1, "before", LOST, 0, true],
		["getToken right", 1, "after", LOST, 1, true],
		["getToken right", 2, "before", "ok", 1, true],
		["getToken right", 2, "after", "ok", 0, true],
	] as const;
	const calls = { "validate right": RIGHT.length, "validate wrong": 2, "getToken right": 3 };

	const run = async (
		call: keyof typeof calls,
		at: number,
		when: "before" | "after",
		lasts: number,
	) => {
		const fault = createFault();
		sqlite.db.close();
		await start(fault.wrap);
		await open({ generate: () => "right" }).issue(user);
		fault.calls.length = 0;
		Object.assign(fault, { at, when, lasts });
		const [method, value] = call.split(" ") as ["validate" | "getToken", string];
		const { [method]: use } = open();
		const outcome = await use(value, user).then(
			() => "ok",
			(error: Error) => error.message,
		);
		const made = fault.calls.length;
		fault.at = -1;
		const lost = attempts().length;
		const isGood = await open()
			.getToken("right", user)
			.then(
				() => true,
				() => false,
			);
		return { outcome, lost, isGood, made };
	};

	test.each(Object.entries(calls))("can happen in %s at %i calls", async (call, made) => {
		expect(await run(call as keyof typeof calls, -1, "before", 1)).toHaveProperty("made", made);
	});

	test.each(cases)(
		"in %s, at call %i, %s it takes effect: %s, %i lost, good: %j",
		async (call, at, when, outcome, lost, isGood) => {
			expect(await run(call, at, when, 1)).toMatchObject({ outcome, lost, isGood });
		},
	);

	test.each(cases)(
		"in %s, at all calls from %i on, %s they take effect, costs one attempt at most",
		async (call, at, when, outcome, _lost, isGood) => {
			const seen = await run(call, at, when, Infinity);
			expect(seen).toMatchObject({ outcome, isGood });
			// What was taken is given back only by a delete that takes effect.
			const isTaken = at > 1 || (at === 1 && when === "after");
			const isGivenBack = at > 1 && when === "after";
			expect(seen.lost).toBe(isTaken && !isGivenBack ? 1 : 0);
		},
	);
});

test.each([
	["takeAttempts", []],
	["consumeAndDelete", []],
	["getAllByUser", ["takeAttempts"]],
	["consume", ["takeAttempts", "consumeAndDelete"]],
] as const)(
	"a native store whose %s fails six times costs a code no attempt, without %j",
	async (operation, without) => {
		const store = betterSqlite3(sqlite.db);
		for (const optional of without) delete store[optional];
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

test("an attempt that consumeAndDelete could not give back does not hide the success", async () => {
	const store = betterSqlite3(sqlite.db);
	const consumeAndDelete: KeyStore["consumeAndDelete"] = ({ id }) => store.consume(id);
	const handler = passwordToken({ ...store, consumeAndDelete }, "code", { expiresIn: 60 });
	const token = await handler.issue(user);
	await expect(handler.validate(token, user)).resolves.toHaveProperty("userId", user);
	expect(attempts()).toHaveLength(1);
});

test("a code that another call gets first is invalid, and its attempt is given back", async () => {
	const store = betterSqlite3(sqlite.db);
	for (const consumeAndDelete of [async () => null, undefined]) {
		const late = { ...store, consumeAndDelete, consume: async () => null } as KeyStore;
		const handler = passwordToken(late, "code", { expiresIn: 60 });
		await expect(handler.validate(await handler.issue(user), user)).rejects.toEqual(INVALID);
		expect(attempts()).toEqual([]);
	}
});

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
			expect(attempts()).toHaveLength(count);
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
			() => withoutUser(idToken(sqlite.auth, "name", options)),
			() => withoutUser(idToken(sqlite.auth, "name", hashedLink)),
		],
	};
	for (const [kind, number] of [
		["codes", 1],
		["codes", 2],
		["links", 1],
		["links", 2],
	] as const) {
		// An attempt stays where it could not be given back.
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
		// Three rows of the interval, the spent row, and for codes a wrong and a right attempt.
		expect(ids.length).toBe(kind === "codes" ? 6 : 4);
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
