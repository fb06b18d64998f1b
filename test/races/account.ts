import { expect, vi } from "vitest";
import { idToken } from "../../src/index.js";
import type { Contender, Shared } from "./contenders.js";
import { attempt, countSuccesses, newTally, report, type Tally } from "./race.js";
import { EXPIRES_IN, NAME, options } from "./tokens.js";

const HOUR = 60 * 60 * 1000;

/**
 * Accounts for every token of a user after faults. No token succeeded twice. A token that never succeeded
 * validates now, is gone, or is blocked by a claim that a sweep clears.
 */
export const account = async (
	what: string,
	db: Shared,
	{ name, sourceOf }: Pick<Contender<Shared>, "name" | "sourceOf">,
	tally: Tally,
	counts: Readonly<Record<string, number>> = {},
): Promise<void> => {
	const handler = idToken(sourceOf(db), NAME, options);
	const used = countSuccesses(tally);
	expect(Math.max(...tally.successes.values())).toBe(1);

	const ids = async (): Promise<Set<string>> => new Set((await db.keys()).map(({ id }) => id));
	const before = await ids();
	const left = [...tally.successes].filter(([, count]) => count === 0).map(([token]) => token);
	let validates = 0;
	let gone = 0;
	let held = 0;
	for (const token of left) {
		const [isStored, isClaimed] = [before.has(`${NAME}:${token}`), before.has(`:${NAME}:${token}`)];
		const now = newTally([token]);
		await attempt(now, handler.validate, token);
		if (isStored && !isClaimed) {
			validates++;
			expect(countSuccesses(now)).toBe(1);
			continue;
		}
		if (isStored) held++;
		else gone++;
		expect(now.failures).toEqual({ INVALID_TOKEN: 1 });
	}
	expect(used + validates + gone + held).toBe(tally.successes.size);
	const claims = [...before].filter((id) => id.startsWith(":")).length;
	report(`${what}, ${name}`, {
		tokens: tally.successes.size,
		used,
		"validate now": validates,
		gone,
		"held by a claim": held,
		"claims left": claims,
		...counts,
	});

	// Only blocked tokens and claims are left. A sweep clears them an hour after the tokens expire.
	expect((await ids()).size).toBe(held + claims);
	vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + EXPIRES_IN * 1000 + HOUR + 1000 });
	try {
		await handler.deleteExpiredUserTokens("user");
	} finally {
		vi.useRealTimers();
	}
	expect(await ids()).toEqual(new Set());
};
