import { isExpired, MAX_SKEW, now, secondsFromNow } from "../clock.js";
import { isTokenError, LuciaTokenError } from "../error.js";
import { EXPIRY_LENGTH, MAX_KEY_ID_LENGTH, type UserScope } from "../key-id.js";
import { INTERNAL_GRACE, type KeyStore } from "../key-store.js";

/** The number of characters in this key's id besides the prefix of tokens, for the shortest user id. */
export const INTERVAL_ROOM = ": u. unused ".length + EXPIRY_LENGTH;

// How long a call may take from its list to its last insert.
const MAX_STALL = 2 * 60 * 1000;

// Calls that may start an interval at the same time are less than a period apart.
const PERIOD = MAX_STALL + MAX_SKEW;

// How long after its end an interval names the next one: alone, and at all. A sweep deletes it much later,
// so a call on either side of these times still finds it.
const NAMES_ALONE = 2 * PERIOD;
const NAMES = INTERNAL_GRACE / 2;

// How many intervals without a token a user may begin while the first of them would last. Otherwise, an
// address that no mail reaches would have no limit at all.
const MAX_UNUSED = 5;

/**
 * The ids of the interval that comes after the last one. The final id is the interval's own. Calls that may
 * start an interval at the same time share an id, so only one of them gets all of its ids.
 *
 * An interval is named after the end of the one before it. Long after that end, or if there is none before
 * it, an interval is named after its period. A call then also takes that period and the one before, because
 * a sweep may have deleted what another call still sees.
 */
const nextIds = (prefix: string, last: number | undefined, at: number): string[] => {
	const isWithin = (time: number) => last !== undefined && !isExpired(last + time, at);
	if (isWithin(NAMES_ALONE)) return [`${prefix}after ${last}`];
	const period = Math.floor(at / PERIOD);
	return [
		`${prefix}in ${period - 1}`,
		`${prefix}in ${period}`,
		isWithin(NAMES) ? `${prefix}after ${last}` : `${prefix}first ${period}`,
	];
};

const unusedId = ({ interval }: UserScope, expires: number) => `${interval}unused ${expires}`;

/**
 * Keeps a minimum interval between a user's tokens. An interval is a key that lasts as long. `issue` stores
 * it before the token, and only one of many concurrent calls can. Its id names the interval before it, so no
 * id is used twice, and a call that was delayed, or saw an earlier state, wants an id that is taken.
 *
 * @param minInterval in seconds
 */
export const issueInterval = (store: KeyStore, minInterval: number) => {
	const length = minInterval * 1000;

	// A clock that was set back may show an interval that ends later than one that starts now.
	const tooSoon = (rest: number) =>
		new LuciaTokenError("ISSUED_RECENTLY", {
			retryAfter: Math.max(1, Math.ceil(Math.min(rest, length) / 1000)),
		});

	// Says that no token came of an interval. The interval's own key stays, since the next one is named
	// after it.
	const end = (scope: UserScope, expires: number): Promise<void> =>
		store
			.insert({ id: unusedId(scope, expires), userId: scope.userId, expires }, true)
			.catch((error: unknown) => {
				if (!isTokenError(error, "DUPLICATE_TOKEN")) throw error;
			});

	const start = async (scope: UserScope): Promise<number> => {
		const { interval: prefix, userId } = scope;
		const at = now();
		const keys = await store.getAllByUser(userId, prefix);
		const ids = new Set(keys.map(({ id }) => id));
		const ends = keys
			.filter(({ id }) => [`${prefix}after `, `${prefix}first `].some((own) => id.startsWith(own)))
			.map(({ expires }) => expires);
		const lasting = ends.filter((expires) => !isExpired(expires, at));
		const isUnused = (expires: number) => ids.has(unusedId(scope, expires));
		if (lasting.length >= MAX_UNUSED || !lasting.every(isUnused)) {
			throw tooSoon(Math.max(...lasting) + 1 - at);
		}

		const last = ends.length > 0 ? Math.max(...ends) : undefined;
		const expires = Math.max(secondsFromNow(minInterval) - 1, (last ?? 0) + 1);
		for (const id of nextIds(prefix, last, at)) {
			try {
				await store.insert({ id, userId, expires }, true);
			} catch (error) {
				throw isTokenError(error, "DUPLICATE_TOKEN") ? tooSoon(length) : error;
			}
		}
		const begun = now();
		if (!isExpired(expires, begun) && begun - at <= MAX_STALL) return expires;
		// The interval is over, or another call may have begun one that this call did not see.
		await end(scope, expires);
		throw tooSoon(length);
	};

	return {
		/**
		 * Issues a token if the interval since the last one has passed.
		 *
		 * @param issue stores the token
		 * @param undo deletes the token, if it was stored after the interval
		 * @returns what `issue` returned, and a function that ends the interval
		 * @throws LuciaTokenError `ISSUED_RECENTLY`: it has not passed
		 * @throws LuciaTokenError `INVALID_USER_ID`: the user id is too long for the key's id
		 */
		async issue<Result>(
			scope: UserScope,
			issue: () => Promise<Result>,
			undo: (result: Result) => Promise<void>,
		): Promise<[result: Result, end: () => Promise<void>]> {
			if (unusedId(scope, 10 ** EXPIRY_LENGTH - 1).length > MAX_KEY_ID_LENGTH) {
				throw new LuciaTokenError("INVALID_USER_ID");
			}
			const expires = await start(scope);
			let result: Result;
			try {
				result = await issue();
			} catch (error) {
				await end(scope, expires).catch(() => {});
				throw error;
			}
			if (!isExpired(expires, now())) return [result, () => end(scope, expires)];
			await undo(result);
			throw tooSoon(length);
		},
	};
};
