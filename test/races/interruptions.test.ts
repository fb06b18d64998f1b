import { expect, test } from "vitest";
import { account } from "./account.js";
import { opened, SHARED } from "./contenders.js";
import { countSuccesses, report, startLoad, until } from "./race.js";
import { startRacer, startRacers } from "./racers.js";
import { createUser, storeTokens, sourceOn } from "./tokens.js";

const TOKENS = 1000;
/** How many tokens validate between two cuts. If connecting is slow, fixed pauses would allow no progress. */
const WINS_PER_CUT = 5;

const openWithTokens = async (contender: (typeof SHARED)[number]) => {
	const db = await opened(contender);
	await createUser(db, "user");
	return { db, store: contender.store, tokens: await storeTokens(db, "user", TOKENS) };
};

test.each(SHARED)("no token is used twice if processes are killed: $name", async (contender) => {
	const { db, store, tokens } = await openWithTokens(contender);
	const racers = await startRacers(db.connection, store);
	const { tally, ended } = startLoad(racers, tokens, 10, 2);
	for (const [at, racer] of racers.entries()) {
		// At this count, many tokens are still to be validated.
		await until(() => countSuccesses(tally) >= ((at + 1) * TOKENS) / (racers.length + 2));
		await racer.kill();
	}
	await ended;
	// The last ones may have come to their end. One has 20 calls at once.
	expect(tally.failures["the process has ended"]).toBeGreaterThan(20);
	await account(db, store, sourceOn(db, store), tally);
});

/** Statements that find a connection of the process that validates, and that cut it. */
const CUTS: Record<string, readonly [find: string, cut: string]> = {
	pg: [
		"SELECT pid AS id FROM pg_stat_activity WHERE application_name = 'racer ' || ? ORDER BY random()",
		"SELECT pg_terminate_backend(?)",
	],
	mysql2: [
		`SELECT id FROM information_schema.processlist WHERE db = ? AND id <> CONNECTION_ID()
			ORDER BY RAND()`,
		"KILL CONNECTION ?",
	],
};

const onServers = SHARED.filter(({ name }) => /PostgreSQL|MariaDB/.test(name));

test.each(onServers)("no token is used twice if connections are cut: $name", async (contender) => {
	const { db, store, tokens } = await openWithTokens(contender);
	const [find, cut] = CUTS[db.connection.driver] ?? [];
	const racer = await startRacer(db.connection, store);
	const { tally, ended } = startLoad([racer], tokens, 10, 4);
	let over = false;
	void ended.then(() => (over = true));
	let cuts = 0;
	while (!over) {
		const [found] = (await db.sql(find as string, [db.name])) as { id: number }[];
		if (found) {
			cuts++;
			// It may be gone by now.
			await db.sql(cut as string, [found.id]).catch(() => {});
		}
		const enough = countSuccesses(tally) + WINS_PER_CUT;
		await until(() => over || countSuccesses(tally) >= enough);
	}
	await racer.kill();
	expect(cuts).toBeGreaterThan(0);
	report({ "connections cut": cuts, ...tally.failures });
	expect(Object.keys(tally.failures).length).toBeGreaterThan(1);
	await account(db, store, sourceOn(db, store), tally);
});
