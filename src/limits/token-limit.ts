import { MAX_SKEW, secondsFromNow } from "../clock.js";
import type { UserScope } from "../key-id.js";
import type { KeyStore, StoredKey } from "../key-store.js";

/** Sorts keys by expiry, the earliest first. */
export const byExpiry = (a: StoredKey, b: StoredKey): number =>
	a.expires - b.expires || (a.id < b.id ? -1 : 1);

/**
 * Limits how many tokens a user has: deletes the oldest beyond the limit.
 *
 * A key has an expiry but no date of issue, so the last one to expire counts as the newest. Concurrent
 * calls agree on which one that is, and keep it.
 *
 * @param max how many tokens a user may have
 */
export const tokenLimit = (store: KeyStore, max: number) => ({
	/**
	 * Issues a token that is its user's newest, and deletes the oldest beyond the limit.
	 *
	 * @param expiresIn how long the token lasts, in seconds
	 * @param insert stores the token with the given expiry, in epoch milliseconds
	 */
	async issue<Result>(
		{ userId, prefix }: UserScope,
		expiresIn: number,
		insert: (expires: number) => Promise<Result>,
	): Promise<Result> {
		// A token that expires later than this was issued under a longer `expiresIn`. It counts as the oldest.
		const latest = secondsFromNow(expiresIn) + MAX_SKEW;
		// The new token expires last, even if another token is of the same millisecond or from a machine whose
		// clock is ahead.
		const after = (expires: number, key: StoredKey) =>
			key.expires < latest ? Math.max(expires, key.expires + 1) : expires;
		const others = await store.getAllByUser(userId, prefix);
		const result = await insert(others.reduce(after, secondsFromNow(expiresIn)));

		if (store.deleteOldest) {
			await store.deleteOldest(userId, prefix, max, latest);
			return result;
		}
		const age = (key: StoredKey) => (key.expires > latest ? 0 : 1);
		const oldestFirst = [...(await store.getAllByUser(userId, prefix))].sort(
			(a, b) => age(a) - age(b) || byExpiry(a, b),
		);
		for (const { id } of oldestFirst.slice(0, Math.max(0, oldestFirst.length - max))) {
			await store.delete(id, userId);
		}
		return result;
	},
});
