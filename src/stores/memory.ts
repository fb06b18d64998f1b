import { ownOptions } from "../check.js";
import { isExpired } from "../clock.js";
import { LuciaTokenError } from "../error.js";
import { attemptPrefix } from "../key-id.js";
import { INTERNAL, type KeyStore, MAX_CODES, type StoredKey } from "../key-store.js";
import { internalBefore } from "./row.js";

/** The options of `memory()`. */
export interface MemoryOptions {
	/**
	 * Whether there is such a user. Without it, every id is a user's, because a store in memory has no table of
	 * users.
	 */
	readonly isUser?: (userId: string) => boolean | Promise<boolean>;
}

const newestFirst = (a: StoredKey, b: StoredKey): number =>
	b.expires - a.expires || (a.id < b.id ? 1 : -1);

/**
 * A store in the memory of one process, for tests and prototypes. It does what the native stores do, exactly, and
 * runs on every runtime. Its tokens are gone when the process ends, and no other process sees them.
 *
 * @param options `isUser`: tells whether there is such a user
 * @returns the store; pass it to `idToken()` or `passwordToken()` in place of `auth`
 * @throws TypeError `isUser` is not a function, or an option is unknown
 *
 * @example
 * const magicLink = idToken(memory(), "magic-link", { expiresIn: 60 * 10 });
 */
export const memory = (options?: MemoryOptions): KeyStore => {
	const { isUser = () => true } = ownOptions(options, ["isUser"]) as MemoryOptions;
	if (typeof isUser !== "function") throw new TypeError("isUser must be a function");

	// Only `isUser` is waited for. Whatever else an operation does is one step, which no other call interrupts.
	const keys = new Map<string, StoredKey>();

	const checkUser = async (userId: string): Promise<void> => {
		if (!(await isUser(userId))) throw new LuciaTokenError("INVALID_USER_ID");
	};

	const find = (id: string, userId?: string): StoredKey | null => {
		const key = keys.get(id);
		return key && (userId === undefined || key.userId === userId) ? key : null;
	};

	const take = (id: string, userId?: string): StoredKey | null => {
		const key = find(id, userId);
		if (key) keys.delete(id);
		return key;
	};

	const list = (isAsked: (key: StoredKey) => boolean): StoredKey[] =>
		[...keys.values()].filter(isAsked).sort(newestFirst);

	const deleteAll = (doomed: readonly StoredKey[]): number => {
		for (const { id } of doomed) keys.delete(id);
		return doomed.length;
	};

	const ofUser = (userId: string, ...prefixes: readonly string[]): StoredKey[] =>
		list((key) => key.userId === userId && prefixes.some((prefix) => key.id.startsWith(prefix)));

	const isSwept = ({ id, expires }: StoredKey, prefix: string, now: number): boolean =>
		(id.startsWith(prefix) && isExpired(expires, now)) ||
		(id.startsWith(INTERNAL + prefix) && isExpired(expires, internalBefore(now)));

	return {
		async insert({ id, userId, expires }) {
			await checkUser(userId);
			if (keys.has(id)) throw new LuciaTokenError("DUPLICATE_TOKEN");
			keys.set(id, { id, userId, expires });
		},

		get: async (id, userId) => find(id, userId),

		consume: async (id, userId) => take(id, userId),

		async consumeAndRevoke(id, userId, prefixes, now) {
			const key = take(id, userId);
			if (key && !isExpired(key.expires, now)) deleteAll(ofUser(key.userId, ...prefixes));
			return key;
		},

		async consumeAndDelete({ id, userId, expires }, attemptId) {
			if (find(id, userId)?.expires !== expires) return null;
			const key = take(id);
			take(attemptId, userId);
			return key;
		},

		async delete(id, userId) {
			take(id, userId);
		},

		async getAllByUser(userId, prefix, orPrefix = prefix) {
			await checkUser(userId);
			return ofUser(userId, prefix, orPrefix);
		},

		async deleteAllByUser(userId, prefix) {
			deleteAll(ofUser(userId, prefix));
		},

		async deleteExpiredByUser(userId, prefix, now) {
			deleteAll(list((key) => key.userId === userId && isSwept(key, prefix, now)));
		},

		deleteExpired: async (prefix, now) => ({
			deleted: deleteAll(list((key) => isSwept(key, prefix, now))),
		}),

		async deleteOldest(userId, prefix, max, latest) {
			const age = ({ expires }: StoredKey) => (expires > latest ? 1 : 0);
			const oldestLast = ofUser(userId, prefix).sort((a, b) => age(a) - age(b));
			deleteAll(oldestLast.slice(max));
		},

		async takeAttempts({ userId, prefix, id, maxAttempts, now }) {
			const codes = ofUser(userId, prefix);
			const newest = codes.filter(({ expires }) => !isExpired(expires, now)).slice(0, MAX_CODES);
			const expired = codes.filter((key) => key.id === id && isExpired(key.expires, now));
			const good = [...newest, ...expired].filter(
				(code) => ofUser(userId, attemptPrefix(code)).length < maxAttempts,
			);
			const hit = good.filter((code) => code.id === id);
			return (hit.length > 0 ? hit : good).map((code) => {
				let number = 1;
				while (keys.has(`${attemptPrefix(code)}${number}`)) number++;
				const attempt = { ...code, id: `${attemptPrefix(code)}${number}` };
				keys.set(attempt.id, attempt);
				return attempt;
			});
		},
	};
};
