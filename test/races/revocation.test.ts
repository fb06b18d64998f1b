import { describe, expect, onTestFinished, test } from "vitest";
import { idToken } from "../../src/index.js";
import { callingOn } from "./again.js";
import { type Contender, type Opened, SHARED, SLOW } from "./contenders.js";
import {
	attempt,
	countFailures,
	countSuccesses,
	inBatches,
	newTally,
	report,
	type Tally,
} from "./race.js";
import { type Actor, inTurn, type Job, startRacer } from "./racers.js";
import { createUser, NAME, options, rowsOf, storeTokens } from "./tokens.js";

const REVOCATIONS = ["invalidate", "invalidateAllUserTokens", "deleteUser"] as const;
type Revocation = (typeof REVOCATIONS)[number];

// Lucia deletes a user's keys and then the user: a spent row that comes in between is a foreign-key error
// of the database, and the app tries again. MySQL and MariaDB may see a deadlock there, too.
const MAX_RETRIES = 50;

const revoke = async (
	actor: Actor,
	revocation: Revocation,
	userId: string,
	tokens: readonly string[],
): Promise<number> => {
	if (revocation === "invalidate") {
		await Promise.all(tokens.map((token) => actor.invalidate(token)));
		return 0;
	}
	if (revocation === "invalidateAllUserTokens") {
		await actor.invalidateAllUserTokens(userId);
		return 0;
	}
	for (let retries = 0; ; retries++) {
		try {
			await actor.deleteUser(userId);
			return retries;
		} catch (error) {
			if (retries === MAX_RETRIES) throw error;
		}
	}
};

/**
 * Revokes the tokens of each user during validation. Of the calls that began earlier, at most one for each
 * token may win. A call that begins after the revocation returns never wins.
 *
 * An exception is `deleteUser()` on the default store: each time Lucia deletes a user's keys, spent rows
 * are among them. Then one more of the calls that read a token before may win.
 */
const race = async (
	{ name, store }: Pick<Contender, "name" | "store">,
	db: Opened,
	actor: Actor,
	revocation: Revocation,
	users: number,
): Promise<void> => {
	const during = newTally([]);
	const after = newTally([]);
	let retries = 0;
	let again = 0;
	let tooMany = 0;
	await inBatches(Array.from({ length: users }), 5, async (_, index) => {
		const userId = `user${index}`;
		await createUser(db, userId);
		const tokens = await storeTokens(db, userId, 4);
		for (const token of tokens) during.successes.set(token, 0);
		const validate = (tally: Tally, count: number): Promise<unknown>[] =>
			Array.from({ length: count }, () =>
				tokens.map((token) => attempt(tally, actor.validate, token)),
			).flat();
		// Nothing else, the revocation first, the calls first, and a call that is answered first.
		const order = index % 4;
		const before = validate(during, order < 2 ? 0 : 2);
		if (order === 3) await Promise.race(before);
		const revoked = revoke(actor, revocation, userId, tokens).then(async (count) => {
			retries += count;
			await Promise.all(validate(after, 2));
			return count;
		});
		await Promise.all([...before, ...validate(during, order === 0 ? 0 : 3), revoked]);
		const deletions = store === "default" && revocation === "deleteUser" ? (await revoked) + 1 : 0;
		for (const token of tokens) {
			const successes = during.successes.get(token) as number;
			if (successes > 1) again++;
			if (successes > 1 + deletions) tooMany++;
		}
	});
	report(`validate against ${revocation}, ${name}`, {
		tokens: during.successes.size,
		"successes of validate": countSuccesses(during),
		revoked: [...during.successes.values()].filter((successes) => successes === 0).length,
		"validated more than once": again,
		"validated after they were revoked": countSuccesses(after),
		"retries of deleteUser": retries,
		...during.failures,
	});
	expect(Object.keys(during.failures)).toEqual(["INVALID_TOKEN"]);
	expect(tooMany).toBe(0);
	expect(countSuccesses(after)).toBe(0);
	expect(after.failures).toEqual({ INVALID_TOKEN: countFailures(after) });
	// Spent rows stay until a sweep, unless their user is deleted.
	const { tokens, spent } = await rowsOf(db);
	expect(tokens.size).toBe(0);
	if (revocation === "deleteUser") expect(spent.size).toBe(0);
};

const inOneProcess = <Db extends Opened>(
	{ name, store, isThere, open, sourceOf }: Contender<Db>,
	users: number,
): void => {
	describe.skipIf(!isThere)(`in one process: ${name}`, () => {
		test.each(REVOCATIONS)(`validate against %s, ${users * 4} tokens`, async (revocation) => {
			const db = await open();
			onTestFinished(() => db.close());
			const handler = idToken(sourceOf(db), NAME, options);
			const calling = callingOn(store);
			const actor = {
				validate: calling(handler.validate),
				invalidate: calling(handler.invalidate),
				invalidateAllUserTokens: calling(handler.invalidateAllUserTokens),
				deleteUser: (userId: string) => db.defaultSource.deleteUser(userId),
			};
			await race({ name: `in one process, ${name}`, store }, db, actor, revocation, users);
		});
	});
};

SHARED.forEach((contender) => inOneProcess(contender, 50));
SLOW.forEach((contender) => inOneProcess(contender, 5));

for (const { name, store, isThere, open } of SHARED) {
	describe.skipIf(!isThere)(`across four processes: ${name}`, () => {
		test("validate against each of them, 200 tokens", async () => {
			const db = await open();
			onTestFinished(() => db.close());
			const job: Job = { connection: db.connection, store, version: "current", name: NAME };
			const racers = await Promise.all(Array.from({ length: 4 }, () => startRacer(job)));
			for (const revocation of REVOCATIONS) {
				await race(
					{ name: `across 4 processes, ${name}`, store },
					db,
					inTurn(racers),
					revocation,
					50,
				);
				await db.sql("DELETE FROM auth_key");
				await db.sql("DELETE FROM auth_user");
			}
			await Promise.all(racers.map((racer) => racer.kill()));
		});
	});
}

test("a revocation that does nothing fails the race", async () => {
	const [{ open }] = SHARED as [(typeof SHARED)[number]];
	const db = await open();
	onTestFinished(() => db.close());
	const { validate } = idToken(db.nativeSource, NAME, options);
	const nothing = async (): Promise<void> => {};
	const actor = {
		validate,
		invalidate: nothing,
		invalidateAllUserTokens: nothing,
		deleteUser: nothing,
	};
	await expect(
		race({ name: "broken", store: "native" }, db, actor, "invalidate", 4),
	).rejects.toThrow("expected 4 to be +0");
});
