import { type TokenHandler, tokenHandler } from "./handler.js";
import type { KeyStore } from "./key-store.js";
import { checkOptions, type TokenOptions } from "./options.js";
import { LETTERS_AND_DIGITS } from "./random.js";
import { type LuciaAuth, toKeyStore } from "./stores/lucia.js";

/** The options of `idToken()`. `length` is 43 by default: 256 bits of letters and digits. */
export type IdTokenOptions = TokenOptions;

/** The handler that `idToken()` returns. */
export type IdTokenWrapper = TokenHandler<[]>;

/**
 * Makes a handler of id tokens: long random tokens that identify their user, such as those in magic
 * links. You need nothing else to validate one.
 *
 * @param auth the initialized Lucia `Auth`, or another `KeyStore`
 * @param name the name that the tokens are stored under: 1 to 253 characters without `:` (183 if tokens
 * are hashed, 227 with `minInterval`). Give each type of token its own name, and don't use it as the
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
	return tokenHandler(toKeyStore(auth), settings, {
		prefix: `${name}:`,
	});
};
