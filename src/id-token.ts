import type { KeyStore } from "./key-store.js";
import { type BindingOptions, checkOptions, type TokenOptions } from "./options.js";
import { LETTERS_AND_DIGITS } from "./value/random.js";
import { toKeyStore } from "./stores/source.js";
import type { LuciaAuth } from "./stores/lucia.js";
import type { Token } from "./token.js";
import { tokenHandler } from "./token-handler.js";

/** The options of `idToken()`. `length` is 43 by default: 256 bits of letters and digits. */
export type IdTokenOptions = TokenOptions;

/** The handler that `idToken()` returns. Its methods also work when you destructure them. */
export interface IdTokenWrapper {
	/**
	 * Stores a new token for a user and returns it.
	 *
	 * @param userId the user's id
	 * @param options `boundTo`: a text that you must pass again with the token
	 * @returns the token; put `token.toString()` into the link
	 * @throws LuciaTokenError `INVALID_USER_ID`: there is no such user, or, with `minInterval`, the name
	 * and the user id together do not fit a key's id of 255 characters
	 * @throws LuciaTokenError `DUPLICATE_TOKEN`: `generate` returned a token that is already stored
	 * @throws LuciaTokenError `ISSUED_RECENTLY`: `minInterval` has not passed since the last token;
	 * `retryAfter` is the number of seconds to wait
	 * @throws TypeError the handler has no `expiresIn`, `generate` did not return a string, or `boundTo`
	 * is not a string or was passed to a handler that does not hash tokens
	 * @throws RangeError `generate` returned a string that cannot be a token, or `boundTo` is empty or has
	 * a lone surrogate
	 */
	readonly issue: (userId: string, options?: BindingOptions) => Promise<Token>;

	/**
	 * Uses a token and returns it. Of all concurrent calls with one token, at most one succeeds, and a
	 * used token never validates again (ASVS 5.0 6.5.1).
	 *
	 * @param token the value in the link
	 * @param options `boundTo`: the text that the token was issued with, if any
	 * @returns the token, with the id of its user
	 * @throws LuciaTokenError `INVALID_TOKEN`: the token is unknown, used, revoked, malformed, of another
	 * type, or bound to another text
	 * @throws LuciaTokenError `EXPIRED_TOKEN`: the token has expired; this call deletes it, so the next
	 * one throws `INVALID_TOKEN`
	 */
	readonly validate: (token: string | Token, options?: BindingOptions) => Promise<Token>;

	/**
	 * Reads a token without using or deleting it, for example to show a form.
	 *
	 * @param token the value in the link
	 * @param options `boundTo`: the text that the token was issued with, if any
	 * @returns the token, with the id of its user
	 * @throws LuciaTokenError `INVALID_TOKEN`: the token is unknown, used, revoked, malformed, of another
	 * type, or bound to another text
	 * @throws LuciaTokenError `EXPIRED_TOKEN`: the token has expired
	 */
	readonly getToken: (token: string | Token, options?: BindingOptions) => Promise<Token>;

	/**
	 * Deletes a token. Does nothing if there is no such token.
	 *
	 * @param token the token, or its value
	 * @param options `boundTo`: the text that the token was issued with; a `Token` needs none
	 */
	readonly invalidate: (token: string | Token, options?: BindingOptions) => Promise<void>;

	/**
	 * Deletes a user's tokens of this name. Does nothing if there is no such user.
	 *
	 * @param userId the user's id
	 */
	readonly invalidateAllUserTokens: (userId: string) => Promise<void>;

	/**
	 * Lists a user's tokens of this name, including expired ones.
	 *
	 * @param userId the user's id
	 * @returns the tokens, in order of expiry
	 * @throws LuciaTokenError `INVALID_USER_ID`: there is no such user
	 */
	readonly getAllUserTokens: (userId: string) => Promise<Token[]>;

	/**
	 * Deletes a user's expired tokens, tries, intervals, and claims of this name. Does nothing if there
	 * is no such user.
	 *
	 * @param userId the user's id
	 */
	readonly deleteExpiredUserTokens: (userId: string) => Promise<void>;

	/**
	 * Does what `deleteExpiredUserTokens` does, for all users. Run it once a day, for example.
	 *
	 * @throws TypeError the store cannot do it. The default store cannot, because Lucia's adapters do not
	 * list the keys of all users
	 */
	readonly deleteExpiredTokens: () => Promise<void>;

	/** @deprecated use `getAllUserTokens`; 1.x called it this */
	readonly getUserTokens: (userId: string) => Promise<Token[]>;

	/** @deprecated use `invalidate`; the documentation of 1.x once called it this */
	readonly invalidateToken: (token: string | Token, options?: BindingOptions) => Promise<void>;
}

/**
 * Makes a handler of id tokens: long random tokens that identify their user, such as those in magic
 * links. You need nothing else to validate one.
 *
 * @param auth the initialized Lucia `Auth`, or another `KeyStore`
 * @param name the name that the tokens are stored under: 1 to 253 characters without `:` (183 if tokens
 * are hashed, 232 with `minInterval`). Give each type of token its own name, and don't use it as the
 * provider id of other keys
 * @param options `expiresIn` in seconds, required to issue; `length` in characters, 43 by default;
 * `minInterval` in seconds; `maxTokensPerUser`; `storeToken`; `generate`
 * @throws TypeError an argument or option is of the wrong type, or there is no global WebCrypto
 * @throws RangeError an argument or option is out of range
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
