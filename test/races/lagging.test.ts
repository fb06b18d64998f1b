import type { Auth } from "lucia-auth";
import * as published from "published";
import { describe, expect, onTestFinished, test } from "vitest";
import { idToken, passwordToken } from "../../src/index.js";
import { callingOn } from "./again.js";
import { DATABASES } from "./contenders.js";
import { openLagging } from "./lagging.js";
import {
	attempt,
	countFailures,
	countSuccesses,
	expectExactlyOnce,
	newTally,
	report,
	type Tally,
} from "./race.js";
import { createUser, EXPIRES_IN, NAME, options, rowsOf, storeTokens } from "./tokens.js";

// The default store, where every read may answer with an earlier state, as behind a pooler that sends reads
// to replicas.

const TOKENS = 320;
const CALLS = 8;
const IN_FLIGHT = 4;
const ROUNDS = 6;
const MAX_ATTEMPTS = 5;

const calling = callingOn("default");

/** Each token, validated by eight calls, with some calls in flight at any time. */
const validateAll = async (
	auth: Auth,
	create: typeof idToken,
	tokens: readonly string[],
	inFlight: number,
): Promise<Tally> => {
	const tally = newTally(tokens);
	const validate = calling(create(auth, NAME, options).validate);
	const queue = tokens.flatMap((token) => Array<string>(CALLS).fill(token)).values();
	const run = async (): Promise<void> => {
		for (const token of queue) await attempt(tally, validate, token);
	};
	await Promise.all(Array.from({ length: inFlight }, run));
	return tally;
};

const outcomes = async (calls: readonly Promise<unknown>[]): Promise<Record<string, number>> => {
	const counts: Record<string, number> = {};
	for (const result of await Promise.allSettled(calls)) {
		const outcome = result.status === "fulfilled" ? "ok" : (result.reason as Error).message;
		counts[outcome] = (counts[outcome] ?? 0) + 1;
	}
	return counts;
};

describe.each(DATABASES.filter(({ name }) => /PostgreSQL|MariaDB/.test(name)))(
	"reads that lag behind on $name",
	({ name, isThere, open }) => {
		const openWithTokens = async () => {
			const db = await open();
			onTestFinished(() => db.close());
			await createUser(db, "user");
			const tokens = await storeTokens(db, "user", TOKENS);
			return { db, tokens, ...(await openLagging(db)) };
		};

		test.skipIf(!isThere)("320 tokens by eight calls each: exactly once", async () => {
			const { db, tokens, auth } = await openWithTokens();
			const tally = await validateAll(auth, idToken, tokens, IN_FLIGHT);
			report(`lagging reads, default store on ${name}`, {
				tokens: TOKENS,
				successes: countSuccesses(tally),
				"calls that lost": countFailures(tally),
			});
			expectExactlyOnce(tally);
			const { tokens: left, spent } = await rowsOf(db);
			expect([left.size, spent.size]).toEqual([0, TOKENS]);
		});

		test.skipIf(!isThere)("1.0.2 uses them many times, even one call after the other", async () => {
			const { tokens, auth } = await openWithTokens();
			const create = published.idToken as unknown as typeof idToken;
			const tally = await validateAll(auth, create, tokens, 1);
			report(`lagging reads, 1.0.2 on ${name}`, {
				tokens: TOKENS,
				successes: countSuccesses(tally),
			});
			expect(countSuccesses(tally)).toBeGreaterThan(2 * TOKENS);
		});

		test.skipIf(!isThere)("a code has five attempts, and is used once", async () => {
			const { db, auth, catchUp } = await openWithTokens();
			const current = passwordToken(db.defaultSource, `${NAME}-code`, options);
			const guess = calling(passwordToken(auth, `${NAME}-code`, options).validate);
			for (let round = 0; round < ROUNDS; round++) {
				const userId = `user${round}`;
				await createUser(db, userId);
				const [tried, used] = [`${await current.issue(userId)}`, `${await current.issue(userId)}`];
				await catchUp();
				// One process of many saw the right code come in. The others read on.
				expect((await current.validate(used, userId)).userId).toBe(userId);
				expect(await outcomes(Array.from({ length: 20 }, () => guess(used, userId)))).toEqual({
					INVALID_TOKEN: 20,
				});
				expect(
					await outcomes(Array.from({ length: 20 }, (_, at) => guess(`wrong${at}`, userId))),
				).toEqual({ INVALID_TOKEN: 20 });
				expect(await outcomes(Array.from({ length: 20 }, () => guess(tried, userId)))).toEqual({
					INVALID_TOKEN: 20,
				});
				const attempts = (await db.keys()).filter(({ id }) =>
					id.startsWith(`:${NAME}-code:${userId}.${tried} `),
				);
				expect(attempts).toHaveLength(MAX_ATTEMPTS);
			}
		});

		test.skipIf(!isThere)("one of 40 calls issues within an interval", async () => {
			const { db, auth, catchUp } = await openWithTokens();
			const spaced = { expiresIn: EXPIRES_IN, minInterval: EXPIRES_IN };
			const issue = calling(idToken(auth, `${NAME}-spaced`, spaced).issue);
			for (let round = 0; round < ROUNDS; round++) {
				const userId = `user${round}`;
				await createUser(db, userId);
				await catchUp();
				const at20 = (): Promise<unknown>[] => Array.from({ length: 20 }, () => issue(userId));
				expect(await outcomes(at20())).toEqual({ ok: 1, ISSUED_RECENTLY: 19 });
				expect(await outcomes(at20())).toEqual({ ISSUED_RECENTLY: 20 });
			}
		});
	},
);
