import { expect, test } from "vitest";
import { account } from "./account.js";
import { opened, SHARED } from "./contenders.js";
import { report, startLoad, until } from "./race.js";
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
	const load = startLoad(racers, tokens, 10, 2);
	for (const [at, racer] of racers.entries()) {
		// At this count, many tokens are still to be validated.
		await until(() => load.won() >= ((at + 1) * TOKENS) / (racers.length + 2));
		await racer.kill();
	}
	const { tally, results } = await load.end();
	// The last ones may have come to their end.
	const killed = results.filter(({ status }) => status === "rejected");
	expect(killed.length).toBeGreaterThan(1);
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
	const load = startLoad([racer], tokens, 10, 4);
	let over = false;
	const ended = load.end().finally(() => (over = true));
	let cuts = 0;
	while (!over) {
		const [found] = (await db.sql(find as string, [db.name])) as { id: number }[];
		if (found) {
			cuts++;
			// It may be gone by now.
			await db.sql(cut as string, [found.id]).catch(() => {});
		}
		const enough = load.won() + WINS_PER_CUT;
		await until(() => over || load.won() >= enough);
	}
	const { tally } = await ended;
	await racer.kill();
	expect(cuts).toBeGreaterThan(0);
	report({ "connections cut": cuts, ...tally.failures });
	expect(Object.keys(tally.failures).length).toBeGreaterThan(1);
	await account(db, store, sourceOn(db, store), tally);
});
