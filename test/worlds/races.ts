import { afterAll, expect } from "vitest";
import { passwordToken } from "../../src/index.js";
import {
	addFailures,
	addSuccess,
	countSuccesses,
	expectExactlyOnce,
	newTally,
	report,
} from "../races/race.js";
import { type Connection, type Job, type Racer, startRacer } from "../races/racers.js";
import { createUser, EXPIRES_IN, NAME, storeTokens } from "../races/tokens.js";
import type { Database } from "../support/database.js";
import { openPostgres, postgres } from "../support/databases.js";
import type { Server } from "../support/server.js";

const PROCESSES = 4;
const MAX_ATTEMPTS = 5;

const TOKENS = 320;
const CALLS = 8;
export const WRONG = Array.from({ length: 60 }, (_, at) => `wrong${at}`);

/** A database, and how the processes reach it. */
export interface World {
	/** Without what is in between. */
	readonly db: Database;
	readonly connection: Connection;
	/** Lets reads see what is stored. */
	readonly catchUp?: () => Promise<unknown>;
}

/** Opens a schema on a server that may end before its clients. */
export const openOn = async ({ url }: Server) => {
	const db = await openPostgres(url);
	db.pool.on("error", () => {});
	return db;
};

/** Connects to a schema on such a server. */
export const connect = ({ url }: Server, schema = "public"): postgres.Pool =>
	new postgres.Pool({ connectionString: url, options: `-c search_path=${schema}` }).on(
		"error",
		() => {},
	);

/** Returns a list of functions that end what tests have started. They run after all tests, the last first. */
export const endAfterAll = (): (() => Promise<unknown>)[] => {
	const ends: (() => Promise<unknown>)[] = [];
	afterAll(async () => {
		for (const end of ends.reverse()) await end();
	});
	return ends;
};

/** What can take part in a race. */
export interface Racing extends Pick<Racer, "won" | "guessAll" | "issueAll"> {
	validateAll(...args: Required<Parameters<Racer["validateAll"]>>): Promise<Record<string, number>>;
}

/** Starts the processes. */
export const startRacers = (
	{ connection }: World,
	store: Job["store"],
): Promise<readonly Racer[]> => {
	const job: Job = { connection, store, version: "current", name: NAME, maxAttempts: MAX_ATTEMPTS };
	return Promise.all(Array.from({ length: PROCESSES }, () => startRacer(job)));
};

/** Lets four of them race for links, the attempts at a code, and an interval. Expects exact outcomes. */
export const race = async (
	racers: readonly Racing[],
	{ db, catchUp }: World,
	userId: string,
): Promise<void> => {
	await createUser(db, userId);
	const tokens = await storeTokens(db, userId, TOKENS);
	const codes = passwordToken(db.nativeSource, `${NAME}-code`, {
		expiresIn: EXPIRES_IN,
		maxAttempts: MAX_ATTEMPTS,
	});
	const code = `${await codes.issue(userId)}`;
	await catchUp?.();

	const tally = newTally(tokens);
	await Promise.all(
		racers.map(async (racer) => {
			const before = racer.won.length;
			addFailures(tally, await racer.validateAll(tokens, 4, CALLS / PROCESSES));
			for (const token of racer.won.slice(before)) addSuccess(tally, token);
		}),
	);
	report(userId, { successes: countSuccesses(tally), ...tally.failures });
	expectExactlyOnce(tally);

	const share = WRONG.length / PROCESSES;
	const guesses = await Promise.all(
		racers.map((racer, at) => racer.guessAll(userId, WRONG.slice(at * share, (at + 1) * share))),
	);
	expect(guesses.flat()).toEqual(WRONG.map(() => "INVALID_TOKEN"));
	const begin = `:${NAME}-code:${userId}.${code} `;
	expect((await db.keys()).filter(({ id }) => id.startsWith(begin))).toHaveLength(MAX_ATTEMPTS);
	await expect(codes.validate(code, userId)).rejects.toThrow("INVALID_TOKEN");

	const issued = await Promise.all(racers.map((racer) => racer.issueAll(userId, 10)));
	const recently = Array<string>(PROCESSES * 10 - 1).fill("ISSUED_RECENTLY");
	expect(issued.flat().sort()).toEqual([...recently, "ok"]);
};
