import { type TokenHandler, tokenHandler } from "./handler.js";
import type { KeyStore } from "./key-store.js";
import { checkOptions, type GuessableTokenOptions } from "./options.js";
import { DIGITS } from "./random.js";
import { type LuciaAuth, toKeyStore } from "./stores/lucia.js";

/** The options of `passwordToken()`. `length` is 8 by default: 26 bits of digits. */
export type PasswordTokenOptions = GuessableTokenOptions;

/** The handler that `passwordToken()` returns. */
export type PasswordTokenWrapper = TokenHandler<[userId: string]>;

/**
 * Makes a handler of password tokens: short codes that are valid only together with the id of their
 * user, such as one-time codes by email.
 *
 * A short code can be guessed. So once `maxAttempts` wrong codes have been tried for its user and name
 * while it was outstanding, a code no longer works (ASVS 5.0 6.6.3). Limit how often a user can request
 * a new code, too, with `minInterval`.
 *
 * @param auth the initialized Lucia `Auth`, or another `KeyStore`
 * @param name the name that the tokens are stored under: 1 to 230 characters without `:` (155 if tokens
 * are hashed, 225 with `minInterval`). Give each type of token its own name, and don't use it as the
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
	return tokenHandler(toKeyStore(auth), settings, {
		prefix: `${name}:`,
		userPrefix: (userId) => `${name}:${userId}.`,
	});
};
