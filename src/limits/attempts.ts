import { CHECKSUM_LENGTH, checksum } from "../checksum.js";
import { isExpired } from "../clock.js";
import { isTokenError } from "../error.js";
import type { KeyStore, StoredKey } from "../key-store.js";
import type { UserScope } from "../scope.js";

/** The largest `maxAttempts`. */
export const MAX_ATTEMPTS = 999;

/** The maximum number of characters in a try's id besides the prefix of tokens. */
export const TRY_ROOM = ":  ".length + CHECKSUM_LENGTH + `${MAX_ATTEMPTS}`.length;

/**
 * How long old tries last, in seconds. Early builds of 2.0.0 stored them. Those builds counted tries for all
 * codes of a user together.
 */
const DAY = 24 * 60 * 60;

/**
 * Limits the wrong guesses at a user's codes (ASVS 5.0 6.6.3): a code validates unless `max` wrong codes
 * were tried at its user and name while it was outstanding.
 *
 * Each code has `max` tries: keys with fixed ids, which expire with the code. A guess takes its tries
 * before its caller learns anything. A wrong guess takes a try of each outstanding code, for good. A right
 * guess takes a try of its own code, and gives it back. Ids are unique, so a thousand concurrent calls get
 * no more tries than a thousand calls in a row.
 *
 * @param max the number of tries at each code
 * @param expiresIn how long codes last, in seconds
 */
export const attemptLimit = (store: KeyStore, max: number, expiresIn = DAY) => {
	// How much later an old try expires than the codes that it counts against, in milliseconds.
	const oldSlack = Math.max(0, DAY - expiresIn) * 1000;

	const list = async ({ userId, prefix, marked }: UserScope) => {
		const keys = await store.getAllByUser(userId, prefix, marked);
		const taken = new Map(keys.map(({ id, expires }) => [id, expires]));
		/** The ids of the tries that a code has left. */
		const triesLeft = ({ id, expires }: StoredKey): string[] => {
			// The label includes the expiry, so that a code that is issued again has new tries.
			const label = `${marked}${checksum(`${id} ${expires}`)} `;
			return Array.from({ length: max }, (_, index) => index + 1)
				.filter((number) => (taken.get(marked + number) ?? 0) - oldSlack < expires)
				.map((number) => label + number)
				.filter((attempt) => !taken.has(attempt));
		};
		return { codes: keys.filter(({ id }) => id.startsWith(prefix)), triesLeft };
	};

	// Takes one of the tries that are left. Returns undefined if concurrent calls took them all.
	const take = async (
		ids: readonly string[],
		{ userId, expires }: StoredKey,
		guess: string,
	): Promise<string | undefined> => {
		// Different guesses start at different tries, so that concurrent calls rarely want the same one.
		const start = checksum(guess) % Math.max(1, ids.length);
		for (const id of [...ids.slice(start), ...ids.slice(0, start)]) {
			try {
				await store.insert({ id, userId, expires });
				return id;
			} catch (error) {
				if (!isTokenError(error, "DUPLICATE_TOKEN")) throw error;
			}
		}
		return undefined;
	};

	return {
		/** Lists a user's codes, without outstanding ones that have no try left. */
		async getAll(scope: UserScope, at: number): Promise<StoredKey[]> {
			const { codes, triesLeft } = await list(scope);
			return codes.filter((code) => isExpired(code.expires, at) || triesLeft(code).length > 0);
		},

		/**
		 * Reads or consumes a code that has a try left. A wrong code takes a try of each outstanding one.
		 *
		 * @param at the current time in epoch milliseconds
		 * @returns the code, expired or not; `null` if it is wrong or has no try left
		 * @throws LuciaTokenError `INVALID_USER_ID`: there is no such user
		 */
		async guess(
			scope: UserScope,
			id: string,
			operation: "get" | "consume",
			at: number,
		): Promise<StoredKey | null> {
			const { codes, triesLeft } = await list(scope);
			const hit = codes.find((code) => code.id === id);
			// An expired code lets nobody in, so it takes no try.
			if (hit && isExpired(hit.expires, at)) {
				return operation === "get" ? hit : store.consume(id, scope.userId);
			}

			const left = hit ? triesLeft(hit) : [];
			if (!hit || left.length === 0) {
				for (const code of codes) {
					if (!isExpired(code.expires, at)) await take(triesLeft(code), code, id);
				}
				return null;
			}
			const attempt = await take(left, hit, id);
			if (attempt === undefined) return null;
			let isGivenBack = false;
			try {
				if (operation === "get") return hit;
				if (!store.consumeAndDelete) return await store.consume(id, scope.userId);
				const consumed = await store.consumeAndDelete(hit, attempt);
				isGivenBack = Boolean(consumed);
				return consumed;
			} finally {
				// A try that stays taken is better than an error that reports a used code as unused.
				if (!isGivenBack) await store.delete(attempt, scope.userId).catch(() => {});
			}
		},
	};
};
