import { check, checkWhole, ownOptions } from "./check.js";
import {
	type AtRest,
	hmacSha256,
	isStorable,
	isText,
	isTokenValue,
	MAX_KEY_ID_LENGTH,
	plain,
	sha256,
	VISIBLE_ASCII,
} from "./key-id.js";
import { ATTEMPT_ROOM, MAX_ATTEMPTS } from "./limits/attempts.js";
import { INTERVAL_ROOM } from "./limits/interval.js";
import { generateRandomString, maxBits } from "./random.js";
import { type Alphabet, toAlphabet } from "./typed.js";

/** The options that `idToken()` and `passwordToken()` share. */
export interface TokenOptions {
	/**
	 * How long a token is valid, in seconds, from 0 to 100,000,000,000. Only `issue()` requires it.
	 */
	readonly expiresIn?: number | undefined;
	/**
	 * The length of a token, in characters: a whole number. The minimum is 1, or, for hashed id tokens, what
	 * holds 112 bits: 19 by default.
	 * The maximum is 255 for hashed tokens. Plain tokens must fit a key's id of 255 characters together
	 * with the name and, for password tokens, the user id.
	 *
	 * @default 43 for id tokens, 8 for password tokens
	 */
	readonly length?: number | undefined;
	/**
	 * The characters of a token: 2 to 94 different ones of visible ASCII (0x21 to 0x7E). Leave out those that
	 * look alike, for codes that people type. If it has letters of one case only, typed letters get that case,
	 * so outstanding tokens of both cases become invalid. It cannot stand beside `generate`.
	 *
	 * @default letters of both cases and digits for id tokens, digits for password tokens
	 */
	readonly alphabet?: string | undefined;
	/**
	 * Generates a token in place of the default generator. It gets `length` and returns visible ASCII
	 * characters (0x21 to 0x7E). Use a CSPRNG (ASVS 5.0 6.5.3).
	 */
	readonly generate?: ((length?: number) => string) | undefined;
	/**
	 * How many tokens of this name a user may have, at least 1. `issue()` deletes the oldest beyond that.
	 *
	 * @default Infinity
	 */
	readonly maxTokensPerUser?: number | undefined;
	/**
	 * The minimum time between two tokens of the same user and name, in seconds, from 0 to
	 * 100,000,000,000. Until it has passed, `issue()` throws `ISSUED_RECENTLY`.
	 *
	 * @default 0
	 */
	readonly minInterval?: number | undefined;
	/**
	 * Whether the database holds the tokens themselves or their hashes. Someone who reads the database
	 * cannot use the hashes (ASVS 5.0 6.5.2).
	 *
	 * @default "plain"
	 */
	readonly storeToken?: "plain" | "hashed" | undefined;
}

/** The options of password tokens, which are short enough to guess. */
export interface GuessableTokenOptions extends TokenOptions {
	/**
	 * The key of the hashes: at least 32 random characters, kept out of the database. It is required with
	 * `storeToken: "hashed"`, because a plain hash of a short code is easily reversed.
	 */
	readonly secret?: string | undefined;
	/**
	 * How many wrong tokens may be tried while a token is outstanding, from 1 to 999, or `Infinity`. After
	 * that the token is `INVALID_TOKEN`, and its user needs a new one (ASVS 5.0 6.6.3).
	 *
	 * @default 5
	 */
	readonly maxAttempts?: number | undefined;
}

/** The options of `getToken()` and `invalidate()`. */
export interface BindingOptions {
	/**
	 * A string that the token is bound to: you must pass it again with the token. Use the email address that
	 * you send the token to, for example, or a nonce in a cookie of the browser that requested it
	 * (ASVS 5.0 6.6.2). Token and string are hashed together, so this needs `storeToken: "hashed"`.
	 */
	readonly boundTo?: string;
}

/** The options of `validate()`. */
export interface ValidateOptions extends BindingOptions {
	/**
	 * The names of the tokens that the user loses with this one, such as the code that came in the same mail.
	 * List the handler's own name, too, to revoke the user's other tokens of its kind. Of all concurrent calls
	 * with tokens that revoke each other, exactly one succeeds. List the same names in all of them, 50 at most:
	 * on the default store, a call with another list may cost a token that nobody used.
	 */
	readonly revoke?: readonly string[] | undefined;
}

/** The options of `issue()`. */
export interface IssueOptions extends BindingOptions {
	/**
	 * How long this token is valid, in seconds, from 0 to 100,000,000,000. With `maxTokensPerUser`, it may last
	 * up to three minutes longer, so that it is the user's newest. What expires last counts as the newest, so
	 * give tokens that last much longer a name of their own if you use that option or codes.
	 *
	 * @default the handler's `expiresIn`
	 */
	readonly expiresIn?: number | undefined;
}

/** Options as handlers use them: checked, with the defaults filled in. */
export interface Settings {
	/** `undefined` in a handler that never issues. */
	readonly expiresIn: number | undefined;
	readonly maxAttempts: number;
	readonly minInterval: number;
	readonly maxTokensPerUser: number;
	readonly atRest: AtRest;
	/** The maximum length of a token whose key's id begins with `prefix`. */
	readonly maxLength: (prefix: string) => number;
	/** The maximum number of characters that the ids of a token's keys need besides the prefix. */
	readonly storedLength: number;
	/** Generates and checks the value of a token whose key's id begins with `prefix`. */
	readonly generate: (prefix: string) => string;
	/** What tokens consist of, if people may type them and the handler's own generator makes them. */
	readonly alphabet: Alphabet | undefined;
	/** How often to generate another value if one is taken. */
	readonly redraws: number;
}

/** What a kind of token is like. */
export interface Kind {
	/** The default length of a token. */
	readonly length: number;
	readonly alphabet: string;
	/** The minimum number of characters in a key's id besides name and token, including the colon. */
	readonly overhead: number;
	/** Whether tokens are short enough to guess. */
	readonly guessable: boolean;
}

type Unchecked = { readonly [Option in keyof GuessableTokenOptions]?: unknown };

const OPTIONS = [
	"expiresIn",
	"length",
	"alphabet",
	"generate",
	"maxTokensPerUser",
	"minInterval",
	"storeToken",
] as const;
const GUESSABLE_OPTIONS = [...OPTIONS, "secret", "maxAttempts"] as const;

// Three thousand years: more than any app needs, and well within the range of a Date and a BIGINT.
const MAX_SECONDS = 1e11;

const MIN_SECRET_LENGTH = 32;

const MAX_REVOKED = 50;

const MAX_REDRAWS = 4;

// The minimum entropy of a token under a plain hash, in bits (ASVS 5.0 6.5.2).
const MIN_HASHED_BITS = 112;

const checkAtRest = (storeToken: unknown, secret: unknown, guessable: boolean): AtRest => {
	check(
		"storeToken",
		storeToken,
		"string",
		(value) => value === "hashed" || (value === "plain" && secret === undefined),
		secret === undefined ? '"plain" or "hashed"' : '"hashed" when there is a secret',
	);
	if (storeToken === "plain") return plain;
	if (!guessable) return sha256;
	check(
		"secret",
		secret,
		"string",
		(value) => value.length >= MIN_SECRET_LENGTH,
		`a string of ${MIN_SECRET_LENGTH} characters or more`,
	);
	return hmacSha256(secret);
};

/** Checks a duration in seconds. */
export function checkSeconds(option: string, value: unknown): asserts value is number {
	check(
		option,
		value,
		"number",
		(seconds) => seconds >= 0 && seconds <= MAX_SECONDS,
		`a number of seconds from 0 to ${MAX_SECONDS}`,
	);
}

function checkAlphabet(alphabet: unknown, generate: unknown): asserts alphabet is string {
	check(
		"alphabet",
		alphabet,
		"string",
		(characters) =>
			VISIBLE_ASCII.test(characters) &&
			characters.length >= 2 &&
			new Set(characters).size === characters.length,
		"a string of 2 to 94 different visible ASCII characters",
	);
	if (generate !== undefined) throw new TypeError("alphabet cannot stand beside generate");
}

function checkGenerate(generate: unknown): asserts generate is TokenOptions["generate"] {
	if (generate !== undefined) check("generate", generate, "function", () => true, "a function");
}

/**
 * Checks the names of tokens to revoke.
 *
 * @returns what the ids of their keys begin with
 * @throws TypeError it is not an array of strings
 * @throws RangeError a name cannot be that of a token
 */
export const revokedPrefixes = (names: unknown): string[] => {
	if (!Array.isArray(names)) throw new TypeError("revoke must be an array of names");
	// D1 takes 100 values in a statement.
	if (names.length > MAX_REVOKED) throw new RangeError(`revoke has more than ${MAX_REVOKED} names`);
	return names.map((name: unknown) => `${checkName(name, MAX_KEY_ID_LENGTH)}:`);
};

/**
 * Checks the string that a token is bound to.
 *
 * @throws TypeError it is not a string, or the handler does not hash tokens
 * @throws RangeError it is empty or has a lone surrogate
 */
export function checkBinding(boundTo: unknown, atRest: AtRest): asserts boundTo is string {
	if (atRest === plain) throw new TypeError('boundTo needs storeToken: "hashed"');
	check("boundTo", boundTo, "string", isText, "a non-empty string without lone surrogates");
}

const checkName = (name: unknown, room: number): string => {
	check(
		"name",
		name,
		"string",
		(name) => isStorable(name) && name.length <= room && !name.includes(":"),
		`a string of 1 to ${room} characters without ":", NUL, or lone surrogates`,
	);
	return name;
};

// Otherwise the app would not notice before its first token.
const checkCrypto = (): void => {
	if (typeof crypto !== "undefined") return;
	throw new TypeError(
		"There is no global crypto (WebCrypto): use Node 20 or later, or import lucia-auth/polyfill/node",
	);
};

/**
 * Calls the app's `generate` and checks what it returns. A good generator may draw few different characters
 * by chance, but hardly three times in a row.
 */
const generateChecked = (
	generate: (length: number) => unknown,
	length: number,
	maxLength: number,
	minBits: number,
): string => {
	const isGood = (value: unknown): value is string =>
		isTokenValue(value, maxLength) && maxBits(value) >= minBits;
	let value = generate(length);
	for (let draw = 0; minBits && draw < 2 && !isGood(value); draw++) value = generate(length);
	check(
		"the return value of generate",
		value,
		"string",
		isGood,
		`a string of 1 to ${maxLength} visible ASCII characters` +
			(minBits ? ` that can hold ${minBits} bits` : ""),
	);
	return value;
};

/**
 * Checks the name and the options of a handler, and fills in the defaults. This happens once, when the
 * handler is made.
 *
 * @throws TypeError an argument is of the wrong type, an option is unknown or inherited, or the global
 * WebCrypto is missing
 * @throws RangeError an argument is out of range
 */
export const checkOptions = (name: unknown, options: unknown, kind: Kind): Settings => {
	checkCrypto();
	const {
		expiresIn,
		length = kind.length,
		alphabet: given,
		generate,
		maxAttempts = 5,
		minInterval = 0,
		maxTokensPerUser = Infinity,
		storeToken = "plain",
		secret,
	}: Unchecked = ownOptions(options, kind.guessable ? GUESSABLE_OPTIONS : OPTIONS);

	const atRest = checkAtRest(storeToken, secret, kind.guessable);
	const attempts: unknown = kind.guessable ? maxAttempts : Infinity;
	checkWhole("maxAttempts", attempts, 1, MAX_ATTEMPTS, true);
	checkSeconds("minInterval", minInterval);
	const attemptRoom = attempts < Infinity ? ATTEMPT_ROOM : 0;
	const intervalRoom = minInterval > 0 ? INTERVAL_ROOM : 0;
	const room = MAX_KEY_ID_LENGTH - kind.overhead;
	const checked = checkName(
		name,
		room - Math.max((atRest.length ?? 1) + attemptRoom, intervalRoom),
	);
	if (expiresIn !== undefined) checkSeconds("expiresIn", expiresIn);
	if (given !== undefined) checkAlphabet(given, generate);
	const alphabet = given ?? kind.alphabet;
	const minBits = atRest === sha256 ? MIN_HASHED_BITS : 0;
	checkWhole(
		"length",
		length,
		generate ? 1 : Math.max(1, Math.ceil(minBits / Math.log2(alphabet.length))),
		atRest.length ? MAX_KEY_ID_LENGTH : room - checked.length - attemptRoom,
	);
	checkGenerate(generate);
	checkWhole("maxTokensPerUser", maxTokensPerUser, 1, Number.MAX_SAFE_INTEGER, true);

	const maxLength = (prefix: string): number =>
		MAX_KEY_ID_LENGTH - (atRest.length ? 0 : prefix.length + attemptRoom);
	return {
		expiresIn,
		maxAttempts: attempts,
		minInterval,
		maxTokensPerUser,
		atRest,
		maxLength,
		storedLength: (atRest.length ?? length) + attemptRoom,
		generate: (prefix) =>
			generate === undefined
				? generateRandomString(length, alphabet)
				: generateChecked(generate, length, maxLength(prefix), minBits),
		alphabet:
			generate === undefined && (given !== undefined || kind.guessable)
				? toAlphabet(alphabet)
				: undefined,
		redraws: generate === undefined ? MAX_REDRAWS : 0,
	};
};
