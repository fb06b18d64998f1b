import type { Auth } from "lucia-auth";
import { expect, vi } from "vitest";
import { idToken, type KeyStore } from "../../src/index.js";
import type { Opened } from "../support/database.js";
import { attempt, countSuccesses, newTally, report, type Tally } from "./race.js";
import { EXPIRES_IN, keyId, NAME, options, rowsOf } from "./tokens.js";

/**
 * Accounts for every token of a user after failures. No token succeeded twice. A token that never succeeded
 * validates now, or a call used it whose response was lost.
 */
export const account = async (
	db: Pick<Opened, "keys">,
	store: "default" | "native",
	source: Auth | KeyStore,
	tally: Tally,
): Promise<void> => {
	const handler = idToken(source, NAME, options);
	expect(Math.max(...tally.successes.values())).toBe(1);

	const before = await rowsOf(db);
	// A native store deletes a used token. The default store inserts its spent row first.
	const isUsed = (token: string): boolean =>
		before.spent.has(keyId(token)) || !before.tokens.has(keyId(token));
	const now = newTally([...tally.successes.keys()]);
	let lost = 0;
	for (const [token, successes] of tally.successes) {
		await attempt(now, handler.validate, token);
		const isLost = successes === 0 && isUsed(token);
		if (isLost) lost++;
		expect(now.successes.get(token)).toBe(successes > 0 || isLost ? 0 : 1);
	}
	expect(Object.keys(now.failures)).toEqual(["INVALID_TOKEN"]);
	report({
		tokens: tally.successes.size,
		used: countSuccesses(tally),
		"used, with the response lost": lost,
		"validate now": countSuccesses(now),
	});

	// Every token is used now. A token that is still stored has its spent row.
	const after = await rowsOf(db);
	expect(after.spent.size).toBe(store === "default" ? tally.successes.size : 0);
	expect([...after.tokens].filter((id) => !after.spent.has(id))).toEqual([]);
	// A sweep deletes the rest an hour after the tokens expire.
	vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + (EXPIRES_IN + 3601) * 1000 });
	try {
		await handler.deleteExpiredUserTokens("user");
	} finally {
		vi.useRealTimers();
	}
	expect(await db.keys()).toEqual([]);
};
