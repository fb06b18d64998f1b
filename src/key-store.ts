/** A single-use key: one row of `auth_key` with an expiry, not primary and without a password. */
export interface StoredKey {
	/** `NAME:TOKEN` for id tokens, `NAME:USERID.TOKEN` for password tokens. */
	readonly id: string;
	/** The user that owns the key. */
	readonly userId: string;
	/** The last moment at which the key is good, in epoch milliseconds. */
	readonly expires: number;
}

/**
 * Begins the id of each key that is no token: a claim, a try, or the moment of the last issue. No token
 * name contains it, so such a key is a token to no handler, of 1.0.2 neither.
 */
export const MARK = ":";

/**
 * How long marked keys outlast their expiry before a sweep deletes them, in milliseconds. A call in
 * flight may have begun before the expiry, and the clocks of two machines may differ.
 */
export const MARKED_GRACE = 60 * 60 * 1000;

/**
 * The port between handlers and databases: the few operations on single-use keys that handlers need.
 *
 * Every operation sees single-use keys only: not primary, with an expiry and without a password. It
 * never reads or deletes any other key. Ids are compared letter for letter, whatever the collation
 * of the column. Where a `userId` is given, a key of another user counts as missing. An error of the
 * database passes through as it is.
 */
export interface KeyStore {
	/**
	 * Stores a key, as one atomic step.
	 *
	 * @throws LuciaTokenError `DUPLICATE_TOKEN`: a key with this id is stored, of whatever kind
	 * @throws LuciaTokenError `INVALID_USER_ID`: there is no such user
	 */
	insert(key: StoredKey): Promise<void>;

	/** @returns the key, expired or not; `null` where there is none */
	get(id: string, userId?: string): Promise<StoredKey | null>;

	/**
	 * Takes a key out of the store. Of all concurrent calls with one key, in one process or many, at
	 * most one gets it; and exactly one where no fault intervenes.
	 *
	 * @param expiredAt if given, a key that had not expired at this moment counts as missing (epoch
	 * milliseconds)
	 * @returns the key, expired or not, that this call has deleted; `null` where there is none or
	 * where another call got it
	 */
	consume(id: string, userId?: string, expiredAt?: number): Promise<StoredKey | null>;

	/** Deletes a key if there is one. */
	delete(id: string, userId?: string): Promise<void>;

	/**
	 * @param prefix how the ids asked for begin, letter for letter
	 * @param orPrefix another way in which they may begin
	 * @returns the user's keys, expired ones too, in any order
	 * @throws LuciaTokenError `INVALID_USER_ID`: there is no such user
	 */
	getAllByUser(userId: string, prefix: string, orPrefix?: string): Promise<readonly StoredKey[]>;

	/**
	 * Deletes all keys that `getAllByUser(userId, prefix)` lists; nothing where there is no such user.
	 *
	 * @param prefix how the ids of the keys begin, letter for letter
	 */
	deleteAllByUser(userId: string, prefix: string): Promise<void>;

	/**
	 * Deletes the user's keys that have expired (`now > expires`), nothing where there is no such
	 * user. Deletes marked keys too, whose ids begin with ":" and then `prefix`, once they expired
	 * an hour before `now`.
	 *
	 * @param prefix how the ids of the keys begin, letter for letter
	 * @param now the current time in epoch milliseconds
	 */
	deleteExpiredByUser(userId: string, prefix: string, now: number): Promise<void>;

	/**
	 * Does what `deleteExpiredByUser` does, for the keys of all users. Left out by stores that can't
	 * do it in one step.
	 *
	 * @param prefix how the ids of the keys begin, letter for letter
	 * @param now the current time in epoch milliseconds
	 */
	deleteExpired?(prefix: string, now: number): Promise<void>;
}
