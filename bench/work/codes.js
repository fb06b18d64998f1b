import { check } from "../answers.js";
import { USERS } from "../databases/schema.js";
import { takeTurns, timed } from "../turns.js";

// Issues a code to each user, guesses wrong once at each, then validates them; and looks at every
// answer.
const turn = (database, underWay) => async (contender, count) => {
	const users = USERS.slice(0, count);
	// Attempts and spent rows stay until they are swept, and would pile up from turn to turn.
	await database.empty();
	contender.prepare?.(underWay + count);
	// The caches of processors and servers hold what was before.
	await timed(underWay, underWay, async (i) => {
		await contender.validate(await contender.issue(users[i]), users[i]);
	});
	const issue = await timed(underWay, count, (i) => contender.issue(users[i]));
	const codes = issue.answers;
	const wrongCodes = codes.map((code) => contender.wrong(code));
	const wrong = await timed(underWay, count, (i) => contender.validate(wrongCodes[i], users[i]));
	const right = await timed(underWay, count, (i) => contender.validate(codes[i], users[i]));
	const again = await timed(underWay, Math.min(count, underWay), (i) =>
		contender.validate(codes[i], users[i]),
	);
	for (const userId of [...wrong.answers, ...again.answers]) {
		check(userId === null, contender, "validate() accepted a wrong or used code");
	}
	right.answers.forEach((userId, i) => {
		check(userId === users[i], contender, `validate() answered ${userId} for ${users[i]}`);
	});
	return { issue: issue.milliseconds, wrong: wrong.milliseconds, right: right.milliseconds };
};

/** Issue, a wrong code at one that has attempts left, and the right code, with `underWay` at any time. */
export const measureCodes = (database, contenders, { underWay, ...plan }) =>
	takeTurns(contenders, turn(database, underWay), {
		...plan,
		least: Math.max(4, underWay),
		most: USERS.length,
		settle: database.settle,
	});
