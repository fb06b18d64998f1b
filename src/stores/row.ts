import type { StoredKey } from "../key-store.js";

/** What the native stores ask their databases for. */
export interface KeyRow {
	readonly id: string;
	readonly user_id: string;
	/** Drivers give a BIGINT as a number, a string or a BigInt, as they are set up. */
	readonly expires: number | string | bigint;
}

export const toStoredKey = ({ id, user_id, expires }: KeyRow): StoredKey => ({
	id,
	userId: user_id,
	expires: Number(expires),
});

/**
 * Marks the ids of the default store's claims. No token name begins with a colon, so a claim meets
 * no token.
 */
export const CLAIM_MARK = ":";

/**
 * The moment by which a claim must have expired for a sweep to delete it: an hour before `now`. The
 * caller that holds a claim may have begun before the token expired and still be at it, or another
 * machine's clock may be late; without the claim, a second caller could win too.
 */
export const claimsBefore = (now: number): number => now - 60 * 60 * 1000;
