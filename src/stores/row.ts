import { MARKED_GRACE, type StoredKey } from "../key-store.js";

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

/** The moment before which a marked key must have expired for a sweep at `now` to delete it. */
export const markedBefore = (now: number): number => now - MARKED_GRACE;
