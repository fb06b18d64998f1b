import { describe, expect, onTestFinished, test } from "vitest";
import { checksum } from "../../src/checksum.js";
import { idToken, passwordToken } from "../../src/index.js";
import { type Contender, SHARED, type Shared } from "./contenders.js";
import { report } from "./race.js";
import { type Job, startRacer } from "./racers.js";
import { createUser, EXPIRES_IN, NAME } from "./tokens.js";

const PROCESSES = 4;
const ROUNDS = 6;
const WRONG = 60;
const MAX_ATTEMPTS = 5;

const start = async ({ store, open }: Contender<Shared>) => {
	const db = await open();
	onTestFinished(() => db.close());
	const job: Job = { connection: db.connection, store, version: "current", name: NAME };
	return {
		db,
		racers: await Promise.all(Array.from({ length: PROCESSES }, () => startRacer(job))),
	};
};

const count = (outcomes: readonly string[], outcome: string): number =>
	outcomes.filter((one) => one === outcome).length;

describe("four processes with 60 wrong codes and the right one get five tries", () => {
	for (const contender of SHARED) {
		test.skipIf(!contender.isThere)(contender.name, async () => {
			const { db, racers } = await start(contender);
			const codes = passwordToken(contender.sourceOf(db), `${NAME}-code`, {
				expiresIn: EXPIRES_IN,
			});
			const tries = async (userId: string): Promise<number> =>
				(await db.keys()).filter(({ id }) => id.startsWith(`:${NAME}-code:${userId}. `)).length;
			let won = 0;
			for (let round = 0; round < ROUNDS; round++) {
				const userId = `user${round}`;
				await createUser(db, userId);
				const code = await codes.issue(userId);
				const guesses = Array.from({ length: WRONG }, (_, index) => `wrong${index}`);
				guesses.splice((round * 7) % WRONG, 0, `${code}`);
				const outcomes = (
					await Promise.all(
						racers.map((racer, index) =>
							racer.guessAll(
								userId,
								guesses.filter((_, at) => at % PROCESSES === index),
							),
						),
					)
				).flat();
				const wins = count(outcomes, "ok");
				won += wins;
				expect(wins + count(outcomes, "INVALID_TOKEN")).toBe(WRONG + 1);
				expect(wins).toBeLessThanOrEqual(1);
				// A late wrong one may have taken the try that the winner gave back.
				expect(await tries(userId)).toBeLessThanOrEqual(MAX_ATTEMPTS);
				if (wins === 0) expect(await tries(userId)).toBe(MAX_ATTEMPTS);
				await expect(codes.validate(code, userId)).rejects.toThrow("INVALID_TOKEN");
				const next = await codes.issue(userId);
				await expect(codes.validate(next, userId)).resolves.toHaveProperty("userId", userId);
			}
			report(`60 wrong codes at once, ${contender.name}`, {
				rounds: ROUNDS,
				"right ones won": won,
			});
		});
	}
});

describe("minInterval allows one of 40 concurrent issues from four processes", () => {
	for (const contender of SHARED) {
		test.skipIf(!contender.isThere)(contender.name, async () => {
			const { db, racers } = await start(contender);
			const name = `${NAME}-spaced`;
			const links = idToken(contender.sourceOf(db), name);
			for (let round = 0; round < ROUNDS; round++) {
				const userId = `user${round}`;
				await createUser(db, userId);
				// The last token was issued long ago, in every other round.
				const marked = `:${name}: ${userId}. `;
				if (round % 2 === 1) {
					await db.sql(
						`INSERT INTO auth_key (id, user_id, primary_key, hashed_password, expires)
						VALUES ('${marked}issued ${checksum(marked)}', '${userId}', FALSE, NULL, 1)`,
					);
				}
				const outcomes = (
					await Promise.all(racers.map((racer) => racer.issueAll(userId, 10)))
				).flat();
				expect(count(outcomes, "ok")).toBe(1);
				expect(count(outcomes, "ISSUED_RECENTLY")).toBe(PROCESSES * 10 - 1);
				expect(await links.getAllUserTokens(userId)).toHaveLength(1);
			}
		});
	}
});
