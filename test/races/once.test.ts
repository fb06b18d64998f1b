import { describe, expect, test } from "vitest";
import { opened, SHARED, SLOW } from "./contenders.js";
import { countSuccesses, race, report, startLoad } from "./race.js";
import { createRacer } from "./racer.js";
import { startRacers } from "./racers.js";
import { createUser, rowsOf, storeTokens, sourceOn } from "./tokens.js";

describe("each link is used once, a code has five attempts, and an interval has one token", () => {
	test.each(SHARED)("among four processes: $name", async (contender) => {
		const { store } = contender;
		const db = await opened(contender);
		// A handler with a lower limit takes part, and counts the same attempts.
		const racers = await startRacers(db.connection, store, [{ maxAttempts: 2 }, {}, {}, {}]);
		await race(racers, { db, source: sourceOn(db, store) }, "user", 1000);
		const { tokens, spent } = await rowsOf(db);
		const linksOf = (ids: ReadonlySet<string>) => [...ids].filter((id) => id.startsWith("race:"));
		expect(linksOf(tokens)).toEqual([]);
		expect(linksOf(spent)).toHaveLength(store === "default" ? 1000 : 0);
	});

	test.each(SLOW)("in one process: $name", async (contender) => {
		const db = await opened(contender);
		const { defaultSource: source } = db;
		const create = () => createRacer((call) => call(source), source, { store: "default" });
		await race([create(), create()], { db, source }, "user", 10);
	});
});

const defaults = SHARED.filter(({ store }) => store === "default");

test.each(defaults)("1.0.2 uses links more than once among four processes: $name", async (on) => {
	const db = await opened(on);
	await createUser(db, "user");
	const tokens = await storeTokens(db, "user", 200);
	const old = { version: "published" } as const;
	const racers = await startRacers(db.connection, "default", [old, old, old, old]);
	const { tally } = await startLoad(racers, tokens, 10, 5).end();
	report({ links: 200, uses: countSuccesses(tally) });
	expect(countSuccesses(tally)).toBeGreaterThan(200);
});
