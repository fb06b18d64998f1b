import { describe, expect, test } from "vitest";
import type { Opened } from "../support/database.js";
import { opened, SHARED, SLOW } from "./contenders.js";
import { attempt, countSuccesses, newTally, report } from "./race.js";
import { createRacer, type Racer } from "./racer.js";
import { startRacers } from "./racers.js";
import { createUser, rowsOf, storeTokens } from "./tokens.js";

// Lucia deletes a user's keys and then the user: a spent row that comes in between is a foreign-key error
// of the database, and the app tries again. MySQL and MariaDB may see a deadlock there, too.
const MAX_RETRIES = 50;

/** Each revokes a user's tokens. Returns how often it tried again. */
const REVOCATIONS = {
	invalidate: async (next: () => Racer, _userId: string, tokens: readonly string[]) => {
		await Promise.all(tokens.map((token) => next().invalidate(token)));
		return 0;
	},
	invalidateAllUserTokens: async (next: () => Racer, userId: string) => {
		await next().invalidateAllUserTokens(userId);
		return 0;
	},
	deleteUser: async (next: () => Racer, userId: string) => {
		for (let retries = 0; ; retries++) {
			try {
				await next().deleteUser(userId);
				return retries;
			} catch (error) {
				if (retries === MAX_RETRIES) throw error;
			}
		}
	},
};

type Revocation = keyof typeof REVOCATIONS;

/**
 * Revokes the tokens of each user during validation. Of the calls that began earlier, at most one for each
 * token may win. A call that begins after the revocation returns never wins.
 *
 * An exception is `deleteUser()` on the default store: each time Lucia deletes a user's keys, spent rows
 * are among them. Then one more of the calls that read a token before may win.
 */
const race = async (
	db: Opened,
	racers: readonly Racer[],
	store: "default" | "native",
	revocation: Revocation,
	/** A multiple of four. */
	users: number,
): Promise<void> => {
	let turn = 0;
	const next = (): Racer => racers[turn++ % racers.length] as Racer;
	const during = newTally([]);
	const after = newTally([]);
	const raceFor = async (userId: string, order: number): Promise<void> => {
		await createUser(db, userId);
		const tokens = await storeTokens(db, userId, 4);
		for (const token of tokens) during.successes.set(token, 0);
		const validate = (tally: typeof during, count: number): Promise<unknown>[] =>
			Array.from({ length: count }, () =>
				tokens.map((token) => attempt(tally, (value) => next().validate(value), token)),
			).flat();
		// Nothing else, the revocation first, the calls first, and a call whose response comes first.
		const before = validate(during, order < 2 ? 0 : 2);
		if (order === 3) await Promise.race(before);
		const revoking = REVOCATIONS[revocation](next, userId, tokens);
		const afterwards = revoking.then(() => Promise.all(validate(after, 2)));
		await Promise.all([...before, ...validate(during, order === 0 ? 0 : 3), afterwards]);
		const deletions = store === "default" && revocation === "deleteUser" ? (await revoking) + 1 : 0;
		for (const token of tokens) {
			expect(during.successes.get(token)).toBeLessThanOrEqual(1 + deletions);
		}
	};
	for (let index = 0; index < users; index += 4) {
		await Promise.all([0, 1, 2, 3].map((order) => raceFor(`user${index + order}`, order)));
	}
	report({ tokens: during.successes.size, successes: countSuccesses(during), ...during.failures });
	expect(Object.keys(during.failures)).toEqual(["INVALID_TOKEN"]);
	expect(countSuccesses(after)).toBe(0);
	expect(Object.keys(after.failures)).toEqual(["INVALID_TOKEN"]);
	// Spent rows stay until a sweep, unless their user is deleted.
	const { tokens, spent } = await rowsOf(db);
	expect(tokens.size).toBe(0);
	if (revocation === "deleteUser") expect(spent.size).toBe(0);
};

describe.each(Object.keys(REVOCATIONS) as Revocation[])("validate against %s", (revocation) => {
	test.each(SHARED)("among four processes: $name", async (contender) => {
		const db = await opened(contender);
		const racers = await startRacers(db.connection, contender.store);
		await race(db, racers, contender.store, revocation, 48);
	});

	test.each(SLOW)("in one process: $name", async (contender) => {
		const db = await opened(contender);
		const { defaultSource } = db;
		const racer = createRacer((call) => call(defaultSource), defaultSource, { store: "default" });
		await race(db, [racer], "default", revocation, 4);
	});
});
