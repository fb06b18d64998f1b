import { median } from "simple-statistics";
import { randomToken, USERS } from "./databases.js";
import { check, takeTurns, timed } from "./turns.js";

const [USER] = USERS;
const CALLS = 4;
// Before the tokens that a turn issues: only the newest codes are good.
const soon = () => Date.now() + 300_000;

const average = async (call) =>
	(await timed(1, Array(CALLS).fill(USER), call)).milliseconds / CALLS;

// Each operation for a user who has `count` tokens, one call after the other.
const turn = (database, count) => async (links, codes) => {
	const fill = async (toId) => {
		await database.empty();
		await database.addKeys(Array.from({ length: count }, toId), [USER], soon());
		await database.settle();
	};
	await fill(() => `link:${randomToken()}`);
	const tokens = [];
	for (let i = 0; i < CALLS; i++) tokens.push(await links.issue(USER));
	const use = await average(async () => {
		check((await links.validate(tokens.pop())) === USER, links, "refused a link");
	});
	const list = await average(async () => {
		const { length } = await links.list(USER);
		check(length === count, links, `listed ${length} of ${count} links`);
	});
	const { milliseconds: revoke } = await timed(1, [USER], links.revokeAll);
	check((await links.list(USER)).length === 0, links, "did not revoke all links");

	await fill((_, i) => `code:${USER}.${String(i).padStart(8, "0")}`);
	for (let i = 0; i < CALLS; i++) tokens.push(await codes.issue(USER));
	const right = await average(async () => {
		check((await codes.validate(tokens.pop(), USER)) === USER, codes, "refused a code");
	});
	return {
		"use a link": use,
		"use a code": right,
		"list links": list,
		"revoke all links": revoke,
	};
};

/** @returns a row for each operation: each contender's milliseconds by the number of the user's tokens */
export const measureGrowth = async (database, { links, codes }, { tokens, ...plan }) => {
	const able = links.filter(({ list }) => list);
	const rows = {};
	for (const count of tokens) {
		const take = turn(database, count);
		const both = (contender) =>
			take(
				contender,
				codes.find(({ name }) => name === contender.name),
			);
		const measured = await takeTurns(database, able, both, plan);
		for (const [operation, times] of Object.entries(measured)) {
			const row = (rows[operation] ??= { operation, tokens });
			for (const { name } of able)
				(row[name] ??= []).push(Number(median(times[name]).toPrecision(2)));
		}
	}
	return Object.values(rows);
};
