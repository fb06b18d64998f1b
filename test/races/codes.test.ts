import { describe, expect, onTestFinished, test } from "vitest";
import { idToken, type PasswordTokenWrapper, passwordToken } from "../../src/index.js";
import { type Contender, SHARED, type Shared } from "./contenders.js";
import { report } from "./race.js";
import { type Job, type Racer, startRacer } from "./racers.js";
import { createUser, EXPIRES_IN, insertRow, NAME } from "./tokens.js";

const PROCESSES = 4;
const ROUNDS = 6;
const WRONG = 60;
const MAX_ATTEMPTS = 5;
const MINUTE = 60 * 1000;

/** Starts a process for each limit. */
const start = async (
	{ store, open }: Contender<Shared>,
	limits = Array.from({ length: PROCESSES }, () => MAX_ATTEMPTS),
) => {
	const db = await open();
	onTestFinished(() => db.close());
	const job: Job = { connection: db.connection, store, version: "current", name: NAME };
	const racers = await Promise.all(
		limits.map((maxAttempts) => startRacer({ ...job, maxAttempts })),
	);
	return { db, racers };
};

const count = (outcomes: readonly string[], outcome: string): number =>
	outcomes.filter((one) => one === outcome).length;

/** The handlers of this process, and how many attempts at a code are stored. */
const codesOn = (db: Shared, { sourceOf }: Contender<Shared>) => {
	const name = `${NAME}-code`;
	const withLimit = (maxAttempts: number): PasswordTokenWrapper =>
		passwordToken(sourceOf(db), name, { expiresIn: EXPIRES_IN, maxAttempts });
	const attemptsAt = async (userId: string, code: string): Promise<number> => {
		// `:`, the code's id, a space, its expiry, a space, and a number.
		const attempts = new RegExp(`^:${name}:${userId}\\.${code} \\d+ \\d+$`);
		return (await db.keys()).filter(({ id }) => attempts.test(id)).length;
	};
	return { withLimit, attemptsAt };
};

const wrongCodes = (length: number): string[] => Array.from({ length }, (_, at) => `wrong${at}`);

/** Deals guesses out to all processes. All calls are concurrent. */
const guess = async (
	racers: readonly Racer[],
	userId: string,
	guesses: readonly string[],
): Promise<string[]> =>
	(
		await Promise.all(
			racers.map((racer, index) =>
				racer.guessAll(
					userId,
					guesses.filter((_, at) => at % racers.length === index),
				),
			),
		)
	).flat();

describe("four processes with 60 wrong codes and the right one get five attempts", () => {
	for (const contender of SHARED) {
		test.skipIf(!contender.isThere)(contender.name, async () => {
			const { db, racers } = await start(contender);
			const { withLimit, attemptsAt } = codesOn(db, contender);
			const codes = withLimit(MAX_ATTEMPTS);
			let won = 0;
			for (let round = 0; round < ROUNDS; round++) {
				const userId = `user${round}`;
				await createUser(db, userId);
				const code = `${await codes.issue(userId)}`;
				const guesses = wrongCodes(WRONG);
				guesses.splice((round * 7) % WRONG, 0, code);
				const outcomes = await guess(racers, userId, guesses);
				const wins = count(outcomes, "ok");
				won += wins;
				expect(wins + count(outcomes, "INVALID_TOKEN")).toBe(WRONG + 1);
				expect(wins).toBeLessThanOrEqual(1);
				const attempts = await attemptsAt(userId, code);
				// A late wrong one may have taken the attempt that the winner gave back.
				expect(attempts).toBeLessThanOrEqual(MAX_ATTEMPTS);
				if (wins === 0) expect(attempts).toBe(MAX_ATTEMPTS);
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

describe("handlers with maxAttempts 2 and 5 count the same attempts across processes", () => {
	for (const contender of SHARED) {
		test.skipIf(!contender.isThere)(contender.name, async () => {
			const { db, racers } = await start(contender, [2, 2, 5, 5]);
			const [two, five] = [racers.slice(0, 2), racers.slice(2)];
			const { withLimit, attemptsAt } = codesOn(db, contender);
			const [lower, higher] = [withLimit(2), withLimit(5)];
			for (let round = 0; round < ROUNDS; round++) {
				const userId = `user${round}`;
				await createUser(db, userId);

				// Three wrong ones under the higher limit are more than the lower one allows, whatever their numbers.
				const first = await higher.issue(userId);
				const code = `${first}`;
				const expires = first.expiresAt.getTime();
				for (const number of [3, 4, 5]) {
					const id = `:${NAME}-code:${userId}.${code} ${expires} ${number}`;
					await insertRow(db, id, userId, expires);
				}
				const right = Array.from({ length: 20 }, () => code);
				expect(count(await guess(two, userId, right), "ok")).toBe(0);
				expect(await attemptsAt(userId, code)).toBe(3);
				await expect(higher.validate(code, userId)).resolves.toHaveProperty("userId", userId);

				// The lower limit takes two of the five attempts.
				const second = `${await higher.issue(userId)}`;
				await guess(two, userId, wrongCodes(20));
				expect(await attemptsAt(userId, second)).toBe(2);
				await expect(lower.validate(second, userId)).rejects.toThrow("INVALID_TOKEN");
				await guess(five, userId, wrongCodes(2));
				expect(await attemptsAt(userId, second)).toBe(4);
				await expect(higher.validate(second, userId)).resolves.toHaveProperty("userId", userId);

				// Both at once.
				const third = `${await lower.issue(userId)}`;
				await guess(racers, userId, wrongCodes(WRONG));
				expect(await attemptsAt(userId, third)).toBe(5);
				await expect(higher.validate(third, userId)).rejects.toThrow("INVALID_TOKEN");
			}
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
				// The first token of all; a minute after the last interval; long after it.
				const end = [null, Date.now() - MINUTE, 1][round % 3] ?? null;
				if (end !== null) {
					await insertRow(db, `:${name}: ${userId}. after ${end - MINUTE}`, userId, end);
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
