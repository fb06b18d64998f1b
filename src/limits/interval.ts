import { CHECKSUM_LENGTH, checksum } from "../checksum.js";
import { isExpired, now, secondsFromNow } from "../clock.js";
import { isTokenError, LuciaTokenError } from "../error.js";
import type { KeyStore } from "../key-store.js";
import { MAX_KEY_ID_LENGTH } from "../value/bounds.js";
import type { UserScope } from "../scope.js";

// The checksum tells apart names that differ only in letter case, which the column may ignore.
const idOf = (marked: string): string => `${marked}issued ${checksum(marked)}`;

/** The number of characters in this key's id besides the prefix of tokens, for the shortest user id. */
export const INTERVAL_ROOM = ": u. issued ".length + CHECKSUM_LENGTH;

// How many times a call tries to store the key, while concurrent calls store and delete it.
const MAX_LOOKS = 3;

/**
 * Keeps a minimum interval between a user's tokens. A key with a fixed id lasts for the interval. `issue`
 * stores it first, and only one of many concurrent calls can.
 *
 * @param minInterval in seconds
 */
export const issueInterval = (store: KeyStore, minInterval: number) => {
	// Stores the key of a new interval, and returns the interval's last moment.
	const start = async (id: string, userId: string): Promise<number> => {
		for (let look = 1; ; look++) {
			// Deletes the key only if it has expired: another call may already have stored the next one.
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
			// The key is gone or has expired since, so the id may be free now.
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
		 * @throws LuciaTokenError `ISSUED_RECENTLY`: it has not passed
		 * @throws LuciaTokenError `INVALID_USER_ID`: the user id is too long for the key's id
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
				// No token was issued, so the interval ends now. If it is over already, the key may be another call's.
				if (!isExpired(expires, now())) await store.delete(id, userId).catch(() => {});
				throw error;
			}
		},
	};
};
