import { secondsFromNow } from "./clock.js";
import type { KeyStore, StoredKey } from "./key-store.js";
import type { UserScope } from "./scope.js";

// How far the clocks of an app's machines may lie apart, in seconds.
const CLOCK_SKEW = 60;

/** The order in which tokens are listed: the first to expire first. */
export const byExpiry = (a: StoredKey, b: StoredKey): number =>
	a.expires - b.expires || (a.id < b.id ? -1 : 1);

/**
 * Deletes a user's oldest tokens over a limit.
 *
 * All calls at the same moment agree on which token is the newest, so that it is left by all of them.
 *
 * @param max how many tokens may stay
 * @param expiresIn how long a new token lasts, in seconds
 */
export const deleteOldest = async (
	store: KeyStore,
	{ userId, prefix }: UserScope,
	max: number,
	expiresIn: number,
): Promise<void> => {
	const keys = await store.getAllByUser(userId, prefix);
	// A key has an expiry and no date of issue. One that lasts longer than a new token can is from a
	// time when tokens of this type lasted longer, and older than all others.
	const newest = secondsFromNow(expiresIn + CLOCK_SKEW);
	const age = (key: StoredKey) => (key.expires > newest ? 0 : 1);
	const oldestFirst = [...keys].sort((a, b) => age(a) - age(b) || byExpiry(a, b));
	for (const { id } of oldestFirst.slice(0, Math.max(0, keys.length - max))) {
		await store.delete(id, userId);
	}
};
