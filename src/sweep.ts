import { now } from "./clock.js";
import { ownOptions } from "./check.js";
import type { KeyStore } from "./key-store.js";

/** The options of `deleteExpiredTokens()`. */
export interface SweepOptions {
	/** Ends the sweep before its next batch: an `AbortSignal`. */
	readonly signal?: { readonly aborted: boolean } | undefined;
}

/**
 * Deletes the expired keys of all users in batches. After each one, it leaves the database to others for as
 * long as the batch took.
 *
 * @returns how many rows it deleted
 */
export const sweep = async (
	store: KeyStore,
	prefix: string,
	options: SweepOptions | undefined,
): Promise<number> => {
	const signal = ownOptions(options, ["signal"]).signal as SweepOptions["signal"];
	if (signal !== undefined && typeof (signal as typeof signal | null)?.aborted !== "boolean") {
		throw new TypeError("signal must be an AbortSignal");
	}
	if (!store.deleteExpired) {
		throw new TypeError("This store cannot delete the expired tokens of all users");
	}
	// What expires during the sweep is for the next one.
	const at = now();
	let deleted = 0;
	let after: string | undefined = "";
	while (after !== undefined && !signal?.aborted) {
		const start = performance.now();
		const batch = await store.deleteExpired(prefix, at, after);
		deleted += batch.deleted;
		after = batch.next;
		const took = performance.now() - start;
		if (after !== undefined) await new Promise((resolve) => setTimeout(resolve, took));
	}
	return deleted;
};
