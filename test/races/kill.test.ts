import { setTimeout } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { account } from "./account.js";
import { SHARED } from "./contenders.js";
import { addSuccess, newTally, shuffled } from "./race.js";
import { type Job, startRacer } from "./racers.js";
import { createUser, NAME, storeTokens } from "./tokens.js";

const TOKENS = 1500;
const ROUNDS = 4;

describe("kill -9 of two validating processes, four times", () => {
	for (const contender of SHARED) {
		test.skipIf(!contender.isThere)(contender.name, async () => {
			const db = await contender.open();
			onTestFinished(() => db.close());
			await createUser(db, "user");
			const tokens = await storeTokens(db, "user", TOKENS);
			const tally = newTally(tokens);
			const { store } = contender;
			const job: Job = { connection: db.connection, store, version: "current", name: NAME };
			let midst = 0;
			for (let round = 0; round < ROUNDS; round++) {
				const racers = await Promise.all([startRacer(job), startRacer(job)]);
				const ended = racers.map((racer, index) =>
					racer.validateAll(shuffled(tokens, round * 2 + index), 10, 2).then(
						() => 0,
						() => 1,
					),
				);
				// At this count, many tokens are still to be validated.
				const won = (): number => racers.reduce((count, racer) => count + racer.won.length, 0);
				while (won() < TOKENS / (ROUNDS + 2)) await setTimeout(1);
				await Promise.all(racers.map((racer) => racer.kill()));
				for (const killed of await Promise.all(ended)) midst += killed;
				for (const racer of racers) for (const token of racer.won) addSuccess(tally, token);
			}
			expect(midst).toBeGreaterThan(0);
			await account("kill -9", db, contender, tally, { "processes killed in the midst": midst });
		});
	}
});
