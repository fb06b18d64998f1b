import { isExpired, now, secondsFromNow } from "./clock.js";
import { LuciaTokenError } from "./error.js";
import type { KeyStore, StoredKey } from "./key-store.js";
import { isStorable, isTokenValue, MAX_KEY_ID_LENGTH } from "./limits.js";
import type { Settings } from "./options.js";
import { Token } from "./token.js";

/** Where a token's key is stored: under the id `prefix` + token. */
export interface Scope {
	readonly prefix: string;
	/** The only user whose keys are meant; without it, anyone's. */
	readonly userId?: string;
}

const toToken = ({ id, userId, expires }: StoredKey, prefix: string): Token => {
	const separator = id.indexOf(":");
	return new Token(id.slice(prefix.length), {
		type: "single_use",
		userId,
		providerId: id.slice(0, separator),
		providerUserId: id.slice(separator + 1),
		passwordDefined: false,
		expiresAt: new Date(expires),
		expired: isExpired(expires, now()),
	});
};

// The id of a token's key, or undefined where there can be no such key.
const keyId = (token: unknown, scope: Scope | undefined): string | undefined => {
	const value = token instanceof Token ? token.toString() : token;
	return scope && isTokenValue(value, scope.prefix) ? scope.prefix + value : undefined;
};

/**
 * What id tokens and password tokens have in common. They differ in the prefix of a user's keys, and
 * in the scope in which a token is looked for.
 *
 * @param prefixOf how the ids of a user's keys begin
 */
export const tokenType = (
	store: KeyStore,
	{ expiresIn, length, generate }: Settings,
	prefixOf: (userId: string) => string,
) => {
	// The keys of one user, or undefined for what can't be the id of a user with tokens.
	const userScope = (userId: unknown): Required<Scope> | undefined => {
		if (!isStorable(userId)) return undefined;
		const prefix = prefixOf(userId);
		return prefix.length + length > MAX_KEY_ID_LENGTH ? undefined : { prefix, userId };
	};

	const knownUserScope = (userId: unknown): Required<Scope> => {
		const scope = userScope(userId);
		if (!scope) throw new LuciaTokenError("INVALID_USER_ID");
		return scope;
	};

	const open = async (
		token: unknown,
		scope: Scope | undefined,
		lookUp: (id: string, at: number) => Promise<StoredKey | null>,
	): Promise<Token> => {
		// Read before the database is asked: a link that was followed in time is in time.
		const at = now();
		const id = keyId(token, scope);
		const key = id === undefined ? null : await lookUp(id, at);
		if (!scope || !key) throw new LuciaTokenError("INVALID_TOKEN");
		if (isExpired(key.expires, at)) throw new LuciaTokenError("EXPIRED_TOKEN");
		return toToken(key, scope.prefix);
	};

	return {
		userScope,

		issue: async (userId: unknown): Promise<Token> => {
			const scope = knownUserScope(userId);
			const value: unknown = generate();
			if (typeof value !== "string") throw new TypeError("generate must return a string");
			if (!isTokenValue(value, scope.prefix)) {
				throw new RangeError(
					`generate must return visible ASCII characters (0x21 to 0x7E) that fit an id of ${MAX_KEY_ID_LENGTH} characters`,
				);
			}
			const key = {
				id: scope.prefix + value,
				userId: scope.userId,
				expires: secondsFromNow(expiresIn),
			};
			await store.insert(key);
			return toToken(key, scope.prefix);
		},

		validate: (token: unknown, scope: Scope | undefined): Promise<Token> =>
			open(token, scope, (id, at) => store.consume(id, at, scope?.userId)),

		getToken: (token: unknown, scope: Scope | undefined): Promise<Token> =>
			open(token, scope, (id) => store.get(id, scope?.userId)),

		invalidate: async (token: unknown, scope: Scope | undefined): Promise<void> => {
			const id = keyId(token, scope);
			if (id !== undefined) await store.delete(id, scope?.userId);
		},

		getAllUserTokens: async (userId: unknown): Promise<Token[]> => {
			const scope = knownUserScope(userId);
			const keys = await store.getAllByUser(scope.userId, scope.prefix);
			// Stores answer in any order, and a list that changes from call to call is of little use.
			return [...keys]
				.sort((a, b) => a.expires - b.expires || (a.id < b.id ? -1 : 1))
				.map((key) => toToken(key, scope.prefix));
		},

		invalidateAllUserTokens: async (userId: unknown): Promise<void> => {
			const scope = userScope(userId);
			if (scope) await store.deleteAllByUser(scope.userId, scope.prefix);
		},
	};
};
