import { isStorable, MAX_KEY_ID_LENGTH } from "./limits.js";
import { generateRandomString } from "./random.js";

/** The options of `idToken()` and `passwordToken()`. */
export interface TokenOptions {
	/** How long a token is valid, in seconds: more than 0, at most 100,000,000,000. */
	readonly expiresIn: number;
	/**
	 * The length of a token, in characters: a whole number from 1 up to what fits a key's id of 255
	 * characters together with the token name (for password tokens, with the user id too).
	 */
	readonly length?: number | undefined;
	/**
	 * Makes a token of its own in place of the default generator. It is given `length` and returns
	 * visible ASCII characters (0x21 to 0x7E). Use a CSPRNG (ASVS 5.0 6.5.3).
	 */
	readonly generate?: ((length?: number) => string) | undefined;
}

/** Options as handlers use them: checked and complete. */
export interface Settings {
	readonly expiresIn: number;
	readonly length: number;
	readonly generate: () => string;
}

interface Defaults {
	readonly length: number;
	readonly alphabet: string;
	/** How many characters a key's id has at the least beside name and token, the colon included. */
	readonly overhead: number;
}

// Three thousand years: past what anyone asks for, well within what a Date and a BIGINT hold.
const MAX_EXPIRES_IN = 100_000_000_000;

const checkName = (name: unknown, maxLength: number): string => {
	if (typeof name !== "string") throw new TypeError("name must be a string");
	if (name.includes(":")) throw new RangeError('name must not contain ":"');
	if (!isStorable(name) || name.length > maxLength) {
		throw new RangeError(
			`name must be 1 to ${maxLength} characters, without NUL or lone surrogates`,
		);
	}
	return name;
};

const checkExpiresIn = (expiresIn: unknown): number => {
	if (typeof expiresIn !== "number") {
		throw new TypeError("expiresIn must be a number of seconds");
	}
	if (!(expiresIn > 0 && expiresIn <= MAX_EXPIRES_IN)) {
		throw new RangeError(`expiresIn must be more than 0 and at most ${MAX_EXPIRES_IN} seconds`);
	}
	return expiresIn;
};

const checkLength = (length: unknown, max: number): number => {
	if (typeof length !== "number") throw new TypeError("length must be a number of characters");
	if (!(Number.isInteger(length) && length >= 1 && length <= max)) {
		throw new RangeError(
			`length must be a whole number from 1 to ${max}: name and token share an id of ${MAX_KEY_ID_LENGTH} characters`,
		);
	}
	return length;
};

function checkGenerate(generate: unknown): asserts generate is TokenOptions["generate"] {
	if (generate !== undefined && typeof generate !== "function") {
		throw new TypeError("generate must be a function");
	}
}

/**
 * Checks the name and the options of a handler and fills in the defaults, once, when the handler is
 * made.
 *
 * @throws TypeError an argument is of the wrong type
 * @throws RangeError an argument is out of its range
 */
export const checkOptions = (name: unknown, options: unknown, defaults: Defaults): Settings => {
	const shared = MAX_KEY_ID_LENGTH - defaults.overhead;
	const maxLength = shared - checkName(name, shared - 1).length;
	if (typeof options !== "object" || options === null) {
		throw new TypeError("options must be an object");
	}
	const {
		expiresIn,
		length = defaults.length,
		generate,
	}: { [Option in keyof TokenOptions]?: unknown } = options;
	const checkedLength = checkLength(length, maxLength);
	checkGenerate(generate);
	return {
		expiresIn: checkExpiresIn(expiresIn),
		length: checkedLength,
		generate: generate
			? () => generate(checkedLength)
			: () => generateRandomString(checkedLength, defaults.alphabet),
	};
};
