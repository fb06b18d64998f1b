import { checksum } from "../checksum.js";
import { isExpired } from "../clock.js";
import { isTokenError } from "../error.js";
import type { KeyStore, StoredKey } from "../key-store.js";
import type { UserScope } from "../scope.js";

/** How many tries there may be. */
export const MAX_ATTEMPTS = 999;

/** The room that the id of a try needs behind the prefix of tokens. */
export const TRY_ROOM = `: ffffffff ${MAX_ATTEMPTS}`.length;

// Tells the codes of one user apart, also one that is issued again after it was used. Two that fell
// together would share their tries.
const labelOf = ({ id, expires }: StoredKey): string => checksum(`${id} ${expires}`);

/**
 * Bounds how often the codes of a user may be guessed at (ASVS 5.0 6.6.3): a code validates unless
 * `max` wrong codes were tried at its user and name while it was outstanding.
 *
 * A code has `max` tries: keys with fixed ids, which expire with it. A guess takes a try of each code
 * that it might hit before its caller learns anything, and gives it back if it was right. Ids are
 * unique, so a thousand calls at once get no more tries than one after the other.
 */
export const attemptLimit = (store: KeyStore, max: number) => {
	const list = async ({ userId, prefix, marked }: UserScope) => {
		const keys = await store.getAllByUser(userId, prefix, marked);
		const taken = new Map(keys.map(({ id, expires }) => [id, expires]));
		/** The ids of the tries that a code has left. */
		const triesLeft = (code: StoredKey): string[] => {
			const prefix = `${marked}${labelOf(code)} `;
			return (
				Array.from({ length: max }, (_, index) => index + 1)
					// The first versions of 2.0.0 kept the tries of all codes under these ids.
					.filter((number) => !((taken.get(marked + number) ?? 0) >= code.expires))
					.map((number) => prefix + number)
					.filter((id) => !taken.has(id))
			);
		};
		return { codes: keys.filter(({ id }) => id.startsWith(prefix)), triesLeft };
	};

	// Takes the first that is left; undefined where other calls have just taken them all.
	const take = async (
		ids: readonly string[],
		{ userId, expires }: StoredKey,
	): Promise<string | undefined> => {
		for (const id of ids) {
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
			const open = () =>
				operation === "consume" ? store.consume(id, scope.userId) : (hit ?? null);
			// Nobody gets in with an expired code, so it takes no try.
			if (hit && isExpired(hit.expires, at)) return open();

			const isRight = hit !== undefined && triesLeft(hit).length > 0;
			const targets = isRight ? [hit] : codes.filter(({ expires }) => !isExpired(expires, at));
			const taken: string[] = [];
			let isWrong = false;
			try {
				for (const code of targets) {
					const attempt = await take(triesLeft(code), code);
					if (attempt) taken.push(attempt);
				}
				isWrong = !isRight;
				return isRight && taken.length > 0 ? await open() : null;
			} finally {
				// A try that stays taken is no reason to report a code as not used that was.
				if (!isWrong) {
					for (const attempt of taken) await store.delete(attempt, scope.userId).catch(() => {});
				}
			}
		},
	};
};
