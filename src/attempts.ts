import { isExpired, secondsFromNow } from "./clock.js";
import { LuciaTokenError } from "./error.js";
import type { KeyStore, StoredKey } from "./key-store.js";
import type { UserScope } from "./scope.js";

/** A try at guessing a token: a key of its own. */
interface Attempt {
	readonly id: string;
	/** Whether there is none after it. */
	readonly last: boolean;
}

// Begins as a claim does, so that a sweep clears it too, and goes on as no token and no digest does.
const attemptPrefix = ({ prefix }: UserScope): string => `:${prefix} `;

/** How many tries there may be. */
export const MAX_ATTEMPTS = 999;

/** What the id of an attempt has beside the prefix of the tokens, in characters. */
export const ATTEMPT_OVERHEAD = `: ${MAX_ATTEMPTS}`.length;

/**
 * Bounds how often the tokens of one user may be guessed at (ASVS 5.0 6.6.3).
 *
 * Each try takes one of `max` keys with fixed ids before the token is looked at. That ids are unique
 * makes the bound exact: a thousand calls at once get no more of them than one after the other.
 *
 * @param max how many tries there are, at most `MAX_ATTEMPTS`
 * @param expiresIn how long the tokens last, in seconds
 */
export const attemptLimit = (store: KeyStore, max: number, expiresIn: number) => {
	const attemptOf = (scope: UserScope, number: number): Attempt => ({
		id: attemptPrefix(scope) + number,
		last: number === max,
	});

	// False where another call has just taken it.
	const insert = async ({ id }: Attempt, userId: string): Promise<boolean> => {
		try {
			await store.insert({ id, userId, expires: secondsFromNow(expiresIn) });
			return true;
		} catch (error) {
			if (error instanceof LuciaTokenError && error.message === "DUPLICATE_TOKEN") return false;
			throw error;
		}
	};

	// Null where no try is left, or where there is no such user.
	const reserve = async (scope: UserScope): Promise<Attempt | null> => {
		const { userId } = scope;
		try {
			const taken = await store.getAllByUser(userId, attemptPrefix(scope));
			const ids = new Set(taken.map(({ id }) => id));
			for (let number = 1; number <= max; number++) {
				const attempt = attemptOf(scope, number);
				if (!ids.has(attempt.id) && (await insert(attempt, userId))) return attempt;
			}
		} catch (error) {
			if (!(error instanceof LuciaTokenError)) throw error;
		}
		return null;
	};

	const clear = ({ userId, prefix }: UserScope): Promise<void> =>
		store.deleteAllByUser(userId, attemptPrefix({ userId, prefix }));

	return {
		/**
		 * Looks a key up, if its user has a try left.
		 *
		 * What is looked for in vain takes as many queries whether or not there is such a user, and
		 * whether or not a try is left: nobody learns that from the time that it takes.
		 *
		 * @param operation `consume` gives all tries back when it succeeds, and takes all tokens away when
		 * it fails with the last try; `get` gives its own try back and takes nothing away
		 * @param at the current time in epoch milliseconds
		 */
		async guess(
			scope: UserScope,
			id: string,
			operation: "get" | "consume",
			at: number,
		): Promise<StoredKey | null> {
			const { userId, prefix } = scope;
			const attempt = await reserve(scope);
			// In the place of the insert of an attempt, and of the look at the token.
			if (!attempt) await Promise.all([store.get(id, userId), store.get(id, userId)]);
			const seen = attempt && (await store.get(id, userId));
			if (attempt && seen) {
				// A right guess, whoever of several calls with it gets the key: none of them is a failure.
				const key = operation === "get" ? seen : await store.consume(id, userId);
				const used = operation === "consume" && key && !isExpired(key.expires, at);
				// Tries that stay taken are no reason to report a token as not used that was.
				await (used ? clear(scope) : store.delete(attempt.id, userId)).catch(() => {});
				return key;
			}
			if (operation === "consume") {
				if (attempt?.last) await store.deleteAllByUser(userId, prefix);
				else await store.deleteExpiredByUser(userId, prefix, at);
			}
			return null;
		},

		/**
		 * Issues a token, and gives all tries back if none was left. What is left of the tokens that
		 * were guessed at is deleted first, so that they do not come back to life.
		 */
		async renew<Result>(scope: UserScope, issue: () => Promise<Result>): Promise<Result> {
			const { userId, prefix } = scope;
			const exhausted = await store.get(attemptOf(scope, max).id, userId);
			if (exhausted) await store.deleteAllByUser(userId, prefix);
			const result = await issue();
			if (exhausted) await clear(scope);
			return result;
		},
	};
};
