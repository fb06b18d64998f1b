import { describe, expect, test } from "vitest";
import { outcomeOf } from "../support/errors.js";
import { opened, SHARED, SLOW } from "./contenders.js";
import { countSuccesses, race, report, startLoad } from "./race.js";
import { createRacer } from "./racer.js";
import { startRacers } from "./racers.js";
import { createUser, NAME, rowsOf, storeTokens } from "./tokens.js";

describe("each link is used once, a code has five attempts, and an interval has one token", () => {
	test.each(SHARED)("among four processes: $name", async (contender) => {
		const { store } = contender;
		const db = await opened(contender);
		// A handler with a lower limit takes part, and counts the same attempts.
		const racers = await startRacers(db.connection, store, [{}, { maxAttempts: 2 }, {}, {}]);
		await race(racers, db, "user", { links: 1000 });
		const { tokens, spent } = await rowsOf(db);
		const linksOf = (ids: ReadonlySet<string>) => [...ids].filter((id) => id.startsWith("race:"));
		expect(linksOf(tokens)).toEqual([]);
		expect(linksOf(spent)).toHaveLength(store === "default" ? 1000 : 0);
	});

	test.each(SLOW)("in one process: $name", async (contender) => {
		const db = await opened(contender);
		const { defaultSource: source } = db;
		const create = () => createRacer((call) => call(source), source, { store: "default" });
		await race([create(), create()], db, "user", { links: 10 });
	});
});

test.each(SHARED)(
	"four processes use one of two links and two codes of each user: $name",
	async (contender) => {
		const db = await opened(contender);
		const racers = await startRacers(db.connection, contender.store);
		const options = { revoke: [NAME, `${NAME}-code`] };

		const raceFor = async (userId: string): Promise<void> => {
			await createUser(db, userId);
			const issueTwo = (what: "links" | "codes") =>
				Promise.all(racers.slice(2).map((racer) => racer.issue(what, userId)));
			const [links, codes] = [await issueTwo("links"), await issueTwo("codes")];
			const calls = racers.flatMap((racer, at) => {
				const ordered = (tokens: readonly string[]) => (at % 2 ? tokens : [...tokens].reverse());
				return [
					...ordered(links).map((link) => racer.validate(link, options)),
					...ordered(codes).map((code) => racer.guess(code, userId, options)),
				];
			});
			const lost = (await Promise.all(calls.map(outcomeOf))).filter((outcome) => outcome !== "ok");
			expect(lost).toEqual(Array(racers.length * 4 - 1).fill("INVALID_TOKEN"));
		};
		for (let user = 0; user < 40; user += 5) {
			await Promise.all([0, 1, 2, 3, 4].map((at) => raceFor(`user${user + at}`)));
		}
		expect((await rowsOf(db)).tokens).toEqual(new Set());
	},
);

const defaults = SHARED.filter(({ store }) => store === "default");

test.each(defaults)("1.0.2 uses links more than once among four processes: $name", async (on) => {
	const db = await opened(on);
	await createUser(db, "user");
	const tokens = await storeTokens(db, "user", 200);
	const old = { version: "published" } as const;
	const racers = await startRacers(db.connection, "default", [old, old, old, old]);
	const tally = await startLoad(racers, tokens, 10, 5).ended;
	report({ links: 200, uses: countSuccesses(tally) });
	expect(countSuccesses(tally)).toBeGreaterThan(200);
});
