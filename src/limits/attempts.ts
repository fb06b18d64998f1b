import { CHECKSUM_LENGTH, checksum } from "../checksum.js";
import { isExpired } from "../clock.js";
import { isTokenError } from "../error.js";
import type { KeyStore, StoredKey } from "../key-store.js";
import type { UserScope } from "../scope.js";

/** How many tries there may be. */
export const MAX_ATTEMPTS = 999;

/** The room that the id of a try needs behind the prefix of tokens. */
export const TRY_ROOM = ":  ".length + CHECKSUM_LENGTH + `${MAX_ATTEMPTS}`.length;

/** How long the tries last that the first versions of 2.0.0 kept for all codes of a user, in seconds. */
const DAY = 24 * 60 * 60;

/**
 * Bounds how often the codes of a user may be guessed at (ASVS 5.0 6.6.3): a code validates unless
 * `max` wrong codes were tried at its user and name while it was outstanding.
 *
 * A code has `max` tries: keys with fixed ids, which expire with it. A guess takes a try of each code
 * that it might hit before its caller learns anything, and gives it back if it was right. Ids are
 * unique, so a thousand calls at once get no more tries than one after the other.
 *
 * @param expiresIn how long the codes last, in seconds
 */
export const attemptLimit = (store: KeyStore, max: number, expiresIn = DAY) => {
	// Those old tries expire so much later than the codes that were outstanding.
	const oldSlack = Math.max(0, DAY - expiresIn) * 1000;

	const list = async ({ userId, prefix, marked }: UserScope) => {
		const keys = await store.getAllByUser(userId, prefix, marked);
		const taken = new Map(keys.map(({ id, expires }) => [id, expires]));
		/** The ids of the tries that a code has left. */
		const triesLeft = ({ id, expires }: StoredKey): string[] => {
			// By its expiry, too: a code may be issued again after it was used.
			const label = `${marked}${checksum(`${id} ${expires}`)} `;
			return Array.from({ length: max }, (_, index) => index + 1)
				.filter((number) => (taken.get(marked + number) ?? 0) - oldSlack < expires)
				.map((number) => label + number)
				.filter((attempt) => !taken.has(attempt));
		};
		return { codes: keys.filter(({ id }) => id.startsWith(prefix)), triesLeft };
	};

	// Takes one that is left; undefined where other calls have just taken them all.
	const take = async (
		ids: readonly string[],
		{ userId, expires }: StoredKey,
		guess: string,
	): Promise<string | undefined> => {
		// Not all calls at once try for the same.
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
		/** Lists a user's codes without those that have no try left. */
		async getAll(scope: UserScope, at: number): Promise<StoredKey[]> {
			const { codes, triesLeft } = await list(scope);
			return codes.filter((code) => isExpired(code.expires, at) || triesLeft(code).length > 0);
		},

		/**
		 * Looks a code up, if it has a try left.
		 *
		 * @param at the current time in epoch milliseconds
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
			const open = async (code: StoredKey) =>
				operation === "consume" ? store.consume(id, scope.userId) : code;
			// Nobody gets in with an expired code, so it takes no try.
			if (hit && isExpired(hit.expires, at)) return open(hit);

			if (!hit || triesLeft(hit).length === 0) {
				for (const code of codes) {
					if (!isExpired(code.expires, at)) await take(triesLeft(code), code, id);
				}
				return null;
			}
			const attempt = await take(triesLeft(hit), hit, id);
			if (attempt === undefined) return null;
			try {
				return await open(hit);
			} finally {
				// A try that stays taken is no reason to report a code as not used that was.
				await store.delete(attempt, scope.userId).catch(() => {});
			}
		},
	};
};
