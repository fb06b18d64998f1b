import { setTimeout } from "node:timers/promises";
import type { Auth } from "lucia-auth";
import { expect } from "vitest";
import { type KeyStore, passwordToken } from "../../src/index.js";
import type { Racer } from "./racer.js";
import { createUser, insertRows, NAME, options, type Opened, storeTokens } from "./tokens.js";

/** The outcomes of calls to `validate`: successes by token, and failures by message. */
export interface Tally {
	/** The number of successes of every token, including 0. */
	readonly successes: Map<string, number>;
	/** By message. */
	readonly failures: Record<string, number>;
}

export const newTally = (tokens: readonly string[]): Tally => ({
	successes: new Map(tokens.map((token) => [token, 0])),
	failures: {},
});

const add = (failures: Tally["failures"], message: string, count = 1): void => {
	failures[message] = (failures[message] ?? 0) + count;
};

const addSuccess = ({ successes }: Tally, token: string): void => {
	successes.set(token, (successes.get(token) ?? 0) + 1);
};

/** Calls `validate` and notes what came of it. */
export const attempt = async (
	tally: Tally,
	validate: (token: string) => Promise<unknown>,
	token: string,
): Promise<void> => {
	try {
		await validate(token);
		addSuccess(tally, token);
	} catch (error) {
		add(tally.failures, (error as Error).message);
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

/** Lets every racer validate all tokens, in the same order. */
export const startLoad = (
	racers: readonly Racer[],
	tokens: readonly string[],
	atOnce: number,
	calls: number,
) => {
	const running = racers.map((racer) => racer.validateAll(tokens, atOnce, calls));
	const ended = Promise.allSettled(running);
	return {
		/** How many calls have succeeded so far. */
		won: () => racers.reduce((sum, racer) => sum + racer.won.length, 0),
		/** Waits until all racers have come to their end, or have been killed. */
		end: async () => {
			const results = await ended;
			const tally = newTally(tokens);
			for (const result of results) {
				if (result.status === "rejected") continue;
				for (const [message, count] of Object.entries(result.value)) {
					add(tally.failures, message, count);
				}
			}
			for (const token of racers.flatMap(({ won }) => won)) {
				// A racer may have won others before.
				if (tally.successes.has(token)) addSuccess(tally, token);
			}
			return { tally, results };
		},
	};
};

const MAX_ATTEMPTS = 5;
const WRONG = Array.from({ length: 60 }, (_, at) => `wrong${at}`);
const MINUTE = 60_000;

/** What racers race on. */
export interface Track {
	/** Reaches the rows without what is between the racers and them. */
	readonly db: Pick<Opened, "sql" | "keys">;
	/** Whose handlers tell what has become of a code. */
	readonly source: Auth | KeyStore;
	/** Lets the reads of racers see what is stored. */
	readonly catchUp?: () => Promise<unknown>;
}

/**
 * Lets racers race for links, for the attempts at a code, and for an interval. Expects exact outcomes.
 *
 * @param userId no user yet
 * @param count how many links there are
 */
export const race = async (
	racers: readonly Racer[],
	{ db, source, catchUp = async () => {} }: Track,
	userId: string,
	count = 320,
): Promise<void> => {
	const all = async (run: (racer: Racer, at: number) => Promise<string[]>) =>
		(await Promise.all(racers.map(run))).flat();
	const codes = passwordToken(source, `${NAME}-code`, options);
	await createUser(db, userId);

	const tokens = await storeTokens(db, userId, count);
	await catchUp();
	const { tally } = await startLoad(racers, tokens, 4, 2).end();
	report({ successes: countSuccesses(tally), ...tally.failures });
	expect(new Set(tally.successes.values())).toEqual(new Set([1]));
	expect(tally.failures).toEqual({ INVALID_TOKEN: count * (racers.length * 2 - 1) });

	for (const isRightAmongThem of [false, true]) {
		const code = `${await codes.issue(userId)}`;
		await catchUp();
		const outcomes = await all((racer, at) => {
			const guesses = WRONG.filter((_, index) => index % racers.length === at);
			if (isRightAmongThem) guesses.splice(3 * at, 0, code);
			return racer.guessAll(userId, guesses);
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
		const again = await all((racer) => racer.guessAll(userId, [code]));
		expect(new Set(again)).toEqual(new Set(["INVALID_TOKEN"]));
		await expect(codes.validate(code, userId)).rejects.toThrow("INVALID_TOKEN");
	}

	// No interval before, one that ended a minute ago, and one that ended long ago.
	for (const [index, end] of [0, Date.now() - MINUTE, MINUTE].entries()) {
		const user = `${userId}-${index}`;
		await createUser(db, user);
		const interval = `:${NAME}-spaced: ${user}. after ${end - MINUTE}`;
		if (end > 0) await insertRows(db, [interval], user, end);
		await catchUp();
		const outcomes = await all((racer) => racer.issueAll(user, 10));
		expect(outcomes.filter((outcome) => outcome === "ok")).toHaveLength(1);
		outcomes.push(...(await all((racer) => racer.issueAll(user, 2))));
		const recently = outcomes.filter((outcome) => outcome === "ISSUED_RECENTLY");
		expect(recently).toHaveLength(racers.length * 12 - 1);
	}
};
