/** A single-use key: a row of `auth_key` that has an expiry, is not primary, and has no password. */
export interface StoredKey {
	/** `NAME:TOKEN` for id tokens, `NAME:USERID.TOKEN` for password tokens. */
	readonly id: string;
	/** The user that owns the key. */
	readonly userId: string;
	/** The last moment at which the key is valid, in epoch milliseconds. */
	readonly expires: number;
}

/**
 * The first character of every marked key's id, and of no token's. Marked keys are internal: claims, tries,
 * and intervals. No version of the package mistakes them for tokens, not even 1.0.2.
 */
export const MARK = ":";

/**
 * How long a sweep keeps marked keys after they expire, in milliseconds. A call in flight may have
 * begun before the expiry, and the clocks of two machines may differ.
 */
export const MARKED_GRACE = 60 * 60 * 1000;

/**
 * The port between handlers and databases: the operations on single-use keys that handlers need.
 *
 * - No operation returns or deletes a key that is primary, has no expiry, or has a password.
 * - Ids are compared byte for byte, whatever the collation of the column.
 * - If you pass a `userId`, another user's key counts as missing.
 * - Database errors pass through unchanged.
 */
export interface KeyStore {
	/**
	 * Stores a key, in one atomic step.
	 *
	 * @throws LuciaTokenError `DUPLICATE_TOKEN`: a key of any kind already has this id
	 * @throws LuciaTokenError `INVALID_USER_ID`: there is no such user
	 */
	insert(key: StoredKey): Promise<void>;

	/** @returns the key, expired or not; `null` if there is none */
	get(id: string, userId?: string): Promise<StoredKey | null>;

	/**
	 * Deletes a key and returns it. Of all concurrent calls with one key, in one process or many, at most
	 * one gets it, and exactly one if no fault intervenes.
	 *
	 * @param expiredAt a moment in epoch milliseconds; if given, a key that had not expired by then
	 * counts as missing
	 * @returns the key that this call deleted, expired or not; `null` if there is none or another call
	 * got it
	 */
	consume(id: string, userId?: string, expiredAt?: number): Promise<StoredKey | null>;

	/**
	 * Consumes a user's key and deletes another one. If this throws or does not get the key, the caller
	 * deletes the other one. So do not delete it while the key stays stored: by the time the caller does, its
	 * id may be another call's. Leave this out if your store would need as many statements as for `consume`
	 * and `delete`.
	 *
	 * @param key the key as the caller read it; a key with another expiry counts as missing
	 * @param otherId the id of the other key, which the caller has just stored for the same user
	 * @returns the key, even if the other one could not be deleted; `null` if there is none or another call
	 * got it
	 */
	consumeAndDelete?(key: StoredKey, otherId: string): Promise<StoredKey | null>;

	/** Deletes a key if there is one. */
	delete(id: string, userId?: string): Promise<void>;

	/**
	 * Lists a user's keys, including expired ones.
	 *
	 * @param prefix what the ids begin with, byte for byte
	 * @param orPrefix a second prefix; keys with either one are listed
	 * @returns the keys, in any order
	 * @throws LuciaTokenError `INVALID_USER_ID`: there is no such user
	 */
	getAllByUser(userId: string, prefix: string, orPrefix?: string): Promise<readonly StoredKey[]>;

	/**
	 * Deletes all keys that `getAllByUser(userId, prefix)` lists. Does nothing if there is no such user.
	 *
	 * @param prefix what the ids begin with, byte for byte
	 */
	deleteAllByUser(userId: string, prefix: string): Promise<void>;

	/**
	 * Deletes a user's expired keys (`now > expires`). Also deletes marked keys, whose ids begin with `:`
	 * and then `prefix`, an hour after they expire. Does nothing if there is no such user.
	 *
	 * @param prefix what the ids begin with, byte for byte
	 * @param now the current time in epoch milliseconds
	 */
	deleteExpiredByUser(userId: string, prefix: string, now: number): Promise<void>;

	/**
	 * Does what `deleteExpiredByUser` does, for the keys of all users. A store that cannot do it in one
	 * step leaves it out.
	 *
	 * @param prefix what the ids begin with, byte for byte
	 * @param now the current time in epoch milliseconds
	 */
	deleteExpired?(prefix: string, now: number): Promise<void>;
}
