import { CHECKSUM_LENGTH, checksum } from "../checksum.js";
import { isExpired, now, secondsFromNow } from "../clock.js";
import { isTokenError, LuciaTokenError } from "../error.js";
import type { KeyStore } from "../key-store.js";
import { MAX_KEY_ID_LENGTH } from "../value/bounds.js";
import type { UserScope } from "../scope.js";

// With a checksum: under a collation that ignores case, another name's key could have this id.
const idOf = (marked: string): string => `${marked}issued ${checksum(marked)}`;

/** The room that the id of this key needs behind the prefix of tokens, for the shortest user id. */
export const INTERVAL_ROOM = ": u. issued ".length + CHECKSUM_LENGTH;

// How often a call looks again that finds the key neither stored nor free to be stored.
const MAX_LOOKS = 3;

/**
 * Keeps a user's tokens apart in time. A key with a fixed id lasts for the interval, and `issue` begins
 * with storing it: of many calls at once, one can.
 *
 * @param minInterval in seconds
 */
export const issueInterval = (store: KeyStore, minInterval: number) => {
	// The last moment of the interval.
	const start = async (id: string, userId: string): Promise<number> => {
		for (let look = 1; ; look++) {
			// Only if it has expired: another call may have stored the next one in its place.
			await store.consume(id, userId, now());
			const expires = secondsFromNow(minInterval) - 1;
			try {
				await store.insert({ id, userId, expires });
				return expires;
			} catch (error) {
				if (!isTokenError(error, "DUPLICATE_TOKEN")) throw error;
			}
			const last = await store.get(id, userId);
			const rest = (last?.expires ?? 0) + 1 - now();
			// Gone or expired since, so that the next look may find it free.
			if (rest <= 0 && look < MAX_LOOKS) continue;
			throw new LuciaTokenError("ISSUED_RECENTLY", {
				retryAfter: Math.max(1, Math.ceil(rest / 1000)),
			});
		}
	};

	return {
		/**
		 * Issues a token if the interval since the last one has passed.
		 *
		 * @throws LuciaTokenError `ISSUED_RECENTLY`: it has not
		 */
		async issue<Result>(
			{ marked, userId }: UserScope,
			issue: () => Promise<Result>,
		): Promise<Result> {
			const id = idOf(marked);
			if (id.length > MAX_KEY_ID_LENGTH) throw new LuciaTokenError("INVALID_USER_ID");
			const expires = await start(id, userId);
			try {
				return await issue();
			} catch (error) {
				// No token, no interval. One that is over may be another call's by now.
				if (!isExpired(expires, now())) await store.delete(id, userId).catch(() => {});
				throw error;
			}
		},
	};
};
