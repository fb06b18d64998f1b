import type { KeyStore } from "./key-store.js";
import { type BindingOptions, checkOptions, type GuessableTokenOptions } from "./options.js";
import { DIGITS } from "./value/random.js";
import { toKeyStore } from "./stores/source.js";
import type { LuciaAuth } from "./stores/lucia.js";
import type { Token } from "./token.js";
import { tokenHandler } from "./token-handler.js";

/** The options of `passwordToken()`. `length` is 8 by default: 26 bits of digits. */
export type PasswordTokenOptions = GuessableTokenOptions;

/** What `passwordToken()` returns. Its methods may be taken off it. */
export interface PasswordTokenWrapper {
	/**
	 * Issues a new token for a user.
	 *
	 * @param userId the user's id
	 * @param options `boundTo`: a text that must be given again with the token
	 * @returns the token: `token.toString()` goes into the mail
	 * @throws LuciaTokenError `INVALID_USER_ID`: there is no such user, or its id is too long to be
	 * stored with name and token in an id of 255 characters
	 * @throws LuciaTokenError `DUPLICATE_TOKEN`: the user already has this very token; issue another
	 * @throws LuciaTokenError `ISSUED_RECENTLY`: `minInterval` has not passed since the last token;
	 * `retryAfter` is the number of seconds to wait
	 * @throws TypeError the handler has no `expiresIn`, `generate` did not return a string, or `boundTo`
	 * is not a string or was given to a handler that does not hash tokens
	 * @throws RangeError `generate` returned what can't be a token, or `boundTo` is empty
	 */
	readonly issue: (userId: string, options?: BindingOptions) => Promise<Token>;

	/**
	 * Uses a user's token up. Of all concurrent calls with one token at most one succeeds, and a
	 * token that was used never validates again (ASVS 5.0 6.5.1).
	 *
	 * @param token what the user typed
	 * @param userId the id of the user that it was issued to
	 * @param options `boundTo`: the text that the token was issued with, if there was one
	 * @returns the token
	 * @throws LuciaTokenError `INVALID_TOKEN`: unknown, used, revoked, malformed or another user's,
	 * bound to another text, or `maxAttempts` wrong ones were tried while it was outstanding
	 * @throws LuciaTokenError `EXPIRED_TOKEN`: its time is over; it is deleted, so the next try gets
	 * `INVALID_TOKEN`
	 */
	readonly validate: (
		token: string | Token,
		userId: string,
		options?: BindingOptions,
	) => Promise<Token>;

	/**
	 * Looks at a user's token without using it up or deleting it. A wrong one counts as a try.
	 *
	 * @param token what the user typed
	 * @param userId the id of the user that it was issued to
	 * @param options `boundTo`: the text that the token was issued with, if there was one
	 * @returns the token
	 * @throws LuciaTokenError `INVALID_TOKEN`: unknown, used, revoked, malformed or another user's,
	 * bound to another text, or `maxAttempts` wrong ones were tried while it was outstanding
	 * @throws LuciaTokenError `EXPIRED_TOKEN`: its time is over
	 */
	readonly getToken: (
		token: string | Token,
		userId: string,
		options?: BindingOptions,
	) => Promise<Token>;

	/**
	 * Invalidates a user's token. Succeeds whether or not there is such a token.
	 *
	 * @param token the token, or its value
	 * @param userId the id of the user that it was issued to
	 * @param options `boundTo`: the text that it was issued with; a `Token` needs none
	 */
	readonly invalidate: (
		token: string | Token,
		userId: string,
		options?: BindingOptions,
	) => Promise<void>;

	/**
	 * Invalidates all tokens of this name that belong to a user. Succeeds whether or not there is
	 * such a user.
	 *
	 * @param userId the user's id
	 */
	readonly invalidateAllUserTokens: (userId: string) => Promise<void>;

	/**
	 * Lists all tokens of this name that belong to a user, expired ones too, but for those that
	 * `maxAttempts` wrong ones have made invalid.
	 *
	 * @param userId the user's id
	 * @returns the tokens, the first to expire first
	 * @throws LuciaTokenError `INVALID_USER_ID`: there is no such user
	 */
	readonly getAllUserTokens: (userId: string) => Promise<Token[]>;

	/**
	 * Deletes the tokens of this name that belong to a user and have expired, and what a crash in the
	 * midst of `validate` left of others. Succeeds whether or not there is such a user.
	 *
	 * @param userId the user's id
	 */
	readonly deleteExpiredUserTokens: (userId: string) => Promise<void>;

	/**
	 * Does what `deleteExpiredUserTokens` does, for all users: something to run once a day.
	 *
	 * @throws TypeError the store can't, as the default one can't: Lucia's adapters do not list the
	 * keys of all users
	 */
	readonly deleteExpiredTokens: () => Promise<void>;

	/** @deprecated the name in 1.x of `getAllUserTokens` */
	readonly getUserTokens: (userId: string) => Promise<Token[]>;

	/** @deprecated use `invalidate` */
	readonly invalidateToken: (
		token: string | Token,
		userId: string,
		options?: BindingOptions,
	) => Promise<void>;
}

/**
 * Makes a handler of password tokens: short codes that are valid only together with the id of the
 * user that they were issued to, as in one-time codes by mail.
 *
 * A short code can be guessed, so a code validates unless `maxAttempts` wrong ones were tried at its
 * user and name while it was outstanding (ASVS 5.0 6.6.3). Limit how often a user may request a new
 * one, too: `minInterval`.
 *
 * @param auth the initialized Lucia `Auth`, or another `KeyStore`
 * @param name the name that all its tokens are stored under. No other type of token may have it, nor
 * may it be the provider id of other single-use keys. 1 to 236 characters (176 where tokens are
 * hashed, 230 with `minInterval`) without `:`
 * @param options `expiresIn` in seconds, required to issue; `length` in characters, 8 by default;
 * `maxAttempts`, 5 by default; `minInterval` in seconds; `maxTokensPerUser`; `storeToken` and its
 * `secret`; `generate`
 * @throws TypeError an argument or option is of the wrong type, or there is no global WebCrypto
 * @throws RangeError an argument or option is out of its range
 *
 * @example
 * const code = passwordToken(auth, "sign-in-code", { expiresIn: 60 * 5 });
 * const token = await code.issue(user.userId);
 * const text = `Your code is ${token}.`;
 */
export const passwordToken = (
	auth: LuciaAuth | KeyStore,
	name: string,
	options?: PasswordTokenOptions,
): PasswordTokenWrapper => {
	const settings = checkOptions(name, options, {
		length: 8,
		alphabet: DIGITS,
		// The colon, a user id of one character, and the dot.
		overhead: ":u.".length,
		guessable: true,
	});
	return tokenHandler(toKeyStore(auth), settings, `${name}:`, (userId) => `${name}:${userId}.`);
};
