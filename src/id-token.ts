import type { KeyStore } from "./key-store.js";
import { type BindingOptions, checkOptions, type TokenOptions } from "./options.js";
import { LETTERS_AND_DIGITS } from "./value/random.js";
import { toKeyStore } from "./stores/source.js";
import type { LuciaAuth } from "./stores/lucia.js";
import type { Token } from "./token.js";
import { tokenHandler } from "./token-handler.js";

/** The options of `idToken()`. `length` is 43 by default: 256 bits of letters and digits. */
export type IdTokenOptions = TokenOptions;

/** What `idToken()` returns. Its methods may be taken off it. */
export interface IdTokenWrapper {
	/**
	 * Issues a new token for a user.
	 *
	 * @param userId the user's id
	 * @param options `boundTo`: a text that must be given again with the token
	 * @returns the token: `token.toString()` goes into the link
	 * @throws LuciaTokenError `INVALID_USER_ID`: there is no such user; with `minInterval`, also one
	 * whose id is too long to be stored with the name in an id of 255 characters
	 * @throws LuciaTokenError `DUPLICATE_TOKEN`: `generate` returned a token that is already stored
	 * @throws LuciaTokenError `ISSUED_RECENTLY`: `minInterval` has not passed since the last token;
	 * `retryAfter` is the number of seconds to wait
	 * @throws TypeError the handler has no `expiresIn`, `generate` did not return a string, or `boundTo`
	 * is not a string or was given to a handler that does not hash tokens
	 * @throws RangeError `generate` returned what can't be a token, or `boundTo` is empty
	 */
	readonly issue: (userId: string, options?: BindingOptions) => Promise<Token>;

	/**
	 * Uses a token up. Of all concurrent calls with one token at most one succeeds, and a token that
	 * was used never validates again (ASVS 5.0 6.5.1).
	 *
	 * @param token what the link held
	 * @param options `boundTo`: the text that the token was issued with, if there was one
	 * @returns the token, with the id of the user it was issued to
	 * @throws LuciaTokenError `INVALID_TOKEN`: unknown, used, revoked or malformed, whatever its type,
	 * or bound to another text
	 * @throws LuciaTokenError `EXPIRED_TOKEN`: its time is over; it is deleted, so the next try gets
	 * `INVALID_TOKEN`
	 */
	readonly validate: (token: string | Token, options?: BindingOptions) => Promise<Token>;

	/**
	 * Looks at a token without using it up or deleting it, such as before a form is shown.
	 *
	 * @param token what the link held
	 * @param options `boundTo`: the text that the token was issued with, if there was one
	 * @returns the token, with the id of the user it was issued to
	 * @throws LuciaTokenError `INVALID_TOKEN`: unknown, used, revoked or malformed, whatever its type,
	 * or bound to another text
	 * @throws LuciaTokenError `EXPIRED_TOKEN`: its time is over
	 */
	readonly getToken: (token: string | Token, options?: BindingOptions) => Promise<Token>;

	/**
	 * Invalidates a token. Succeeds whether or not there is such a token.
	 *
	 * @param token the token, or its value
	 * @param options `boundTo`: the text that it was issued with; a `Token` needs none
	 */
	readonly invalidate: (token: string | Token, options?: BindingOptions) => Promise<void>;

	/**
	 * Invalidates all tokens of this name that belong to a user. Succeeds whether or not there is
	 * such a user.
	 *
	 * @param userId the user's id
	 */
	readonly invalidateAllUserTokens: (userId: string) => Promise<void>;

	/**
	 * Lists all tokens of this name that belong to a user, expired ones too.
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

	/** @deprecated the name in the documentation of 1.x of `invalidate` */
	readonly invalidateToken: (token: string | Token, options?: BindingOptions) => Promise<void>;
}

/**
 * Makes a handler of id tokens: long random tokens that identify their user, as in magic links. A
 * token alone is enough to validate it.
 *
 * @param auth the initialized Lucia `Auth`, or another `KeyStore`
 * @param name the name that all its tokens are stored under. No other type of token may have it, nor
 * may it be the provider id of other single-use keys. 1 to 253 characters (183 where tokens are
 * hashed, 232 with `minInterval`) without `:`
 * @param options `expiresIn` in seconds, required to issue; `length` in characters, 43 by default;
 * `minInterval` in seconds; `maxTokensPerUser`; `storeToken`; `generate`
 * @throws TypeError an argument or option is of the wrong type, or there is no global WebCrypto
 * @throws RangeError an argument or option is out of its range
 *
 * @example
 * const magicLink = idToken(auth, "magic-link", { expiresIn: 60 * 10 });
 * const token = await magicLink.issue(user.userId);
 * const link = `https://example.com/sign-in/${token}`;
 */
export const idToken = (
	auth: LuciaAuth | KeyStore,
	name: string,
	options?: IdTokenOptions,
): IdTokenWrapper => {
	const settings = checkOptions(name, options, {
		length: 43,
		alphabet: LETTERS_AND_DIGITS,
		overhead: ":".length,
		guessable: false,
	});
	return tokenHandler(toKeyStore(auth), settings, `${name}:`);
};
