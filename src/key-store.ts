/** A single-use key: a row of `auth_key` that has an expiry, is not primary, and has no password. */
export interface StoredKey {
	/** `NAME:TOKEN` for id tokens, `NAME:USERID.TOKEN` for password tokens. */
	readonly id: string;
	/** The user that owns the key: exactly as the database spells it. */
	readonly userId: string;
	/** The last time at which the key is valid, in epoch milliseconds. */
	readonly expires: number;
}

/** A guess at a user's codes, for which `takeAttempts` takes attempts. */
export interface Guess {
	readonly userId: string;
	/** What the ids of the user's codes begin with, byte for byte. */
	readonly prefix: string;
	/** The id that the guessed code's key would have. */
	readonly id: string;
	/** How many attempts each code has. */
	readonly maxAttempts: number;
	/** The current time in epoch milliseconds. */
	readonly now: number;
}

/**
 * The first character of every internal key's id, and of no token's. Internal keys are spent rows,
 * attempts, and intervals. No version of the package mistakes them for tokens, not even 1.0.2.
 */
export const INTERNAL = ":";

/**
 * How long internal keys are kept after they expire, in milliseconds. A call in flight may have begun
 * before the expiry, and the clocks of two machines may differ.
 */
export const INTERNAL_GRACE = 60 * 60 * 1000;

/**
 * How long a call may take to use a token, in milliseconds. After that, it may have missed the spent row of
 * another call, which a sweep deletes.
 */
export const MAX_DELAY = INTERNAL_GRACE / 2;

/** What a store did in one batch of a sweep. */
export interface SweptBatch {
	/** How many rows it deleted. */
	readonly deleted: number;
	/** What to pass for the next batch; left out at the end of the table. */
	readonly next?: string;
}

/** How many of a user's outstanding codes are good: the newest. So a guess costs a bounded number of rows. */
export const MAX_CODES = 10;

/**
 * The port between handlers and databases: the operations on single-use keys that handlers need.
 *
 * - No operation returns or deletes a key that is primary, has no expiry, or has a password.
 * - Ids are compared byte for byte, whatever the collation of the column. A user has one id, the string in
 *   the database. Any other spelling is an unknown user, and so is an id that the column cannot hold.
 * - If you pass a `userId`, another user's key counts as missing.
 * - Database errors pass through unchanged.
 */
export interface KeyStore {
	/**
	 * Stores a key, in one atomic step.
	 *
	 * @param isKnownUser whether the caller has read `userId` from the database, so that its spelling needs
	 * no check
	 * @throws LuciaTokenError `DUPLICATE_TOKEN`: a key of any kind already has this id
	 * @throws LuciaTokenError `INVALID_USER_ID`: there is no such user
	 */
	insert(key: StoredKey, isKnownUser?: boolean): Promise<void>;

	/** @returns the key, expired or not; `null` if there is none */
	get(id: string, userId?: string): Promise<StoredKey | null>;

	/**
	 * Deletes a key and returns it. Of all concurrent calls with one key, in one process or many, at most
	 * one gets it, and exactly one if nothing fails. A key that a call got must stay deleted, so the
	 * database must keep what it has acknowledged.
	 *
	 * @returns the key that this call deleted, expired or not; `null` if there is none or another call
	 * got it
	 */
	consume(id: string, userId?: string): Promise<StoredKey | null>;

	/**
	 * Consumes a key and deletes other keys of its user, in one step. Of all concurrent calls with different keys
	 * of one user that each delete the others' keys, exactly one gets its key if nothing fails. A key that
	 * has expired (`now > expires`) is consumed alone. Leave it out if your store cannot do it in one step:
	 * `validate()` with `revoke` then throws a `TypeError`.
	 *
	 * @param prefixes what the ids of the other keys begin with, byte for byte: one of these
	 * @param now the current time in epoch milliseconds
	 * @returns the key that this call deleted, expired or not; `null` if there is none or another call
	 * got it. Then no other key is deleted, but for a call that meets one with other prefixes
	 */
	consumeAndRevoke?(
		id: string,
		userId: string | undefined,
		prefixes: readonly string[],
		now: number,
	): Promise<StoredKey | null>;

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
	 * Deletes a user's expired keys (`now > expires`). Also deletes internal keys, whose ids begin with `:`
	 * and then `prefix`, an hour after they expire. It may delete the user's internal keys of other names as
	 * well, an hour after they expire. Does nothing if there is no such user.
	 *
	 * @param prefix what the ids begin with, byte for byte
	 * @param now the current time in epoch milliseconds
	 */
	deleteExpiredByUser(userId: string, prefix: string, now: number): Promise<void>;

	/**
	 * Does what `deleteExpiredByUser` does for the keys of all users, in batches, so that other calls need not
	 * wait long. A batch reads up to a thousand rows of the table in the order of their ids, and deletes those
	 * that have expired. A store that makes nobody wait may do it all in one batch. Leave it out if your store
	 * cannot find expired keys without a user: handlers then delete expired keys in some calls to
	 * `issue()`.
	 *
	 * @param prefix what the ids begin with, byte for byte
	 * @param now the current time in epoch milliseconds
	 * @param after where the batch begins: `""` for the first one, then `next` of the one before
	 */
	deleteExpired?(prefix: string, now: number, after: string): Promise<SweptBatch>;

	/**
	 * Deletes a user's oldest keys, so that the newest ones are left. It saves a list, and a statement for each
	 * key. Of two keys, the one that expires later is newer, and of two with one expiry, the one with the
	 * greater id. A key that expires after `latest` is older than all others.
	 *
	 * @param prefix what the ids begin with, byte for byte
	 * @param max how many keys are left
	 * @param latest epoch milliseconds
	 */
	deleteOldest?(userId: string, prefix: string, max: number, latest: number): Promise<void>;

	/**
	 * Takes the attempts of a guess: one of the guessed code, or, if that is not good, one of each of the
	 * user's good codes. Good are the ten newest outstanding codes, less those that have no attempt left. The
	 * guessed code may also have expired. It saves a list, and a statement for each code. Leave it out if your
	 * store needs more than one statement for it.
	 *
	 * An attempt is a key of the code's user and expiry. Its id is `:`, the code's id, a space, the code's
	 * expiry, a space, and a number from 1 to `maxAttempts` that is free. A code has no attempt left if
	 * `maxAttempts` of its attempts are stored, whatever their numbers. Where concurrent calls take
	 * the same number, each one takes another one, as long as there are any.
	 *
	 * @returns the attempts that this call took; none for an unknown user
	 */
	takeAttempts?(guess: Guess): Promise<readonly StoredKey[]>;

	/**
	 * Consumes a code and deletes the attempt at it. It saves a statement. If this throws or does not get the
	 * code, the caller deletes the attempt. Leave it out if your store needs as many statements as for
	 * `consume` and `delete`.
	 *
	 * @param key the code as the caller has just read it. If the store can tell, a key of another user or
	 * expiry counts as missing
	 * @param attemptId the id of the attempt, which the caller has just taken. Delete the code first
	 * @returns the code, even if the attempt could not be deleted; `null` if there is none or another call
	 * got it
	 */
	consumeAndDelete?(key: StoredKey, attemptId: string): Promise<StoredKey | null>;

	/**
	 * Whether statements run in a transaction of the app's. No limit holds there, because a rollback forgets
	 * what was counted, so handlers with limits throw an `Error`. Leave it out if your driver cannot tell.
	 */
	isInTransaction?(): boolean | Promise<boolean>;
}

/**
 * Refuses to count in a transaction of the app's.
 *
 * @param option the option whose limit does not hold there
 * @throws Error the store's statements run in a transaction
 */
export const refuseTransaction = async (store: KeyStore, option: string): Promise<void> => {
	if (!(await store.isInTransaction?.())) return;
	throw new Error(
		`${option} does not hold in a transaction, because a rollback forgets what was counted: ` +
			"pass the pool, or call this outside of the transaction",
	);
};

/** What a call does with the key of a token. */
export type Operation =
	"get" | "consume" | ((id: string, userId: string | undefined) => Promise<StoredKey | null>);

/** Runs an operation on a key. */
export const operate = (
	store: KeyStore,
	operation: Operation,
	id: string,
	userId: string | undefined,
): Promise<StoredKey | null> =>
	typeof operation === "function" ? operation(id, userId) : store[operation](id, userId);
