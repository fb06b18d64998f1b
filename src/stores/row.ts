import { LuciaTokenError } from "../error.js";
import { MARKED_GRACE, type StoredKey } from "../key-store.js";

/** A row as the native stores select it. */
export interface KeyRow {
	readonly id: string;
	readonly user_id: string;
	/** Drivers return a BIGINT as a number, a string, or a BigInt, depending on their settings. */
	readonly expires: number | string | bigint;
}

export const toStoredKey = ({ id, user_id, expires }: KeyRow): StoredKey => ({
	id,
	userId: user_id,
	expires: Number(expires),
});

/** A sweep at `now` deletes the marked keys that expired before this moment. */
export const markedBefore = (now: number): number => now - MARKED_GRACE;

export const firstKey = ([row]: readonly KeyRow[]): StoredKey | null =>
	row ? toStoredKey(row) : null;

/**
 * The keys in the answer to a list, which joins a user with the user's keys. It has no row for an unknown
 * user, and one row of nulls for a user without keys.
 *
 * @throws LuciaTokenError `INVALID_USER_ID`: there is no such user
 */
export const keysOfUser = (rows: readonly (KeyRow | { id: null })[]): StoredKey[] => {
	if (rows.length === 0) throw new LuciaTokenError("INVALID_USER_ID");
	return rows.filter((row) => row.id !== null).map(toStoredKey);
};
