import { isExpired, now, secondsFromNow } from "./clock.js";
import { LuciaTokenError } from "./error.js";
import type { KeyStore, StoredKey } from "./key-store.js";
import { isStorable, isTokenValue, MAX_KEY_ID_LENGTH } from "./limits.js";
import type { Settings } from "./options.js";
import { Token } from "./token.js";

/** Where a token's key is stored: under the id `prefix` + token. */
interface Scope {
	readonly prefix: string;
	/** The only user whose keys are meant; without it, anyone's. */
	readonly userId?: string;
}

const toToken = ({ id, userId, expires }: StoredKey, { prefix }: Scope): Token => {
	const colon = id.indexOf(":");
	return new Token(id.slice(prefix.length), {
		type: "single_use",
		userId,
		providerId: id.slice(0, colon),
		providerUserId: id.slice(colon + 1),
		passwordDefined: false,
		expiresAt: new Date(expires),
		expired: isExpired(expires, now()),
	});
};

/**
 * What `idToken()` and `passwordToken()` return: the two differ only in where keys are stored.
 *
 * @param prefixOf how the ids of a user's keys begin
 * @param anyone where to look for a token whose user is not given; without it, the user must be
 */
export const tokenHandler = (
	store: KeyStore,
	{ expiresIn, length, generate }: Settings,
	prefixOf: (userId: string) => string,
	anyone?: Scope,
) => {
	// The keys of one user, or undefined for what can't be the id of a user with tokens.
	const userScope = (userId: unknown): Required<Scope> | undefined => {
		const scope = isStorable(userId) && { prefix: prefixOf(userId), userId };
		return scope && scope.prefix.length + length <= MAX_KEY_ID_LENGTH ? scope : undefined;
	};

	const knownUserScope = (userId: unknown): Required<Scope> => {
		const scope = userScope(userId);
		if (!scope) throw new LuciaTokenError("INVALID_USER_ID");
		return scope;
	};

	// Calls `use` with the id of a token's key and its scope, unless there can be no such key.
	const withKeyId = async <Result>(
		token: unknown,
		userId: unknown,
		use: (id: string, scope: Scope) => Promise<Result>,
	): Promise<Result | undefined> => {
		const scope = anyone ?? userScope(userId);
		const value = token instanceof Token ? token.toString() : token;
		return scope && isTokenValue(value, scope.prefix)
			? use(scope.prefix + value, scope)
			: undefined;
	};

	const open = async (
		token: unknown,
		userId: unknown,
		operation: "get" | "consume",
	): Promise<Token> => {
		// Read before the database is asked: a link that was followed in time is in time.
		const at = now();
		const found = await withKeyId(token, userId, async (id, scope) => {
			const key = await store[operation](id, scope.userId);
			if (key && isExpired(key.expires, at)) throw new LuciaTokenError("EXPIRED_TOKEN");
			return key && toToken(key, scope);
		});
		if (!found) throw new LuciaTokenError("INVALID_TOKEN");
		return found;
	};

	const invalidate = async (token: unknown, userId?: unknown): Promise<void> => {
		await withKeyId(token, userId, (id, scope) => store.delete(id, scope.userId));
	};

	const getAllUserTokens = async (userId: unknown): Promise<Token[]> => {
		const scope = knownUserScope(userId);
		const keys = await store.getAllByUser(scope.userId, scope.prefix);
		// Stores answer in any order, and a list that changes from call to call is of little use.
		return [...keys]
			.sort((a, b) => a.expires - b.expires || (a.id < b.id ? -1 : 1))
			.map((key) => toToken(key, scope));
	};

	return {
		issue: async (userId: unknown): Promise<Token> => {
			const scope = knownUserScope(userId);
			const key = {
				id: scope.prefix + generate(scope.prefix),
				userId: scope.userId,
				expires: secondsFromNow(expiresIn),
			};
			await store.insert(key);
			return toToken(key, scope);
		},

		validate: (token: unknown, userId?: unknown): Promise<Token> => open(token, userId, "consume"),

		getToken: (token: unknown, userId?: unknown): Promise<Token> => open(token, userId, "get"),

		invalidate,

		invalidateAllUserTokens: async (userId: unknown): Promise<void> => {
			const scope = userScope(userId);
			if (scope) await store.deleteAllByUser(scope.userId, scope.prefix);
		},

		deleteExpiredUserTokens: async (userId: unknown): Promise<void> => {
			const scope = userScope(userId);
			if (scope) await store.deleteExpiredByUser(scope.userId, scope.prefix, now());
		},

		getAllUserTokens,
		getUserTokens: getAllUserTokens,
		invalidateToken: invalidate,
	};
};
