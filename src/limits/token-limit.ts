import { secondsFromNow } from "../clock.js";
import type { KeyStore, StoredKey } from "../key-store.js";
import type { UserScope } from "../scope.js";

// How far the clocks of an app's machines may lie apart, in seconds.
const CLOCK_SKEW = 60;

/** The order in which tokens are listed: the first to expire first. */
export const byExpiry = (a: StoredKey, b: StoredKey): number =>
	a.expires - b.expires || (a.id < b.id ? -1 : 1);

/**
 * Keeps a user's tokens within a limit, by deleting the oldest.
 *
 * A key has an expiry and no date of issue, so the last to expire counts as the newest. Calls at the
 * same moment all agree on which one that is, and leave it.
 *
 * @param max how many tokens may stay
 */
export const tokenLimit = (store: KeyStore, max: number) => ({
	/**
	 * Issues a token that is the newest of its user's, and deletes the oldest over the limit.
	 *
	 * @param expiresIn how long the token lasts, in seconds
	 * @param insert stores the token, to expire at the moment given in epoch milliseconds
	 */
	async issue<Result>(
		{ userId, prefix }: UserScope,
		expiresIn: number,
		insert: (expires: number) => Promise<Result>,
	): Promise<Result> {
		// What outlasts this is from a time when tokens of this type lasted longer: older than all.
		const latest = secondsFromNow(expiresIn + CLOCK_SKEW);
		// Others of the same millisecond, or of a machine whose clock is ahead, are older than it, too.
		const after = (expires: number, key: StoredKey) =>
			key.expires < latest ? Math.max(expires, key.expires + 1) : expires;
		const others = await store.getAllByUser(userId, prefix);
		const result = await insert(others.reduce(after, secondsFromNow(expiresIn)));

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
