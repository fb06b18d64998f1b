import { isExpired, MAX_SKEW } from "../clock.js";
import { isTokenError } from "../error.js";
import { attemptPrefix, EXPIRY_LENGTH, type UserScope } from "../key-id.js";
import {
	type Guess,
	INTERNAL,
	type KeyStore,
	MAX_CODES,
	operate,
	type Operation,
	type StoredKey,
} from "../key-store.js";
import { byExpiry } from "./token-limit.js";

/** The largest `maxAttempts`. */
export const MAX_ATTEMPTS = 999;

/** The maximum number of characters in an attempt's id besides the id of its code. */
export const ATTEMPT_ROOM = ":  ".length + EXPIRY_LENGTH + `${MAX_ATTEMPTS}`.length;

/** A code that is good: one of the newest, with attempts left. */
interface Code {
	readonly key: StoredKey;
	/** The ids of the attempts that it has left. */
	readonly left: readonly string[];
}

/**
 * The good codes among a user's keys: the newest outstanding ones that have an attempt left. How many
 * attempts were taken at a code counts, not which numbers are free: a handler with a higher limit may
 * have taken any.
 *
 * @param id a code that may also have expired
 */
const goodCodes = (
	keys: readonly StoredKey[],
	{ prefix, maxAttempts, now, id }: Omit<Guess, "id" | "userId"> & { readonly id?: string },
): Code[] => {
	const ids = new Set(keys.map((key) => key.id));
	const newest = keys
		.filter((key) => key.id.startsWith(prefix) && !isExpired(key.expires, now))
		.sort(byExpiry)
		.slice(-MAX_CODES);
	const expired = keys.filter((key) => key.id === id && isExpired(key.expires, now));
	return [...newest, ...expired]
		.map((key) => ({ key, left: attemptsLeft(key, ids, maxAttempts) }))
		.filter(({ left }) => left.length > 0);
};

const attemptsLeft = (key: StoredKey, ids: ReadonlySet<string>, max: number): string[] => {
	const attempts = attemptPrefix(key);
	const taken = [...ids].filter((id) => id.startsWith(attempts)).length;
	if (taken >= max) return [];
	return Array.from({ length: max }, (_, index) => `${attempts}${index + 1}`).filter(
		(id) => !ids.has(id),
	);
};

/** Takes the first attempt that no concurrent call takes; `undefined` if there is none. */
const takeFirst = async (
	store: KeyStore,
	{ key: { userId, expires }, left }: Code,
): Promise<StoredKey | undefined> => {
	for (const id of left) {
		try {
			await store.insert({ id, userId, expires }, true);
			return { id, userId, expires };
		} catch (error) {
			if (!isTokenError(error, "DUPLICATE_TOKEN")) throw error;
		}
	}
	return undefined;
};

const noneIfUnknown = (error: unknown): [] => {
	if (isTokenError(error, "INVALID_USER_ID")) return [];
	throw error;
};

const takeEach = async (store: KeyStore, guess: Guess): Promise<StoredKey[]> => {
	const { id, userId, prefix } = guess;
	const keys = await store.getAllByUser(userId, prefix, INTERNAL + prefix);
	const good = goodCodes(keys, guess);
	const hit = good.find(({ key }) => key.id === id);
	const taken: StoredKey[] = [];
	for (const code of hit ? [hit] : good) {
		const attempt = await takeFirst(store, code);
		if (attempt) taken.push(attempt);
	}
	return taken;
};

/** What `takeAttempts` of a store does, with a list and an insert for each code. */
export const takeOneByOne = (store: KeyStore, guess: Guess): Promise<StoredKey[]> =>
	takeEach(store, guess).catch(noneIfUnknown);

/**
 * Limits the wrong guesses at a user's codes (ASVS 5.0 6.6.3): once `max` wrong codes have been tried for its
 * user and name while it was outstanding, a code no longer works.
 *
 * Each code has `max` attempts: keys with fixed ids, which expire with the code. A guess takes its
 * attempts before its caller learns anything. A wrong guess takes an attempt of each good code, for good. A
 * right guess takes an attempt of its own code, and gives it back. Ids are unique, so a thousand concurrent
 * calls get no more attempts than a thousand calls in a row.
 *
 * @param max the number of attempts at each code
 */
export const attemptLimit = (store: KeyStore, max: number) => ({
	/** Lists a user's codes, without outstanding ones that are not good. */
	async getAll({ userId, prefix }: UserScope, now: number): Promise<StoredKey[]> {
		const keys = await store.getAllByUser(userId, prefix, INTERNAL + prefix);
		const expired = keys.filter(
			({ id, expires }) => id.startsWith(prefix) && isExpired(expires, now),
		);
		const good = goodCodes(keys, { prefix, maxAttempts: max, now });
		return [...expired, ...good.map(({ key }) => key)];
	},

	/**
	 * Reads or consumes a code that has an attempt left. A wrong code takes an attempt of each good one.
	 *
	 * @param now the current time in epoch milliseconds
	 * @returns the code, expired or not; `null` if it is wrong, has no attempt left, or has no such user
	 */
	async guess(
		{ userId, prefix }: UserScope,
		id: string,
		operation: Operation,
		now: number,
	): Promise<StoredKey | null> {
		// A code that has expired here may be outstanding on a machine whose clock is behind.
		const guess = { userId, prefix, id, maxAttempts: max, now: now - MAX_SKEW };
		const taken = await (store.takeAttempts?.(guess) ?? takeOneByOne(store, guess));
		// The whole prefix: the id of a hashed code contains a space, so the guess `hmac-sha256` begins it.
		const attempt = taken.find((taken) => taken.id.startsWith(attemptPrefix({ ...taken, id })));
		if (!attempt) return null;

		const key = { id, userId, expires: attempt.expires };
		let isGivenBack = false;
		try {
			if (operation === "get") return key;
			if (operation !== "consume" || !store.consumeAndDelete) {
				return await operate(store, operation, id, userId);
			}
			const consumed = await store.consumeAndDelete(key, attempt.id);
			isGivenBack = consumed !== null;
			return consumed;
		} finally {
			// An attempt that stays taken is better than an error that reports a used code as unused.
			if (!isGivenBack) await store.delete(attempt.id, userId).catch(() => {});
		}
	},
});
