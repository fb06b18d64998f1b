import { check } from "../answers.js";
import { USERS } from "../databases/schema.js";
import { takeTurns, timed } from "../turns.js";

const userOf = (i) => USERS[i % USERS.length];

// Issues tokens, validates them, validates tokens that nobody issued; and looks at every answer.
const turn = (database, underWay) => async (contender, count) => {
	// Spent rows stay until they are swept, and would pile up from turn to turn.
	await database.empty();
	contender.prepare?.(underWay + count);
	// The caches of processors and servers hold what was before.
	await timed(underWay, underWay, async (i) => {
		await contender.validate(await contender.issue(userOf(i)));
	});
	const issue = await timed(underWay, count, (i) => contender.issue(userOf(i)));
	const tokens = issue.answers;
	const validate = await timed(underWay, count, (i) => contender.validate(tokens[i]));
	validate.answers.forEach((userId, i) => {
		check(userId === userOf(i), contender, `validate() answered ${userId} for ${userOf(i)}`);
	});

	const strange = tokens.map((_, i) => contender.unknown(userOf(i)));
	const unknown = await timed(underWay, count, (i) => contender.validate(strange[i]));
	const again = await timed(underWay, Math.min(count, underWay), (i) =>
		contender.validate(tokens[i]),
	);
	for (const userId of [...unknown.answers, ...again.answers]) {
		check(userId === null, contender, "validate() accepted an unknown or used token");
	}
	return {
		issue: issue.milliseconds,
		validate: validate.milliseconds,
		unknown: unknown.milliseconds,
	};
};

/** Issue, validate, and validate of an unknown token, with `underWay` calls at any time. */
export const measureLinks = (database, contenders, { underWay, ...plan }) =>
	takeTurns(contenders, turn(database, underWay), {
		...plan,
		least: Math.max(4, underWay),
		most: 20_000,
		settle: database.settle,
	});
