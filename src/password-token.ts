import type { KeyStore } from "./key-store.js";
import { type BindingOptions, checkOptions, type GuessableTokenOptions } from "./options.js";
import { DIGITS } from "./value/random.js";
import { toKeyStore } from "./stores/source.js";
import type { LuciaAuth } from "./stores/lucia.js";
import type { Token } from "./token.js";
import { tokenHandler } from "./token-handler.js";

/** The options of `passwordToken()`. `length` is 8 by default: 26 bits of digits. */
export type PasswordTokenOptions = GuessableTokenOptions;

/** The handler that `passwordToken()` returns. Its methods also work when you destructure them. */
export interface PasswordTokenWrapper {
	/**
	 * Stores a new token for a user and returns it.
	 *
	 * @param userId the user's id
	 * @param options `boundTo`: a text that you must pass again with the token
	 * @returns the token; send `token.toString()` to the user
	 * @throws LuciaTokenError `INVALID_USER_ID`: there is no such user, or the name, the user id, and the
	 * token together do not fit a key's id of 255 characters
	 * @throws LuciaTokenError `DUPLICATE_TOKEN`: the user already has this token; issue another
	 * @throws LuciaTokenError `ISSUED_RECENTLY`: `minInterval` has not passed since the last token;
	 * `retryAfter` is the number of seconds to wait
	 * @throws TypeError the handler has no `expiresIn`, `generate` did not return a string, or `boundTo`
	 * is not a string or was passed to a handler that does not hash tokens
	 * @throws RangeError `generate` returned a string that cannot be a token, or `boundTo` is empty or has
	 * a lone surrogate
	 */
	readonly issue: (userId: string, options?: BindingOptions) => Promise<Token>;

	/**
	 * Uses a user's token and returns it. Of all concurrent calls with one token, at most one succeeds,
	 * and a used token never validates again (ASVS 5.0 6.5.1).
	 *
	 * @param token what the user typed
	 * @param userId the id of the token's user
	 * @param options `boundTo`: the text that the token was issued with, if any
	 * @returns the token
	 * @throws LuciaTokenError `INVALID_TOKEN`: the token is unknown, used, revoked, malformed, another
	 * user's, or bound to another text, or `maxAttempts` wrong ones were tried while it was outstanding
	 * @throws LuciaTokenError `EXPIRED_TOKEN`: the token has expired; this call deletes it, so the next
	 * one throws `INVALID_TOKEN`
	 */
	readonly validate: (
		token: string | Token,
		userId: string,
		options?: BindingOptions,
	) => Promise<Token>;

	/**
	 * Reads a user's token without using or deleting it. A wrong one counts as a try.
	 *
	 * @param token what the user typed
	 * @param userId the id of the token's user
	 * @param options `boundTo`: the text that the token was issued with, if any
	 * @returns the token
	 * @throws LuciaTokenError `INVALID_TOKEN`: the token is unknown, used, revoked, malformed, another
	 * user's, or bound to another text, or `maxAttempts` wrong ones were tried while it was outstanding
	 * @throws LuciaTokenError `EXPIRED_TOKEN`: the token has expired
	 */
	readonly getToken: (
		token: string | Token,
		userId: string,
		options?: BindingOptions,
	) => Promise<Token>;

	/**
	 * Deletes a user's token. Does nothing if there is no such token.
	 *
	 * @param token the token, or its value
	 * @param userId the id of the token's user
	 * @param options `boundTo`: the text that the token was issued with; a `Token` needs none
	 */
	readonly invalidate: (
		token: string | Token,
		userId: string,
		options?: BindingOptions,
	) => Promise<void>;

	/**
	 * Deletes a user's tokens of this name. Does nothing if there is no such user.
	 *
	 * @param userId the user's id
	 */
	readonly invalidateAllUserTokens: (userId: string) => Promise<void>;

	/**
	 * Lists a user's tokens of this name, including expired ones. Outstanding tokens without a try left
	 * are not listed.
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

	/** @deprecated use `invalidate` */
	readonly invalidateToken: (
		token: string | Token,
		userId: string,
		options?: BindingOptions,
	) => Promise<void>;
}

/**
 * Makes a handler of password tokens: short codes that are valid only together with the id of their
 * user, such as one-time codes by email.
 *
 * A short code can be guessed. So a code validates unless `maxAttempts` wrong codes were tried at its
 * user and name while it was outstanding (ASVS 5.0 6.6.3). Limit how often a user can request a new
 * code, too, with `minInterval`.
 *
 * @param auth the initialized Lucia `Auth`, or another `KeyStore`
 * @param name the name that the tokens are stored under: 1 to 236 characters without `:` (176 if tokens
 * are hashed, 230 with `minInterval`). Give each type of token its own name, and don't use it as the
 * provider id of other keys
 * @param options `expiresIn` in seconds, required to issue; `length` in characters, 8 by default;
 * `maxAttempts`, 5 by default; `minInterval` in seconds; `maxTokensPerUser`; `storeToken` and its
 * `secret`; `generate`
 * @throws TypeError an argument or option is of the wrong type, or there is no global WebCrypto
 * @throws RangeError an argument or option is out of range
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
