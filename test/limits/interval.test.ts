import type { Adapter } from "lucia-auth";
import { describe, expect, test, vi } from "vitest";
import type { IdTokenOptions, LuciaTokenError } from "../../src/index.js";
import { outcomeOf, tokenError } from "../support/errors.js";
import { type Make, TOKEN_KINDS } from "../support/handlers.js";
import { NOW, openStopped } from "../support/sqlite.js";

// What holds for every order of calls is in test/interleavings, for every database in test/matrix.

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const RECENTLY = tokenError("ISSUED_RECENTLY");

const open = async (wrap?: (adapter: Adapter) => Adapter, create: Make = TOKEN_KINDS[0].create) => {
	const sqlite = await openStopped(wrap);
	const handler = (options: IdTokenOptions = {}, name = "name") =>
		create(sqlite.auth, name, { expiresIn: 600, minInterval: 60, ...options });
	const issue = (options?: IdTokenOptions) => handler(options).issue("user");
	/** Is refused. @returns how many seconds to wait */
	const retryAfter = async (options?: IdTokenOptions) => {
		const error: unknown = await issue(options).catch((reason: unknown) => reason);
		expect(error).toEqual(RECENTLY);
		return (error as LuciaTokenError).retryAfter;
	};
	return { sqlite, handler, issue, retryAfter };
};

/** Opens a database on which the first call that stores a row of a kind meets something. */
const openOnce = async (
	isRow: (id: string) => boolean,
	meet: (store: () => Promise<void>) => Promise<void>,
) => {
	let isFirst = true;
	return open((adapter) => ({
		...adapter,
		setKey: async (key) => {
			const store = async () => adapter.setKey(key);
			if (!isFirst || !isRow(key.id)) return store();
			isFirst = false;
			await meet(store);
		},
	}));
};
const isToken = (id: string) => !id.startsWith(":");

describe("minInterval", () => {
	test("rejects until it has passed, and says how many whole seconds remain", async () => {
		const { issue, retryAfter } = await open();
		await issue();
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
		await issue();
		expect(await retryAfter()).toBe(60);
	});

	test("holds after the token was used or revoked", async () => {
		const { handler, issue, retryAfter } = await open();
		await handler().validate(await issue(), "user");
		await handler().invalidateAllUserTokens("user");
		await handler().deleteExpiredUserTokens("user");
		expect(await retryAfter()).toBe(60);
	});

	test.each(TOKEN_KINDS)(
		"of $kind is a row named after the one before it, or after its period if there is none of late",
		async (kind) => {
			const { sqlite, issue } = await open(undefined, kind.create);
			const begin = kind.kind === "idToken" ? ":name: user. " : ":name:user. ";
			const issueAt = async (time: number) => {
				const before = new Set(sqlite.keys().map(({ id }) => id));
				vi.setSystemTime(time);
				await issue();
				const rows = sqlite.keys().filter(({ id }) => !before.has(id) && id.startsWith(":"));
				for (const { expires } of rows) expect(expires).toBe(time + MINUTE - 1);
				for (const { id } of rows) expect(id.startsWith(begin)).toBe(true);
				return rows.map(({ id }) => id.slice(begin.length));
			};
			const period = (time: number) => Math.floor(time / (5 * MINUTE));
			const periods = (time: number) => [`in ${period(time) - 1}`, `in ${period(time)}`];

			let time = NOW;
			expect(await issueAt(time)).toEqual([`first ${period(time)}`, ...periods(time)]);
			for (const [later, isAlone, isFirst] of [
				[1, true, false],
				// Up to ten minutes after the end of the last one, that alone names the next one.
				[10 * MINUTE, true, false],
				[10 * MINUTE + 1, false, false],
				// After half an hour, a sweep may soon delete the one before.
				[30 * MINUTE, false, false],
				[30 * MINUTE + 1, false, true],
			] as const) {
				const end = time + MINUTE - 1;
				time = end + later;
				const own = isFirst ? `first ${period(time)}` : `after ${end}`;
				expect(await issueAt(time)).toEqual(isAlone ? [own] : [own, ...periods(time)]);
			}
		},
	);

	test("waits for the rest of the last one, and not longer than one, where a clock was set back", async () => {
		const { issue, retryAfter } = await open();
		await issue();
		vi.setSystemTime(NOW - HOUR);
		expect(await retryAfter()).toBe(60);
	});

	test.each(TOKEN_KINDS)("of $kind is each user's and each name's own", async (kind) => {
		const { sqlite, handler, issue, retryAfter } = await open(undefined, kind.create);
		await issue();
		for (const other of ["other", "user. after 1"]) {
			await handler().issue(await sqlite.createUser(other));
		}
		await handler({}, "name2").issue("user");
		expect(await retryAfter()).toBe(60);
	});

	test("is not begun by a handler without it, nor held by one", async () => {
		const { handler, issue } = await open();
		for (const minInterval of [0, 60, 0]) await issue({ minInterval });
		expect(await handler().getAllUserTokens("user")).toHaveLength(3);
	});

	test("can end early five times while it lasts", async () => {
		const { handler, issue, retryAfter } = await open();
		const links = handler();
		for (let count = 0; count < 5; count++) await links.withdraw(await links.issue("user"));
		expect(await retryAfter()).toBe(60);
		vi.setSystemTime(NOW + MINUTE);
		await issue();
	});

	test("that is over for a call that stalls does not end the next one", async () => {
		const { issue, retryAfter } = await openOnce(isToken, async () => {
			vi.setSystemTime(NOW + MINUTE);
			await issue();
			throw new Error("connection lost");
		});
		await expect(issue()).rejects.toThrow("connection lost");
		expect(await retryAfter()).toBe(60);
	});

	test("holds for a token that was stored after it, which is deleted", async () => {
		const { sqlite, issue } = await openOnce(isToken, async (store) => {
			await store();
			vi.setSystemTime(NOW + MINUTE);
		});
		await expect(issue()).rejects.toEqual(RECENTLY);
		expect(sqlite.tokens()).toEqual([]);
		await issue();
	});

	test.each([
		[MINUTE - 1, 60, "ok"],
		// The interval is over.
		[MINUTE, 60, "ISSUED_RECENTLY"],
		[2 * MINUTE, 600, "ok"],
		// Another call may have begun one that this call did not see.
		[2 * MINUTE + 1, 600, "ISSUED_RECENTLY"],
	])("with a stall of %d ms after the list, of %d s: %s", async (stall, minInterval, outcome) => {
		const { sqlite, issue, retryAfter } = await openOnce(
			() => true,
			async (store) => {
				vi.advanceTimersByTime(stall);
				await store();
			},
		);
		expect(await outcomeOf(issue({ minInterval }))).toBe(outcome);
		expect(sqlite.tokens()).toHaveLength(outcome === "ok" ? 1 : 0);
		// Nor was there one that had to be deleted.
		expect(sqlite.calls).not.toContain("deleteNonPrimaryKey");
		// A call that is refused ends what it began, so that the user can request a token at once.
		if (outcome !== "ok") await issue({ minInterval });
		await retryAfter({ minInterval });
		expect(sqlite.tokens()).toHaveLength(1);
	});

	test.each(TOKEN_KINDS)("of $kind needs room for its rows", async (kind) => {
		const { sqlite, handler } = await open(undefined, kind.create);
		const isId = kind.kind === "idToken";
		const row = `${isId ? ":name: ." : ":name:."} unused 102000000000000`;
		const longest = await sqlite.createUser("u".repeat(255 - row.length));
		const tooLong = await sqlite.createUser(`${longest}u`);
		const short = handler({ length: 1 });
		await expect(short.issue(tooLong)).rejects.toEqual(tokenError("INVALID_USER_ID"));
		await short.withdraw(await short.issue(longest));
		await short.issue(longest);
		const room = isId ? 227 : 225;
		expect(() => handler({ length: 1 }, "n".repeat(room + 1))).toThrow(RangeError);
		expect(() => handler({ length: 1 }, "n".repeat(room))).not.toThrow();
	});
});
