import { attemptLimit } from "./limits/attempts.js";
import { isDigest } from "./value/at-rest.js";
import { isExpired, now, secondsFromNow } from "./clock.js";
import { isTokenError, LuciaTokenError } from "./error.js";
import { issueInterval } from "./limits/interval.js";
import { type KeyStore, MARK, type StoredKey } from "./key-store.js";
import { isStorable, isText, isTokenValue, MAX_KEY_ID_LENGTH } from "./value/bounds.js";
import { checkBinding, type Settings } from "./options.js";
import type { Scope, UserScope } from "./scope.js";
import { Token, tokenKeyId, tokenValue } from "./token.js";
import { byExpiry, tokenLimit } from "./limits/token-limit.js";

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

// For an unknown user, the error is the same as for a wrong token. It must not reveal who exists.
const noneIfUnknown = (error: unknown): null => {
	if (isTokenError(error, "INVALID_USER_ID")) return null;
	throw error;
};

const boundTo = (options: unknown): unknown => (Object(options) as { boundTo?: unknown }).boundTo;

/**
 * Makes the handlers of `idToken()` and `passwordToken()`, which differ only in the ids of their keys.
 *
 * @param typePrefix what the ids of all its keys begin with
 * @param userPrefix what the ids of one user's keys begin with, if methods take a user id with a token
 */
export const tokenHandler = (
	store: KeyStore,
	{
		expiresIn,
		generate,
		atRest,
		storedLength,
		maxAttempts,
		maxTokensPerUser,
		minInterval,
	}: Settings,
	typePrefix: string,
	userPrefix?: (userId: string) => string,
) => {
	const attempts = maxAttempts < Infinity ? attemptLimit(store, maxAttempts, expiresIn) : null;
	const tokens = maxTokensPerUser < Infinity ? tokenLimit(store, maxTokensPerUser) : null;
	const interval = minInterval > 0 ? issueInterval(store, minInterval) : null;

	// Returns undefined for an id that no user with tokens can have. `marked` ends with a space, and tokens
	// contain none, so no claim has the id of a try or an interval.
	const userScope = (userId: unknown): UserScope | undefined => {
		if (!isStorable(userId)) return undefined;
		const prefix = userPrefix?.(userId) ?? typePrefix;
		const marked = `${MARK}${userPrefix ? prefix : `${prefix} ${userId}.`} `;
		return prefix.length + storedLength <= MAX_KEY_ID_LENGTH
			? { prefix, userId, marked }
			: undefined;
	};

	const knownUserScope = (userId: unknown): UserScope => {
		const scope = userScope(userId);
		if (!scope) throw new LuciaTokenError("INVALID_USER_ID");
		return scope;
	};

	// Where to look for a token, and what it must be bound to. Password tokens come with their user's id.
	const locate = (rest: readonly unknown[]): [scope: Scope | undefined, boundTo: unknown] =>
		userPrefix
			? [userScope(rest[0]), boundTo(rest[1])]
			: [{ prefix: typePrefix }, boundTo(rest[0])];

	// The id of a token's key, or undefined for a value that cannot be a token.
	const keyId = async (value: unknown, { prefix }: Scope, boundTo: unknown) =>
		isTokenValue(value, atRest.maxLength(prefix)) && (boundTo === undefined || isText(boundTo))
			? await atRest.keyId(value, prefix, boundTo)
			: undefined;

	const open = async (
		operation: "get" | "consume",
		token: unknown,
		rest: readonly unknown[],
	): Promise<Token> => {
		// Read before the query, so that a slow database does not make a token expire.
		const at = now();
		const [scope, text] = locate(rest);
		const value = tokenValue(token);
		const id = scope && (await keyId(value, scope, text));
		if (!scope || id === undefined) throw new LuciaTokenError("INVALID_TOKEN");
		const key = await (attempts && hasUser(scope)
			? attempts.guess(scope, id, operation, at).catch(noneIfUnknown)
			: store[operation](id, scope.userId));
		if (!key) throw new LuciaTokenError("INVALID_TOKEN");
		if (isExpired(key.expires, at)) throw new LuciaTokenError("EXPIRED_TOKEN");
		return toToken(key, value as string, at);
	};

	const invalidate = async (token: unknown, ...rest: readonly unknown[]): Promise<void> => {
		const [scope, text] = locate(rest);
		if (!scope) return;
		// A `Token` knows its key. A string is a value, or the digest that a listed hashed token shows in
		// place of its value.
		const id =
			tokenKeyId(token) ??
			(isDigest(token) ? scope.prefix + token : await keyId(token, scope, text));
		if (isStorable(id) && id.startsWith(scope.prefix)) await store.delete(id, scope.userId);
	};

	const getAllUserTokens = async (userId: unknown): Promise<Token[]> => {
		const scope = knownUserScope(userId);
		const at = now();
		const keys = await (attempts?.getAll(scope, at) ??
			store.getAllByUser(scope.userId, scope.prefix));
		// Stores return keys in any order, and a list should not change from call to call.
		return [...keys]
			.sort(byExpiry)
			.map((key) => toToken(key, key.id.slice(scope.prefix.length), at));
	};

	return {
		issue: async (userId: unknown, options?: unknown): Promise<Token> => {
			if (expiresIn === undefined) throw new TypeError("issue() requires the option expiresIn");
			const text = boundTo(options);
			// An undefined boundTo, such as a missing cookie's, must not issue an unbound token.
			if ("boundTo" in Object(options)) checkBinding(text, atRest);
			const scope = knownUserScope(userId);
			const value = generate(scope.prefix);
			const id = (await atRest.keyId(value, scope.prefix, text as string)) as string;
			const insert = async (expires: number): Promise<Token> => {
				const key = { id, userId: scope.userId, expires };
				await store.insert(key);
				return toToken(key, value, now());
			};
			const issue = () =>
				tokens ? tokens.issue(scope, expiresIn, insert) : insert(secondsFromNow(expiresIn));
			return interval ? interval.issue(scope, issue) : issue();
		},

		validate: (token: unknown, ...rest: readonly unknown[]): Promise<Token> =>
			open("consume", token, rest),

		getToken: (token: unknown, ...rest: readonly unknown[]): Promise<Token> =>
			open("get", token, rest),

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
				throw new TypeError("This store cannot delete the expired tokens of all users");
			}
			await store.deleteExpired(typePrefix, now());
		},

		getAllUserTokens,
		getUserTokens: getAllUserTokens,
		invalidateToken: invalidate,
	};
};
