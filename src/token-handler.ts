import { attemptLimit } from "./attempts.js";
import { isDigest } from "./at-rest.js";
import { isExpired, now, secondsFromNow } from "./clock.js";
import { LuciaTokenError } from "./error.js";
import type { KeyStore, StoredKey } from "./key-store.js";
import { isStorable, isTokenValue, MAX_KEY_ID_LENGTH } from "./limits.js";
import type { Settings } from "./options.js";
import type { Scope, UserScope } from "./scope.js";
import { Token, tokenKeyId, tokenValue } from "./token.js";
import { byExpiry, tokenLimit } from "./token-limit.js";

const hasUser = (scope: Scope): scope is UserScope => scope.userId !== undefined;

const toToken = ({ id, userId, expires }: StoredKey, value: string, at: number): Token => {
	const colon = id.indexOf(":");
	return new Token(value, {
		type: "single_use",
		userId,
		providerId: id.slice(0, colon),
		providerUserId: id.slice(colon + 1),
		passwordDefined: false,
		expiresAt: new Date(expires),
		expired: isExpired(expires, at),
	});
};

/**
 * What `idToken()` and `passwordToken()` return: the two differ only in where keys are stored.
 *
 * @param typePrefix how the ids of all its keys begin
 * @param userPrefix how those of one user begin, if the user must be given with a token
 */
export const tokenHandler = (
	store: KeyStore,
	{ expiresIn, generate, atRest, storedLength, maxAttempts, maxTokensPerUser }: Settings,
	typePrefix: string,
	userPrefix?: (userId: string) => string,
) => {
	// Where a token is looked for whose user is not given.
	const anyone: Scope | undefined = userPrefix ? undefined : { prefix: typePrefix };
	const attempts = maxAttempts < Infinity ? attemptLimit(store, maxAttempts, expiresIn) : null;
	const tokens =
		maxTokensPerUser < Infinity ? tokenLimit(store, maxTokensPerUser, expiresIn) : null;

	// The keys of one user, or undefined for what can't be the id of a user with tokens.
	const userScope = (userId: unknown): UserScope | undefined => {
		const scope = isStorable(userId) && { prefix: userPrefix?.(userId) ?? typePrefix, userId };
		return scope && scope.prefix.length + storedLength <= MAX_KEY_ID_LENGTH ? scope : undefined;
	};

	const knownUserScope = (userId: unknown): UserScope => {
		const scope = userScope(userId);
		if (!scope) throw new LuciaTokenError("INVALID_USER_ID");
		return scope;
	};

	const open = async (
		token: unknown,
		userId: unknown,
		operation: "get" | "consume",
	): Promise<Token> => {
		// Read before the database is asked: a link that was followed in time is in time.
		const at = now();
		const scope = anyone ?? userScope(userId);
		const value = tokenValue(token);
		if (!scope || !isTokenValue(value, atRest.maxLength(scope.prefix))) {
			throw new LuciaTokenError("INVALID_TOKEN");
		}
		const id = await atRest.keyId(value, scope.prefix);
		const key =
			attempts && hasUser(scope)
				? await attempts.guess(scope, id, operation, at)
				: await store[operation](id, scope.userId);
		if (!key) throw new LuciaTokenError("INVALID_TOKEN");
		if (isExpired(key.expires, at)) throw new LuciaTokenError("EXPIRED_TOKEN");
		return toToken(key, value, at);
	};

	const invalidate = async (token: unknown, userId?: unknown): Promise<void> => {
		const scope = anyone ?? userScope(userId);
		if (!scope) return;
		// A token knows its key. A listed one knows nothing else where only a digest is stored, which
		// as a string identifies it, too.
		const id =
			tokenKeyId(token) ??
			(isDigest(token)
				? scope.prefix + token
				: isTokenValue(token, atRest.maxLength(scope.prefix))
					? await atRest.keyId(token, scope.prefix)
					: undefined);
		if (isStorable(id) && id.startsWith(scope.prefix)) await store.delete(id, scope.userId);
	};

	const getAllUserTokens = async (userId: unknown): Promise<Token[]> => {
		const scope = knownUserScope(userId);
		const keys = await store.getAllByUser(scope.userId, scope.prefix);
		const at = now();
		if (keys.length > 0 && (await attempts?.isExhausted(scope))) return [];
		// Stores answer in any order, and a list that changes from call to call is of little use.
		return [...keys]
			.sort(byExpiry)
			.map((key) => toToken(key, key.id.slice(scope.prefix.length), at));
	};

	return {
		issue: async (userId: unknown): Promise<Token> => {
			const scope = knownUserScope(userId);
			const value = generate(scope.prefix);
			const id = await atRest.keyId(value, scope.prefix);
			const insert = async (expires: number): Promise<Token> => {
				const key = { id, userId: scope.userId, expires };
				await store.insert(key);
				return toToken(key, value, now());
			};
			const issue = () =>
				tokens ? tokens.issue(scope, insert) : insert(secondsFromNow(expiresIn));
			return attempts ? attempts.renew(scope, issue) : issue();
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

		deleteExpiredTokens: async (): Promise<void> => {
			if (!store.deleteExpired) {
				throw new TypeError("This store can't delete the expired tokens of all users at once");
			}
			await store.deleteExpired(typePrefix, now());
		},

		getAllUserTokens,
		getUserTokens: getAllUserTokens,
		invalidateToken: invalidate,
	};
};
