import { ownOptions } from "./check.js";
import { isExpired, now } from "./clock.js";
import { LuciaTokenError } from "./error.js";
import {
	isDigest,
	isStorable,
	isText,
	isTokenValue,
	MAX_KEY_ID_LENGTH,
	type Scope,
	type UserScope,
} from "./key-id.js";
import {
	INTERNAL,
	MAX_DELAY,
	type KeyStore,
	operate,
	type Operation,
	refuseTransaction,
} from "./key-store.js";
import { issuer } from "./issue.js";
import { attemptLimit } from "./limits/attempts.js";
import { byExpiry } from "./limits/token-limit.js";
import {
	type BindingOptions,
	type IssueOptions,
	revokedPrefixes,
	type Settings,
	type ValidateOptions,
} from "./options.js";
import { sweep, type SweepOptions } from "./sweep.js";
import { type Token, tokenKeyId, toToken, tokenValue } from "./token.js";
import { readTyped } from "./typed.js";

/**
 * What `idToken()` and `passwordToken()` return. The methods also work when you destructure them.
 *
 * `Ids` are the arguments between a token and the options: for password tokens, the id of the token's user.
 */
export interface TokenHandler<Ids extends readonly unknown[]> {
	/**
	 * Stores a new token for a user and returns it.
	 *
	 * @param userId the user's id, as the database spells it
	 * @param options `boundTo`: a string that you must pass again with the token; `expiresIn`: how long this token
	 * is valid, in seconds, in place of the handler's
	 * @returns the token; `token.toString()` goes into the link or the mail
	 * @throws LuciaTokenError `INVALID_USER_ID`: there is no such user, or the user id is too long to fit
	 * a key's id of 255 characters together with the name and, for password tokens, the token
	 * @throws LuciaTokenError `DUPLICATE_TOKEN`: `generate` returned a token that is already stored, or the
	 * default generator drew five of them
	 * @throws LuciaTokenError `ISSUED_RECENTLY`: `minInterval` has not passed since the last token;
	 * `retryAfter` is the number of seconds to wait
	 * @throws TypeError there is no `expiresIn`, or it is not a number, `generate` did not return a string,
	 * `options` is not an object or has an unknown option, or `boundTo` is not a string or was passed to a
	 * handler that does not hash tokens
	 * @throws RangeError `expiresIn` is out of range, `generate` returned a string that cannot be a token, or
	 * `boundTo` is empty or has a lone surrogate
	 * @throws Error with `minInterval`: the store runs in a transaction, where no limit holds
	 */
	readonly issue: (userId: string, options?: IssueOptions) => Promise<Token>;

	/**
	 * Uses a token and returns it. Of all concurrent calls with one token, at most one succeeds, and a
	 * used token never validates again (ASVS 5.0 6.5.1), as long as an acknowledged commit survives in your
	 * database: see docs/production.md.
	 *
	 * @param token the value in the link, or what the user typed
	 * @param args for password tokens the id of the token's user; then the options. `boundTo`: the string that
	 * the token was issued with, if any; `revoke`: the names of the tokens that the user loses with this one
	 * @returns the token, with the id of its user as the database spells it
	 * @throws LuciaTokenError `INVALID_TOKEN`: the token is unknown, used, revoked, malformed, of another
	 * type or user, or bound to another string; or, for password tokens, `maxAttempts` wrong ones were tried
	 * while it was outstanding, or it is not one of the user's ten newest
	 * @throws LuciaTokenError `EXPIRED_TOKEN`: the token has expired, and `userId` tells whose it was, if it is
	 * an id token; this call deletes it, so the next one throws `INVALID_TOKEN`
	 * @throws TypeError the options are not an object, one is unknown, `revoke` is not an array of names, or
	 * the store is one of your own that cannot revoke in the same step
	 * @throws RangeError `revoke` has a string that cannot be a name
	 * @throws Error with `maxAttempts`: the store runs in a transaction, where no limit holds
	 */
	readonly validate: (
		token: string | Token,
		...args: [...ids: Ids, options?: ValidateOptions]
	) => Promise<Token>;

	/**
	 * Reads a token without using or deleting it, for example to show a form. A wrong password token counts
	 * as an attempt.
	 *
	 * @param token the value in the link, or what the user typed
	 * @param args as for `validate`
	 * @returns the token, with the id of its user as the database spells it
	 * @throws LuciaTokenError `INVALID_TOKEN`: as for `validate`
	 * @throws LuciaTokenError `EXPIRED_TOKEN`: the token has expired, as for `validate()`
	 * @throws TypeError the options are not an object, or one is unknown
	 * @throws Error with `maxAttempts`: the store runs in a transaction, where no limit holds
	 */
	readonly getToken: (token: string | Token, ...args: Given<Ids>) => Promise<Token>;

	/**
	 * Deletes a token. Does nothing if there is no such token. The interval that it began goes on.
	 *
	 * @param token the token, or its value
	 * @param args as for `validate`; a `Token` needs no `boundTo`
	 * @throws TypeError the options are not an object, or one is unknown
	 */
	readonly invalidate: (token: string | Token, ...args: Given<Ids>) => Promise<void>;

	/**
	 * Takes back a token that could not be delivered: deletes it, and ends the interval that it began, so
	 * that its user can request another one at once. That works five times while an interval would last.
	 *
	 * @param token what `issue()` of this handler returned. The interval of any other token goes on: only the
	 * handler knows which one a token began
	 * @throws TypeError the argument is not a `Token` of this name
	 */
	readonly withdraw: (token: Token) => Promise<void>;

	/**
	 * Deletes a user's tokens of this name. Does nothing if there is no such user.
	 *
	 * @param userId the user's id, as the database spells it
	 */
	readonly invalidateAllUserTokens: (userId: string) => Promise<void>;

	/**
	 * Lists a user's tokens of this name, including expired ones. Of the outstanding password tokens, those
	 * without an attempt left and those beyond the ten newest are not listed.
	 *
	 * @param userId the user's id, as the database spells it
	 * @returns the tokens, in order of expiry
	 * @throws LuciaTokenError `INVALID_USER_ID`: there is no such user
	 */
	readonly getAllUserTokens: (userId: string) => Promise<Token[]>;

	/**
	 * Deletes a user's expired tokens and internal rows of this name. Does nothing if there is no such user.
	 *
	 * @param userId the user's id, as the database spells it
	 */
	readonly deleteExpiredUserTokens: (userId: string) => Promise<void>;

	/**
	 * Does what `deleteExpiredUserTokens` does, for all users. Run it once a day, for example. It reads the
	 * table in batches of up to 1,000 rows, and pauses after each one for as long as it took, so that other calls
	 * wait for one batch at most.
	 *
	 * @param options `signal`: an `AbortSignal` that ends the sweep before its next batch
	 * @returns how many rows it deleted
	 * @throws TypeError `signal` is not an `AbortSignal`, `options` is not an object or has an unknown option,
	 * or the store cannot do it. The default store cannot, because Lucia's adapters do not
	 * list the keys of all users: it deletes expired rows at about every eighth call to `issue()`
	 */
	readonly deleteExpiredTokens: (options?: SweepOptions) => Promise<number>;

	/** @deprecated use `getAllUserTokens`; 1.x called it this */
	readonly getUserTokens: (userId: string) => Promise<Token[]>;

	/** @deprecated use `invalidate`; the documentation of 1.x once called it this */
	readonly invalidateToken: (token: string | Token, ...args: Given<Ids>) => Promise<void>;
}

type Given<Ids extends readonly unknown[]> = [...ids: Ids, options?: BindingOptions];

/** What the two kinds of tokens do differently. */
export interface Layout {
	/** What the ids of all keys begin with. */
	readonly prefix: string;
	/** What the ids of one user's keys begin with, if methods take a user id with a token. */
	readonly userPrefix?: (userId: string) => string;
}

/** Where to find a token, and the options that came with it. */
interface Located {
	readonly scope: Scope | undefined;
	readonly options: { readonly boundTo?: unknown };
}

/** Where a handler finds the keys of users and tokens. */
const finder = (
	{ atRest, maxLength, storedLength, alphabet }: Settings,
	{ prefix: typePrefix, userPrefix }: Layout,
) => {
	// Returns undefined for an id that no user with tokens can have. No token contains a space, so the id of
	// an interval is not that of a spent row or an attempt.
	const userScope = (userId: unknown): UserScope | undefined => {
		if (!isStorable(userId)) return undefined;
		const prefix = userPrefix?.(userId) ?? typePrefix;
		const interval = `${INTERNAL}${userPrefix ? prefix : `${prefix} ${userId}.`} `;
		return prefix.length + storedLength <= MAX_KEY_ID_LENGTH
			? { prefix, userId, interval }
			: undefined;
	};

	const knownUserScope = (userId: unknown): UserScope => {
		const scope = userScope(userId);
		if (!scope) throw new LuciaTokenError("INVALID_USER_ID");
		return scope;
	};

	// The id of a token's key, or undefined for a value that cannot be a token.
	const keyId = async (value: unknown, { prefix }: Scope, boundTo: unknown) =>
		isTokenValue(value, maxLength(prefix)) && (boundTo === undefined || isText(boundTo))
			? await atRest.keyId(value, prefix, boundTo)
			: undefined;

	return {
		userScope,
		knownUserScope,
		keyId,

		/** The value of a `Token`, or the token that a string stands for. */
		valueOf: (token: unknown): unknown =>
			typeof token === "string" ? readTyped(token, alphabet) : tokenValue(token),

		/** Where to find a token, and the options that came with it. */
		locate<Name extends string = never>(args: readonly unknown[], ...names: Name[]) {
			const options = ownOptions(args[userPrefix ? 1 : 0], ["boundTo", ...names]);
			const scope: Scope | undefined = userPrefix ? userScope(args[0]) : { prefix: typePrefix };
			return { scope, options };
		},
	};
};

/**
 * Makes the operation that consumes a key and revokes others.
 *
 * @param names the names of tokens to revoke
 * @throws TypeError the store cannot do that in one step, or these are not names
 */
const revoking = (store: KeyStore, names: unknown, at: number): Operation => {
	const prefixes = revokedPrefixes(names);
	const consume = store.consumeAndRevoke?.bind(store);
	if (!consume) throw new TypeError("This store cannot revoke other tokens in the same step");
	return (id, userId) => consume(id, userId, prefixes, at);
};

/** Makes the handlers of `idToken()` and `passwordToken()`. */
export const tokenHandler = <Ids extends readonly unknown[]>(
	store: KeyStore,
	settings: Settings,
	layout: Layout,
): TokenHandler<Ids> => {
	const { maxAttempts } = settings;
	const attempts = maxAttempts < Infinity ? attemptLimit(store, maxAttempts) : null;
	const find = finder(settings, layout);

	const open = async (
		token: unknown,
		{ scope, options: { boundTo } }: Located,
		// Read before the query, so that a slow database does not make a token expire.
		at: number,
		operation: Operation,
	): Promise<Token> => {
		const value = find.valueOf(token);
		const id = scope && (await find.keyId(value, scope, boundTo));
		if (!scope || id === undefined) throw new LuciaTokenError("INVALID_TOKEN");
		if (attempts) await refuseTransaction(store, "maxAttempts");
		const key = await (attempts
			? attempts.guess(scope as UserScope, id, operation, at)
			: operate(store, operation, id, scope.userId));
		// For an unknown user, the error is the same as for a wrong token. It must not reveal who exists.
		if (!key) throw new LuciaTokenError("INVALID_TOKEN");
		if (isExpired(key.expires, at) || isExpired(key.expires + MAX_DELAY, now())) {
			// The caller knows the user of a code, and the holder of a link may.
			const whose = layout.userPrefix ? {} : { userId: key.userId };
			throw new LuciaTokenError("EXPIRED_TOKEN", whose);
		}
		return toToken(key, value as string, at);
	};

	const invalidate = async (token: unknown, ...args: readonly unknown[]): Promise<void> => {
		const { scope, options } = find.locate(args);
		if (!scope) return;
		// A `Token` knows its key. A string is a value, or the digest that a listed hashed token shows in
		// place of its value.
		const id =
			tokenKeyId(token) ??
			(isDigest(token)
				? scope.prefix + token
				: await find.keyId(find.valueOf(token), scope, options.boundTo));
		if (isStorable(id) && id.startsWith(scope.prefix)) await store.delete(id, scope.userId);
	};

	const getAllUserTokens = async (userId: unknown): Promise<Token[]> => {
		const scope = find.knownUserScope(userId);
		const at = now();
		const keys = await (attempts?.getAll(scope, at) ??
			store.getAllByUser(scope.userId, scope.prefix));
		// Stores return keys in any order, and a list should not change from call to call.
		return [...keys]
			.sort(byExpiry)
			.map((key) => toToken(key, key.id.slice(scope.prefix.length), at));
	};

	return {
		...issuer(store, settings, find.knownUserScope),

		validate: async (token, ...args) => {
			const at = now();
			const found = find.locate(args, "revoke");
			const { revoke } = found.options;
			const operation = revoke === undefined ? "consume" : revoking(store, revoke, at);
			return open(token, found, at, operation);
		},

		getToken: async (token, ...args) => open(token, find.locate(args), now(), "get"),
		invalidate,

		invalidateAllUserTokens: async (userId) => {
			const scope = find.userScope(userId);
			if (scope) await store.deleteAllByUser(scope.userId, scope.prefix);
		},

		deleteExpiredUserTokens: async (userId) => {
			const scope = find.userScope(userId);
			if (scope) await store.deleteExpiredByUser(scope.userId, scope.prefix, now());
		},

		deleteExpiredTokens: (options) => sweep(store, layout.prefix, options),

		getAllUserTokens,
		getUserTokens: getAllUserTokens,
		invalidateToken: invalidate,
	};
};
