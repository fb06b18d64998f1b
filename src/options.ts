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

type Unchecked = { [Option in keyof TokenOptions]?: unknown };

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
	function: NonNullable<TokenOptions["generate"]>;
}

// One sentence says the type and the range; the class of the error says which of them it was.
function check<Type extends keyof Types>(
	option: string,
	value: unknown,
	type: Type,
	inRange: (value: Types[Type]) => boolean,
	expected: string,
): asserts value is Types[Type] {
	const ofType = typeof value === type;
	if (ofType && inRange(value as Types[Type])) return;
	throw new (ofType ? RangeError : TypeError)(`${option} must be ${expected}`);
}

/**
 * Checks the name and the options of a handler and fills in the defaults, once, when the handler is
 * made.
 *
 * @throws TypeError an argument is of the wrong type
 * @throws RangeError an argument is out of its range
 */
export const checkOptions = (name: unknown, options: unknown, defaults: Defaults): Settings => {
	const room = MAX_KEY_ID_LENGTH - defaults.overhead;
	check(
		"name",
		name,
		"string",
		(name) => isStorable(name) && name.length < room && !name.includes(":"),
		`a string of 1 to ${room - 1} characters without ":", NUL and lone surrogates`,
	);

	// Without an object at all, it is the required option that is missing.
	const { expiresIn, length = defaults.length, generate } = Object(options) as Unchecked;
	check(
		"expiresIn",
		expiresIn,
		"number",
		(seconds) => seconds > 0 && seconds <= MAX_EXPIRES_IN,
		`a number of seconds, more than 0 and at most ${MAX_EXPIRES_IN}`,
	);
	const maxLength = room - name.length;
	check(
		"length",
		length,
		"number",
		(length) => Number.isInteger(length) && length > 0 && length <= maxLength,
		`a whole number from 1 to ${maxLength}`,
	);
	if (generate !== undefined) check("generate", generate, "function", () => true, "a function");

	return {
		expiresIn,
		length,
		generate: (prefix) => {
			const value: unknown = generate
				? generate(length)
				: generateRandomString(length, defaults.alphabet);
			check(
				"what generate returns",
				value,
				"string",
				(value) => isTokenValue(value, prefix),
				`a string of 1 to ${MAX_KEY_ID_LENGTH - prefix.length} visible ASCII characters`,
			);
			return value;
		},
	};
};
