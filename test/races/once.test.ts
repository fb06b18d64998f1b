import type { Auth } from "lucia-auth";
import * as published from "published";
import { describe, expect, onTestFinished, test } from "vitest";
import * as current from "../../src/index.js";
import { callingOn } from "./again.js";
import { type Contender, DATABASES, type Opened, SHARED, type Shared, SLOW } from "./contenders.js";
import {
	addFailures,
	addSuccess,
	attempt,
	countFailures,
	countSuccesses,
	expectExactlyOnce,
	inBatches,
	newTally,
	report,
	shuffled,
	type Tally,
} from "./race.js";
import { type Job, startRacer } from "./racers.js";
import { createUser, NAME, options, type Rows, rowsOf, storeTokens } from "./tokens.js";

const CALLS = 20;
const PROCESSES = 4;

type IdToken = typeof current.idToken;

const summarize = (name: string, tokens: number, tally: Tally): void =>
	report(name, {
		tokens,
		successes: countSuccesses(tally),
		"calls that lost": countFailures(tally),
	});

type Racing<Db extends Opened> = Pick<Contender<Db>, "name" | "store" | "open" | "sourceOf">;

interface Race {
	readonly store: Contender["store"];
	readonly tally: Tally;
	readonly left: Rows;
}

/** Each token, validated by 20 calls at once. */
const inOneProcess = async <Db extends Opened>(
	{ name, store, open, sourceOf }: Racing<Db>,
	idToken: IdToken,
	count: number,
): Promise<Race> => {
	const db = await open();
	onTestFinished(() => db.close());
	await createUser(db, "user");
	const handler = idToken(sourceOf(db) as Auth, NAME, options);
	const tokens: string[] = [];
	await inBatches(Array.from({ length: count }), 50, async () => {
		tokens.push(String(await handler.issue("user")));
	});
	const tally = newTally(tokens);
	const validate = callingOn(store)(handler.validate);
	await inBatches(tokens, 25, (token) =>
		Promise.all(Array.from({ length: CALLS }, () => attempt(tally, validate, token))),
	);
	summarize(`in one process, ${name}`, count, tally);
	return { store, tally, left: await rowsOf(db) };
};

/** Each token, validated by four processes, each in its own order. */
const acrossProcesses = async (
	{ name, store, open }: (typeof SHARED)[number],
	version: Job["version"],
	count: number,
): Promise<Race> => {
	const db = await open();
	onTestFinished(() => db.close());
	await createUser(db, "user");
	const tokens = await storeTokens(db, "user", count);
	const job: Job = { connection: db.connection, store, version, name: NAME };
	const racers = await Promise.all(Array.from({ length: PROCESSES }, () => startRacer(job)));
	const tally = newTally(tokens);
	await Promise.all(
		racers.map(async (racer, index) => {
			addFailures(tally, await racer.validateAll(shuffled(tokens, index), 10));
			for (const token of racer.won) addSuccess(tally, token);
			await racer.kill();
		}),
	);
	summarize(`across ${PROCESSES} processes, ${name}`, count, tally);
	return { store, tally, left: await rowsOf(db) };
};

const expectAllUsed = ({ store, tally, left: { tokens, spent } }: Race): void => {
	expectExactlyOnce(tally);
	expect(tokens.size).toBe(0);
	// The default store keeps them until a sweep an hour after the tokens expire.
	expect(spent.size).toBe(store === "default" ? tally.successes.size : 0);
};

const expectDoubleSpending = ({ tally }: Race): void => {
	expect(countSuccesses(tally)).toBeGreaterThan(tally.successes.size);
	expect(() => expectExactlyOnce(tally)).toThrow();
};

describe("20 concurrent calls in one process consume each token once", () => {
	for (const contender of SHARED) {
		test.skipIf(!contender.isThere)(`1,000 tokens: ${contender.name}`, async () => {
			const race = await inOneProcess(contender, current.idToken, 1000);
			expectAllUsed(race);
			expect(countFailures(race.tally)).toBe(1000 * (CALLS - 1));
		});
	}
	for (const contender of SLOW) {
		test.skipIf(!contender.isThere)(`10 tokens: ${contender.name}`, async () => {
			const race = await inOneProcess(contender, current.idToken, 10);
			expectAllUsed(race);
			expect(countFailures(race.tally)).toBe(10 * (CALLS - 1));
		});
	}
});

describe("four processes consume each token once", () => {
	for (const contender of SHARED) {
		test.skipIf(!contender.isThere)(`2,000 tokens: ${contender.name}`, async () => {
			const race = await acrossProcesses(contender, "current", 2000);
			expectAllUsed(race);
			expect(countFailures(race.tally)).toBe(2000 * (PROCESSES - 1));
		});
	}
});

describe("the same races fail", () => {
	const databases = SHARED.filter(({ store }) => store === "default");
	const withPublished = <Db extends Opened>(contender: Contender<Db>): void => {
		test.skipIf(!contender.isThere)(`in one process, with 1.0.2: ${contender.name}`, async () => {
			const race = { ...contender, name: `1.0.2, ${contender.name}` };
			expectDoubleSpending(await inOneProcess(race, published.idToken as unknown as IdToken, 10));
		});
	};
	databases.forEach(withPublished);
	SLOW.forEach(withPublished);
	for (const contender of databases) {
		test.skipIf(!contender.isThere)(`across processes, with 1.0.2: ${contender.name}`, async () => {
			const race = { ...contender, name: `1.0.2, ${contender.name}` };
			expectDoubleSpending(await acrossProcesses(race, "published", 2000));
		});
	}
	for (const { name, native, isThere, open } of DATABASES) {
		test.skipIf(!isThere)(
			`in one process, with a store that reads, then deletes: ${name}`,
			async () => {
				const race: Racing<Shared> = {
					name: `${native} that reads, then deletes, on ${name}`,
					store: "native",
					open,
					sourceOf: ({ nativeSource }) => ({
						...nativeSource,
						consume: async (id, userId) => {
							const key = await nativeSource.get(id, userId);
							await nativeSource.delete(id, userId);
							return key;
						},
					}),
				};
				expectDoubleSpending(await inOneProcess(race, current.idToken, 20));
			},
		);
	}
});
