import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { idToken, type KeyStore, type LuciaTokenError } from "../../src/index.js";
import { toKeyStore } from "../../src/stores/lucia.js";
import { tokenError } from "../support/errors.js";
import { createFault } from "../support/faults.js";
import { TOKEN_KINDS } from "../support/handlers.js";
import { openSqlite, type Sqlite } from "../support/sqlite.js";
import { NOT_STRINGS } from "../support/values.js";

// What holds for every order of calls is in test/interleavings, for every database in test/matrix.

const NOT_NUMBERS = NOT_STRINGS.filter(
	([, value]) => typeof value !== "number" && value !== undefined,
);

// Tokens of these tests do not expire at a multiple of 8, so that issue() does not sweep.
const NOW = 100_000_001;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const PERIOD = Math.floor(NOW / (5 * MINUTE));
const RECENTLY = tokenError("ISSUED_RECENTLY");

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

describe.each(TOKEN_KINDS)("minInterval of $kind", ({ kind, create }) => {
	const open = (options: object = {}, name = "name") =>
		create(sqlite.auth, name, { expiresIn: 600, minInterval: 60, ...options });

	const retryAfter = async (handler = open()): Promise<number | undefined> => {
		const error: unknown = await handler.issue(user).catch((reason: unknown) => reason);
		expect(error).toEqual(RECENTLY);
		return (error as LuciaTokenError).retryAfter;
	};

	// The ids of the user's intervals, without what they all begin with.
	const begin = kind === "idToken" ? ":name: user. " : ":name:user. ";
	const intervals = () =>
		sqlite
			.keys()
			.filter(({ id }) => id.startsWith(begin))
			.map(({ id, expires }) => [id.slice(begin.length), Number(expires) - NOW]);

	test("rejects until it has passed, and says how many whole seconds remain", async () => {
		await open().issue(user);
		for (const [passed, rest] of [
			[0, 60],
			[1, 60],
			[999, 60],
			[1000, 59],
			[59_001, 1],
			[59_999, 1],
		] as const) {
			vi.setSystemTime(NOW + passed);
			expect(await retryAfter()).toBe(rest);
		}
		vi.setSystemTime(NOW + MINUTE);
		await open().issue(user);
		expect(await retryAfter()).toBe(60);
	});

	test("may be part of a second", async () => {
		const handler = open({ minInterval: 0.25 });
		await handler.issue(user);
		vi.setSystemTime(NOW + 249);
		expect(await retryAfter(handler)).toBe(1);
		vi.setSystemTime(NOW + 250);
		await handler.issue(user);
	});

	test("holds after the token was used or revoked", async () => {
		await open().validate(await open().issue(user), user);
		await open().invalidateAllUserTokens(user);
		await open().deleteExpiredUserTokens(user);
		expect(await retryAfter()).toBe(60);
	});

	test("lets one of ten concurrent calls issue: the first, and each later one", async () => {
		for (const passed of [0, MINUTE, 2 * HOUR, 2 * HOUR + MINUTE]) {
			vi.setSystemTime(NOW + passed);
			const calls = Array.from({ length: 10 }, () => open().issue(user));
			const results = await Promise.allSettled(calls);
			expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
			for (const result of results) {
				if (result.status === "rejected") expect(result.reason).toEqual(RECENTLY);
			}
		}
	});

	test("is a row named after the one before it, or after its period if there is none of late", async () => {
		const end = (from: number) => from + MINUTE - 1;
		await open().issue(user);
		const first = [
			[`first ${PERIOD}`, end(0)],
			[`in ${PERIOD - 1}`, end(0)],
			[`in ${PERIOD}`, end(0)],
		];
		expect(intervals()).toEqual(first);

		vi.setSystemTime(NOW + MINUTE);
		await open().issue(user);
		const second = [`after ${NOW + end(0)}`, end(MINUTE)];
		expect(intervals()).toEqual([second, ...first]);

		// Up to ten minutes after the end of the last one, that alone names the next one.
		const at = end(MINUTE) + 10 * MINUTE;
		vi.setSystemTime(NOW + at);
		await open().issue(user);
		expect(intervals()).toContainEqual([`after ${NOW + end(MINUTE)}`, end(at)]);
		expect(intervals()).toHaveLength(5);
		const late = end(at) + 10 * MINUTE + 1;
		vi.setSystemTime(NOW + late);
		await open().issue(user);
		const period = Math.floor((NOW + late) / (5 * MINUTE));
		expect(intervals()).toHaveLength(8);
		expect(intervals()).toEqual(
			expect.arrayContaining([
				[`after ${NOW + end(at)}`, end(late)],
				[`in ${period - 1}`, end(late)],
				[`in ${period}`, end(late)],
			]),
		);
		// After half an hour, a sweep may soon delete the one before.
		const later = end(late) + 30 * MINUTE + 1;
		vi.setSystemTime(NOW + later);
		await open().issue(user);
		const afresh = `first ${Math.floor((NOW + later) / (5 * MINUTE))}`;
		expect(intervals()).toContainEqual([afresh, end(later)]);
	});

	test("is not begun by a call that does not see another one's, as where reads lag behind", async () => {
		// It takes its period and the one before, so two such calls meet for five minutes.
		for (const passed of [0, 4 * MINUTE, 5 * MINUTE]) {
			sqlite.db.close();
			await start((adapter) => ({ ...adapter, getKeysByUserId: async () => [] }));
			vi.setSystemTime(NOW);
			await open({ minInterval: 600 }).issue(user);
			vi.setSystemTime(NOW + passed);
			expect([passed, await retryAfter(open({ minInterval: 600 }))]).toEqual([passed, 600]);
			expect(sqlite.tokens()).toHaveLength(1);
		}
	});

	test("waits for the rest of the last one, and not longer than one, where a clock was set back", async () => {
		await open().issue(user);
		vi.setSystemTime(NOW - HOUR);
		expect(await retryAfter()).toBe(60);
	});

	test("is each user's and each name's own", async () => {
		const others = [await sqlite.createUser("other"), await sqlite.createUser("user. after 1")];
		await open().issue(user);
		for (const other of others) await open().issue(other);
		await open({}, "name2").issue(user);
		expect(await retryAfter()).toBe(60);
	});

	test("does not begin with a token that could not be stored", async () => {
		const taken = open({ generate: () => "same", minInterval: 0 });
		await taken.issue(user);
		for (const generate of [() => "same", () => "a b", () => 1 as never]) {
			await expect(open({ generate }).issue(user)).rejects.not.toEqual(RECENTLY);
		}
		expect(intervals().filter(([id]) => String(id).startsWith("unused "))).toHaveLength(3);
		await open().issue(user);
		expect(await retryAfter()).toBe(60);
	});

	test("is the user's to wait for if neither the token nor that it is unused could be stored", async () => {
		sqlite.db.close();
		let fails = true;
		await start((adapter) => ({
			...adapter,
			setKey: async (key) => {
				if (fails && !key.id.startsWith(":")) throw new Error("first");
				if (fails && key.id.includes("unused")) throw new Error("second");
				await adapter.setKey(key);
			},
		}));
		await expect(open().issue(user)).rejects.toThrow("first");
		fails = false;
		expect(await retryAfter()).toBe(60);
	});

	test("is over for a call that stalls until it has passed, and does not end the next one", async () => {
		sqlite.db.close();
		let stalls = true;
		await start((adapter) => ({
			...adapter,
			setKey: async (key) => {
				if (!stalls || key.id.startsWith(":")) return adapter.setKey(key);
				stalls = false;
				vi.setSystemTime(NOW + MINUTE);
				await open().issue(user);
				throw new Error("connection lost");
			},
		}));
		await expect(open().issue(user)).rejects.toThrow("connection lost");
		expect(await retryAfter()).toBe(60);
	});

	test("holds for a token that was stored after it, which is deleted", async () => {
		sqlite.db.close();
		let stalls = true;
		await start((adapter) => ({
			...adapter,
			setKey: async (key) => {
				await adapter.setKey(key);
				if (!stalls || key.id.startsWith(":")) return;
				stalls = false;
				vi.setSystemTime(NOW + MINUTE);
			},
		}));
		await expect(open().issue(user)).rejects.toThrow("ISSUED_RECENTLY");
		expect(sqlite.tokens()).toEqual([]);
		await open().issue(user);
	});

	test("can end early five times while it lasts", async () => {
		const handler = open();
		for (let count = 0; count < 5; count++) await handler.withdraw(await handler.issue(user));
		expect(await retryAfter(handler)).toBe(60);
		vi.setSystemTime(NOW + MINUTE);
		await handler.issue(user);
	});

	test.each([
		[MINUTE - 1, 60, "issued"],
		// The interval is over.
		[MINUTE, 60, "ISSUED_RECENTLY"],
		[2 * MINUTE, 600, "issued"],
		// Another call may have begun one that this call did not see.
		[2 * MINUTE + 1, 600, "ISSUED_RECENTLY"],
	])("with a stall of %d ms after the list, of %d s: %s", async (stall, minInterval, outcome) => {
		sqlite.db.close();
		let stalls = true;
		await start((adapter) => ({
			...adapter,
			setKey: async (key) => {
				if (stalls) vi.advanceTimersByTime(stall);
				stalls = false;
				await adapter.setKey(key);
			},
		}));
		const handler = open({ minInterval });
		const result = handler.issue(user).then(
			() => "issued",
			(error: Error) => error.message,
		);
		expect(await result).toBe(outcome);
		expect(sqlite.tokens()).toHaveLength(outcome === "issued" ? 1 : 0);
		// A call that is refused ends what it began, so that the user can request a token at once.
		if (outcome !== "issued") await handler.issue(user);
		await retryAfter(handler);
		expect(sqlite.tokens()).toHaveLength(1);
	});

	test("is not begun by a handler without it, nor held by one", async () => {
		await open({ minInterval: 0 }).issue(user);
		await open().issue(user);
		await open({ minInterval: 0 }).issue(user);
		expect(await open().getAllUserTokens(user)).toHaveLength(3);
	});

	test("leaves an unknown user unknown", async () => {
		await expect(open().issue("nobody")).rejects.toEqual(tokenError("INVALID_USER_ID"));
		expect(sqlite.keys()).toEqual([]);
	});

	test("leaves rows that are no tokens, and which a sweep deletes an hour after they expire", async () => {
		for (let count = 0; count < 3; count++) {
			vi.setSystemTime(NOW + count * MINUTE);
			const token = await open().issue(user);
			expect(await open().getAllUserTokens(user)).toHaveLength(1);
			await open().validate(token, user);
		}
		vi.setSystemTime(NOW + 3 * MINUTE - 1 + HOUR);
		await open().deleteExpiredUserTokens(user);
		expect(intervals()).toHaveLength(1);
		vi.setSystemTime(NOW + 600_000 + 3 * MINUTE + HOUR);
		await open().deleteExpiredUserTokens(user);
		expect(sqlite.keys()).toEqual([]);
	});

	test("lets a user through after a sweep deleted the last one", async () => {
		await open().issue(user);
		vi.setSystemTime(NOW + MINUTE + HOUR);
		await open().deleteExpiredUserTokens(user);
		await open().issue(user);
		expect(await retryAfter()).toBe(60);
	});

	test("needs room for its rows", async () => {
		const row = `${begin.replace("user", "")}unused 102000000000000`;
		const longest = "u".repeat(255 - row.length);
		const handler = open({ length: 1 });
		await expect(handler.issue(await sqlite.createUser(`${longest}u`))).rejects.toEqual(
			tokenError("INVALID_USER_ID"),
		);
		const token = await handler.issue(await sqlite.createUser(longest));
		await handler.withdraw(token);
		await handler.issue(longest);
		const room = { idToken: 227, passwordToken: 225 }[kind] ?? 0;
		expect(() => open({ length: 1 }, "n".repeat(room + 1))).toThrow(RangeError);
		expect(() => open({ length: 1 }, "n".repeat(room))).not.toThrow();
	});

	test.each([-1, Number.NaN, Infinity, 1e12])("may not be %d", (minInterval) => {
		expect(() => open({ minInterval })).toThrow(
			new RangeError("minInterval must be a number of seconds from 0 to 100000000000"),
		);
	});

	test.each(NOT_NUMBERS)("may not be %s", (_, minInterval) => {
		expect(() => open({ minInterval })).toThrow(
			new TypeError("minInterval must be a number of seconds from 0 to 100000000000"),
		);
	});

	describe("under a database fault in the first or a later issue()", () => {
		// A user without a row is looked up. An interval without another one before it takes three rows.
		const FIRST = ["list", "user", "interval", "interval", "interval", "token"];
		const LATER = ["list", "interval", "token"];
		const cases = [FIRST, LATER].flatMap((calls) =>
			calls.flatMap((what, at) =>
				(["before", "after"] as const).flatMap((when) =>
					[1, Infinity].map((lasts) => ({
						of: calls === FIRST ? "the first" : "a later",
						at,
						what,
						when,
						lasts,
						isFirstRow: at === calls.indexOf("interval"),
					})),
				),
			),
		);

		test.each(cases)(
			"of $of, at call $at, $when it takes effect, lasting $lasts: at most one token in an interval",
			async ({ of, at, what, when, lasts, isFirstRow }) => {
				const fault = createFault();
				sqlite.db.close();
				await start(fault.wrap);
				if (of === "a later") {
					await open().issue(user);
					vi.setSystemTime(NOW + MINUTE);
				}
				const before = sqlite.tokens().length;
				fault.calls.length = 0;
				Object.assign(fault, { at, when, lasts });
				await expect(open().issue(user)).rejects.toThrow("connection lost");
				fault.at = -1;
				const stored = sqlite.tokens().length - before;
				expect(stored).toBe(what === "token" && when === "after" ? 1 : 0);

				const again = await open()
					.issue(user)
					.then(
						() => "issued",
						(error: Error) => error.message,
					);
				// The interval is unused where that could be stored, or was not begun: else the user waits.
				const isMarked = what === "token" && (lasts === 1 || when === "after");
				const isFree =
					what !== "token" && (what !== "interval" || (isFirstRow && when === "before"));
				expect(again).toBe(isMarked || isFree ? "issued" : "ISSUED_RECENTLY");
				// At most until its rows are of no period in question.
				vi.setSystemTime(NOW + MINUTE + 10 * MINUTE);
				await open().issue(user);
			},
		);
	});
});

test("a store is told that the user is known wherever a list has shown that", async () => {
	const store = toKeyStore(sqlite.auth);
	const told: unknown[] = [];
	const insert: KeyStore["insert"] = (key, isKnownUser) => {
		told.push(isKnownUser);
		return store.insert(key, isKnownUser);
	};
	await idToken({ ...store, insert }, "name", { expiresIn: 60, minInterval: 60 }).issue(user);
	expect(told).toEqual([true, true, true, true]);
});
