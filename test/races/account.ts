import { expect, vi } from "vitest";
import { idToken } from "../../src/index.js";
import type { Contender, Shared } from "./contenders.js";
import { attempt, countSuccesses, newTally, report, type Tally } from "./race.js";
import { EXPIRES_IN, keyId, NAME, options, rowsOf } from "./tokens.js";

const HOUR = 60 * 60 * 1000;

/**
 * Accounts for every token of a user after faults. No token succeeded twice. A token that never succeeded
 * validates now, or a call used it whose answer was lost.
 */
export const account = async (
	what: string,
	db: Shared,
	{ name, store, sourceOf }: Pick<Contender<Shared>, "name" | "store" | "sourceOf">,
	tally: Tally,
	counts: Readonly<Record<string, number>> = {},
): Promise<void> => {
	const handler = idToken(sourceOf(db), NAME, options);
	const used = countSuccesses(tally);
	expect(Math.max(...tally.successes.values())).toBe(1);

	const before = await rowsOf(db);
	// A native store deletes a used token. The default store inserts its spent row first.
	const isUsed = (token: string): boolean =>
		before.spent.has(keyId(token)) || !before.tokens.has(keyId(token));
	let validates = 0;
	let lost = 0;
	for (const [token, successes] of tally.successes) {
		const now = newTally([token]);
		await attempt(now, handler.validate, token);
		if (successes > 0 || isUsed(token)) {
			if (successes === 0) lost++;
			expect(now.failures).toEqual({ INVALID_TOKEN: 1 });
		} else {
			validates++;
			expect(countSuccesses(now)).toBe(1);
		}
	}
	expect(used + validates + lost).toBe(tally.successes.size);
	report(`${what}, ${name}`, {
		tokens: tally.successes.size,
		used,
		"used, with the answer lost": lost,
		"validate now": validates,
		"used tokens that were not deleted": before.tokens.size - validates,
		...counts,
	});

	// Every token is used now. A token that is still stored has its spent row.
	const after = await rowsOf(db);
	expect(after.spent.size).toBe(store === "default" ? tally.successes.size : 0);
	expect([...after.tokens].filter((id) => !after.spent.has(id))).toEqual([]);
	// A sweep deletes the rest an hour after the tokens expire.
	vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + EXPIRES_IN * 1000 + HOUR + 1000 });
	try {
		await handler.deleteExpiredUserTokens("user");
	} finally {
		vi.useRealTimers();
	}
	expect(await db.keys()).toEqual([]);
};
