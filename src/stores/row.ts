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
