import { setTimeout } from "node:timers/promises";
import { expect } from "vitest";
import type { Opened } from "../support/database.js";
import { outcomeOf } from "../support/errors.js";
import type { Racer } from "./racer.js";
import { createUser, insertRows, NAME, storeTokens } from "./tokens.js";

/** The outcomes of calls to `validate`: successes by token, and failures by message. */
export interface Tally {
	/** By token, including 0. */
	readonly successes: Map<string, number>;
	/** By message. */
	readonly failures: Record<string, number>;
}

export const newTally = (tokens: readonly string[]): Tally => ({
	successes: new Map(tokens.map((token) => [token, 0])),
	failures: {},
});

/** Calls `validate` and notes what came of it. */
export const attempt = async (
	{ successes, failures }: Tally,
	validate: (token: string) => Promise<unknown>,
	token: string,
): Promise<void> => {
	try {
		await validate(token);
		successes.set(token, (successes.get(token) ?? 0) + 1);
	} catch (error) {
		const { message } = error as Error;
		failures[message] = (failures[message] ?? 0) + 1;
	}
};

export const countSuccesses = ({ successes }: Tally): number =>
	[...successes.values()].reduce((a, b) => a + b, 0);

/** Summarizes a test in its output. */
export const report = (counts: Readonly<Record<string, number>>): void => {
	console.log(
		Object.entries(counts)
			.map(([what, count]) => `${count} ${what}`)
			.join(", "),
	);
};

/** Waits until something is so. */
export const until = async (isSo: () => boolean): Promise<void> => {
	while (!isSo()) await setTimeout(1);
};

/**
 * Lets every racer validate all tokens, in the same order.
 *
 * @param atOnce how many of them at once
 * @param calls how often each, at once
 * @returns the outcomes so far, and a promise of the same when all calls have ended
 */
export const startLoad = (
	racers: readonly Pick<Racer, "validate">[],
	tokens: readonly string[],
	atOnce: number,
	calls: number,
) => {
	const tally = newTally(tokens);
	const run = async ({ validate }: Pick<Racer, "validate">, queue: Iterable<string>) => {
		for (const token of queue) {
			await Promise.all(Array.from({ length: calls }, () => attempt(tally, validate, token)));
		}
	};
	const running = racers.flatMap((racer) => {
		const queue = tokens.values();
		return Array.from({ length: atOnce }, () => run(racer, queue));
	});
	return { tally, ended: Promise.all(running).then(() => tally) };
};

const MAX_ATTEMPTS = 5;
const WRONG = Array.from({ length: 60 }, (_, at) => `wrong${at}`);
const MINUTE = 60_000;

/**
 * Lets racers race for links, for the attempts at a code, and for an interval. Expects exact outcomes.
 *
 * @param db reaches the rows without what is between the racers and them
 * @param userId no user yet
 * @param links how many there are
 * @param catchUp lets the reads of racers see what is stored
 */
export const race = async (
	racers: readonly Racer[],
	db: Pick<Opened, "sql" | "keys">,
	userId: string,
	{ links = 320, catchUp = async () => {} } = {},
): Promise<void> => {
	const all = (run: (racer: Racer, at: number) => Promise<unknown>[]) =>
		Promise.all(racers.flatMap(run).map(outcomeOf));
	await createUser(db, userId);

	const tokens = await storeTokens(db, userId, links);
	await catchUp();
	const tally = await startLoad(racers, tokens, 4, 2).ended;
	report({ successes: countSuccesses(tally), ...tally.failures });
	expect(new Set(tally.successes.values())).toEqual(new Set([1]));
	expect(tally.failures).toEqual({ INVALID_TOKEN: links * (racers.length * 2 - 1) });

	for (const isRightAmongThem of [false, true]) {
		const code = await (racers[0] as Racer).issue("codes", userId);
		await catchUp();
		const outcomes = await all((racer, at) => {
			const guesses = WRONG.filter((_, index) => index % racers.length === at);
			if (isRightAmongThem) guesses.splice(3 * at, 0, code);
			return guesses.map((guess) => racer.guess(guess, userId));
		});
		const won = outcomes.filter((outcome) => outcome === "ok").length;
		expect(won).toBeLessThanOrEqual(isRightAmongThem ? 1 : 0);
		const lost = outcomes.filter((outcome) => outcome === "INVALID_TOKEN");
		expect(lost).toHaveLength(outcomes.length - won);
		// `:`, the code's id, a space, its expiry, a space, and a number.
		const begin = `:${NAME}-code:${userId}.${code} `;
		const attempts = (await db.keys()).filter(
			({ id }) => id.startsWith(begin) && / \d+ \d+$/.test(id),
		).length;
		// A late wrong one may have taken the attempt that the winner gave back.
		expect(attempts).toBeLessThanOrEqual(MAX_ATTEMPTS);
		if (won === 0) expect(attempts).toBe(MAX_ATTEMPTS);
		const again = await all((racer) => [racer.guess(code, userId)]);
		expect(new Set(again)).toEqual(new Set(["INVALID_TOKEN"]));
	}

	// No interval before, one that ended a minute ago, and one that ended long ago.
	for (const [index, end] of [0, Date.now() - MINUTE, MINUTE].entries()) {
		const user = `${userId}-${index}`;
		await createUser(db, user);
		const interval = `:${NAME}-spaced: ${user}. after ${end - MINUTE}`;
		if (end > 0) await insertRows(db, [interval], user, end);
		await catchUp();
		const issueEach = (times: number) =>
			all((racer) => Array.from({ length: times }, () => racer.issue("spaced", user)));
		const outcomes = await issueEach(10);
		expect(outcomes.filter((outcome) => outcome === "ok")).toHaveLength(1);
		outcomes.push(...(await issueEach(2)));
		const recently = outcomes.filter((outcome) => outcome === "ISSUED_RECENTLY");
		expect(recently).toHaveLength(racers.length * 12 - 1);
	}
};
