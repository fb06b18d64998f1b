import { isStorable, isTokenValue, MAX_KEY_ID_LENGTH } from "./limits.js";
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
	/** Makes the value of a token, checked, whose key's id begins with `prefix`. */
	readonly generate: (prefix: string) => string;
}

type Unchecked<T> = { [Key in keyof T]?: unknown };

interface Defaults {
	readonly length: number;
	readonly alphabet: string;
	/** How many characters a key's id has at the least beside name and token, the colon included. */
	readonly overhead: number;
}

// Three thousand years: past what anyone asks for, well within what a Date and a BIGINT hold.
const MAX_EXPIRES_IN = 1e11;

interface Types {
	string: string;
	number: number;
	function: (length?: number) => unknown;
	object: object;
}

function checkType<Type extends keyof Types>(
	option: string,
	value: unknown,
	type: Type,
): asserts value is Types[Type] {
	if (typeof value !== type || value === null) {
		throw new TypeError(`${option} must be of type ${type}`);
	}
}

const checkRange = (option: string, inRange: boolean, range: string): void => {
	if (!inRange) throw new RangeError(`${option} must be ${range}`);
};

/**
 * Checks the name and the options of a handler and fills in the defaults, once, when the handler is
 * made.
 *
 * @throws TypeError an argument is of the wrong type
 * @throws RangeError an argument is out of its range
 */
export const checkOptions = (name: unknown, options: unknown, defaults: Defaults): Settings => {
	const room = MAX_KEY_ID_LENGTH - defaults.overhead;
	checkType("name", name, "string");
	checkRange(
		"name",
		isStorable(name) && name.length < room && !name.includes(":"),
		`1 to ${room - 1} characters without ":", NUL and lone surrogates`,
	);

	checkType("options", options, "object");
	const { expiresIn, length = defaults.length, generate }: Unchecked<TokenOptions> = options;

	checkType("expiresIn", expiresIn, "number");
	checkRange(
		"expiresIn",
		expiresIn > 0 && expiresIn <= MAX_EXPIRES_IN,
		`more than 0 and at most ${MAX_EXPIRES_IN} seconds`,
	);

	checkType("length", length, "number");
	const maxLength = room - name.length;
	checkRange(
		"length",
		Number.isInteger(length) && length > 0 && length <= maxLength,
		`a whole number from 1 to ${maxLength} beside this name`,
	);

	if (generate !== undefined) checkType("generate", generate, "function");
	return {
		expiresIn,
		length,
		generate: (prefix) => {
			const value = generate ? generate(length) : generateRandomString(length, defaults.alphabet);
			checkType("what generate returns", value, "string");
			checkRange(
				"what generate returns",
				isTokenValue(value, prefix),
				`visible ASCII (0x21 to 0x7E) that fits an id of ${MAX_KEY_ID_LENGTH} characters`,
			);
			return value;
		},
	};
};
