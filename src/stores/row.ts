import { LuciaTokenError } from "../error.js";
import { INTERNAL_GRACE, type StoredKey } from "../key-store.js";

/** A row of the key table, as a driver returns it. */
export interface KeyRow {
	readonly id: string;
	/** The native stores select it as a string. Lucia's adapters may return the number of an integer column. */
	readonly user_id: string | number | bigint;
	/** Drivers return a BIGINT as a number, a string, or a BigInt, depending on their settings. */
	readonly expires: number | string | bigint;
}

/**
 * The id of a user, as a string.
 *
 * @throws TypeError it is a number that the driver may have rounded, and so perhaps another user's, or missing
 */
export const toUserId = (id: string | number | bigint | undefined): string => {
	if (typeof id === "number" && !Number.isSafeInteger(id)) {
		throw new TypeError(
			"The driver returned a user id as a number that may be rounded: let it return text or BigInt",
		);
	}
	// Some drivers can be set to rename columns.
	if (id === undefined) throw new TypeError("The driver must return a column as user_id");
	return String(id);
};

/** @throws TypeError the expiry is not a finite number, or the user id may be rounded */
export const toStoredKey = ({ id, user_id, expires: stored }: KeyRow): StoredKey => {
	// A Date and an empty string are numbers, too, to Number().
	const expires = typeof stored === "object" || stored === "" ? NaN : Number(stored);
	if (!Number.isFinite(expires)) {
		throw new TypeError("The column expires must hold epoch milliseconds: make it a BIGINT");
	}
	return { id, userId: toUserId(user_id), expires };
};

/** A sweep at `now` deletes the internal keys that expired before this time. */
export const internalBefore = (now: number): number => now - INTERNAL_GRACE;

export const firstKey = ([row]: readonly KeyRow[]): StoredKey | null =>
	row ? toStoredKey(row) : null;

/**
 * The keys in the rows of a list, which joins a user with the user's keys. It has no row for an unknown
 * user, and one row of nulls for a user without keys.
 *
 * @throws LuciaTokenError `INVALID_USER_ID`: there is no such user
 */
export const keysOfUser = (rows: readonly (KeyRow | { id: null })[]): StoredKey[] => {
	if (rows.length === 0) throw new LuciaTokenError("INVALID_USER_ID");
	return rows.filter((row) => row.id !== null).map(toStoredKey);
};

/** Returns nothing, in place of the database's error, if a statement asks for what cannot be there. */
export const orNothing = <Result>(
	statement: Promise<Result>,
	isNothing: (error: unknown) => boolean,
	nothing: Result,
): Promise<Result> =>
	statement.catch((error: unknown) => {
		if (isNothing(error)) return nothing;
		throw error;
	});
