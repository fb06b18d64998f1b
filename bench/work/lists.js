import { check } from "../answers.js";
import { NOBODY, USERS } from "../databases/schema.js";
import { takeTurns, timed } from "../turns.js";

// Each of whom may have 10,000 tokens.
const MOST_USERS = 64;

// PostgreSQL keeps a plan for all values at the sixth call on a connection.
const PLANNED_ANEW = 6;

// Lists the tokens of users, then revokes them; and looks at every answer, and at the table.
const turn = (database, underWay, tokens) => async (contender, count) => {
	const users = USERS.slice(0, count);
	await database.fill(users, tokens);
	await database.settle();
	// After a vacuum the database plans again, and takes a few calls to settle.
	await timed(underWay, PLANNED_ANEW * underWay, async () => {
		await contender.list(NOBODY);
		await contender.revokeAll(NOBODY);
	});
	// What one contender leaves to the garbage collector is not the next one's to pay.
	globalThis.gc?.();
	const list = await timed(underWay, count, (i) => contender.list(users[i]));
	list.answers.forEach((listed, i) => {
		const ids = new Set(contender.idsOf(listed, users[i]));
		check(ids.size === tokens, contender, `listed ${ids.size} of ${tokens} tokens`);
	});
	// Hundreds of thousands of tokens, which need not lie there while they are revoked.
	list.answers = undefined;
	const revokeAll = await timed(underWay, count, (i) => contender.revokeAll(users[i]));
	check((await database.tokensLeft()) === 0, contender, "did not revoke all tokens");
	return { list: list.milliseconds, revokeAll: revokeAll.milliseconds };
};

/** List and revoke all `tokens` of a user, with `underWay` calls at any time. */
export const measureLists = async (database, contenders, { underWay, tokens, ...plan }) => {
	await database.empty();
	return takeTurns(contenders, turn(database, underWay, tokens), {
		...plan,
		least: underWay,
		most: MOST_USERS,
	});
};
