import { isExpired, secondsFromNow } from "./clock.js";
import { LuciaTokenError } from "./error.js";
import type { KeyStore, StoredKey } from "./key-store.js";
import type { UserScope } from "./scope.js";

// Begins as a claim does, so that a sweep clears it too, and goes on as no token and no digest does.
const attemptPrefix = ({ prefix }: UserScope): string => `:${prefix} `;

/** How many tries there may be. */
export const MAX_ATTEMPTS = 999;

/** What the id of an attempt has beside the prefix of the tokens, in characters. */
export const ATTEMPT_OVERHEAD = `: ${MAX_ATTEMPTS}`.length;

// Tries outlast the tokens that they were made at, also those from a time when tokens lasted longer.
const MIN_LIFE = 24 * 60 * 60;

/**
 * Bounds how often the tokens of one user may be guessed at (ASVS 5.0 6.6.3).
 *
 * Each try takes one of `max` keys with fixed ids before the token is looked at, and a right one gives
 * its key back. That ids are unique makes the bound exact: a thousand calls at once get no more of them
 * than one after the other. While all are taken no token is looked at, so none needs to be deleted,
 * which could hit one that was issued since.
 *
 * @param max how many tries there are, at most `MAX_ATTEMPTS`
 * @param expiresIn how long the tokens last, in seconds
 */
export const attemptLimit = (store: KeyStore, max: number, expiresIn: number) => {
	// The ids of the tries that are left.
	const listFree = async (scope: UserScope): Promise<string[]> => {
		const prefix = attemptPrefix(scope);
		const taken = new Set((await store.getAllByUser(scope.userId, prefix)).map(({ id }) => id));
		const all = Array.from({ length: max }, (_, index) => `${prefix}${index + 1}`);
		return all.filter((id) => !taken.has(id));
	};

	// False where another call has just taken it.
	const take = async (id: string, userId: string): Promise<boolean> => {
		try {
			const expires = secondsFromNow(Math.max(expiresIn, MIN_LIFE));
			await store.insert({ id, userId, expires });
			return true;
		} catch (error) {
			if (error instanceof LuciaTokenError && error.message === "DUPLICATE_TOKEN") return false;
			throw error;
		}
	};

	// The id of the try; null where none is left, or where there is no such user.
	const reserve = async (scope: UserScope): Promise<string | null> => {
		try {
			for (const id of await listFree(scope)) if (await take(id, scope.userId)) return id;
		} catch (error) {
			if (!(error instanceof LuciaTokenError)) throw error;
		}
		return null;
	};

	const clear = (scope: UserScope): Promise<void> =>
		store.deleteAllByUser(scope.userId, attemptPrefix(scope));

	const isExhausted = async (scope: UserScope): Promise<boolean> =>
		(await listFree(scope)).length === 0;

	return {
		/** Whether no try is left, and so no token any good. */
		isExhausted,

		/**
		 * Looks a key up, if its user has a try left.
		 *
		 * What is looked for in vain takes as many queries whether or not there is such a user, a token
		 * or a try left.
		 *
		 * @param operation `consume` gives all tries back when it succeeds, `get` its own
		 * @param at the current time in epoch milliseconds
		 */
		async guess(
			scope: UserScope,
			id: string,
			operation: "get" | "consume",
			at: number,
		): Promise<StoredKey | null> {
			const { userId } = scope;
			const attempt = await reserve(scope);
			if (attempt === null) {
				// In the place of taking a try, and of the look at the token.
				await store.get(id, userId);
				await store.get(id, userId);
				return null;
			}
			const seen = await store.get(id, userId);
			if (!seen) return null;
			// A right guess, whoever of several calls with it gets the key: none of them is a failure.
			const key = operation === "get" ? seen : await store.consume(id, userId);
			const used = operation === "consume" && key && !isExpired(key.expires, at);
			// Tries that stay taken are no reason to report a token as not used that was.
			await (used ? clear(scope) : store.delete(attempt, userId)).catch(() => {});
			return key;
		},

		/**
		 * Issues a token, and gives all tries back if none was left. The tokens that were guessed at are
		 * deleted first, so that they do not come back to life.
		 */
		async renew<Result>(scope: UserScope, issue: () => Promise<Result>): Promise<Result> {
			const exhausted = await isExhausted(scope);
			if (exhausted) await store.deleteAllByUser(scope.userId, scope.prefix);
			const result = await issue();
			if (exhausted) await clear(scope);
			return result;
		},
	};
};
