import { expect, test } from "vitest";
import { idToken, passwordToken } from "../../src/index.js";
import { opened, SHARED } from "./contenders.js";
import { startRacers } from "./racers.js";
import { createUser, NAME, options, rowsOf, sourceOn } from "./tokens.js";

test.each(SHARED)(
	"four processes use one of two links and two codes of each user: $name",
	async (contender) => {
		const db = await opened(contender);
		const source = sourceOn(db, contender.store);
		const links = idToken(source, NAME, options);
		const codes = passwordToken(source, `${NAME}-code`, options);
		const racers = await startRacers(db.connection, contender.store);

		const raceFor = async (userId: string): Promise<void> => {
			await createUser(db, userId);
			const linked = [`${await links.issue(userId)}`, `${await links.issue(userId)}`];
			const coded = [`${await codes.issue(userId)}`, `${await codes.issue(userId)}`];
			const reversed = [[...linked].reverse(), [...coded].reverse()] as const;
			const outcomes = await Promise.all(
				racers.map((racer, at) =>
					at % 2 ? racer.useAll(userId, linked, coded) : racer.useAll(userId, ...reversed),
				),
			);
			const lost = outcomes.flat().filter((outcome) => outcome !== "ok");
			expect(lost).toEqual(Array(racers.length * 4 - 1).fill("INVALID_TOKEN"));
		};
		for (let user = 0; user < 40; user += 5) {
			await Promise.all([0, 1, 2, 3, 4].map((at) => raceFor(`user${user + at}`)));
		}
		expect((await rowsOf(db)).tokens).toEqual(new Set());
	},
);
