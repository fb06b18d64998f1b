import { median } from "simple-statistics";
import { randomToken, USERS } from "./databases.js";
import { check, ratio, takeTurns, timed } from "./turns.js";

/** A code that is wrong where `code` is right. */
const otherCode = (code) => code.slice(0, -1) + ((Number(code.at(-1)) + 1) % 10);

const TO_WRONG = { links: randomToken, codes: otherCode };

/** Turns are short, so that what disturbs one is a small part. */
const callsOf = ({ name }, inFlight) => {
	if (name === "SQLite") return USERS.length;
	return inFlight === 1 ? 16 : 64;
};

// Issues a token to each user, tries a wrong one for each, and then uses the right one. So a wrong code meets
// one that has attempts left.
const turn = (database, toWrong, inFlight) => async (contender) => {
	const users = USERS.slice(0, callsOf(database, inFlight));
	await database.empty();
	const validate = (token, i) => contender.validate(token, users[i]);
	const issue = await timed(inFlight, users, contender.issue);
	const tokens = issue.results;
	const wrong = await timed(inFlight, tokens.map(toWrong), validate);
	const right = await timed(inFlight, tokens, validate);
	const used = await timed(inFlight, tokens.slice(0, inFlight), validate);
	for (const userId of [...wrong.results, ...used.results]) {
		check(userId === null, contender, "validate() accepted a wrong or used token");
	}
	right.results.forEach((userId, i) => {
		check(userId === users[i], contender, `validate() returned ${userId} for ${users[i]}`);
	});
	return Object.fromEntries(
		Object.entries({ issue, right, wrong }).map(([name, seen]) => [name, seen.milliseconds]),
	);
};

/**
 * Measures links or codes, with as many calls in flight as the database allows.
 *
 * @returns a row for each operation: the driver's calls per second, and everyone's ratio to it
 */
export const measureSpeed = (part) => async (database, contenders, plan) => {
	const rows = [];
	for (const inFlight of database.inFlight) {
		const taken = turn(database, TO_WRONG[part], inFlight);
		const measured = await takeTurns(database, contenders[part], taken, plan);
		for (const [operation, { driver, ...others }] of Object.entries(measured)) {
			const rate = (callsOf(database, inFlight) * 1000) / median(driver);
			const row = { operation, inFlight, rounds: driver.length, driver: Math.round(rate) };
			for (const [name, times] of Object.entries(others)) {
				row[name] = ratio(times, driver).map((value) => Number(value.toPrecision(3)));
			}
			rows.push(row);
		}
	}
	return rows;
};
