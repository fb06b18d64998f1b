import { type AtRest, hmacSha256, plain, sha256 } from "./value/at-rest.js";
import { MAX_ATTEMPTS, TRY_ROOM } from "./limits/attempts.js";
import { check, checkWhole } from "./check.js";
import { maxBits } from "./value/entropy.js";
import { INTERVAL_ROOM } from "./limits/interval.js";
import { isStorable, isText, isTokenValue, MAX_KEY_ID_LENGTH } from "./value/bounds.js";
import { generateRandomString } from "./value/random.js";

/** The options that `idToken()` and `passwordToken()` share. */
export interface TokenOptions {
	/**
	 * How long a token is valid, in seconds, from 0 to 100,000,000,000. Without it the handler does all
	 * but `issue()`.
	 */
	readonly expiresIn?: number | undefined;
	/**
	 * The length of a token, in characters: a whole number from 1 (19 for hashed id tokens) up to what
	 * fits a key's id of 255 characters together with the name (for password tokens with the user id,
	 * too).
	 */
	readonly length?: number | undefined;
	/**
	 * Makes a token of its own in place of the default generator. It is given `length` and returns
	 * visible ASCII characters (0x21 to 0x7E). Use a CSPRNG (ASVS 5.0 6.5.3).
	 */
	readonly generate?: ((length?: number) => string) | undefined;
	/**
	 * How many tokens of this name a user may have, at least 1: `issue()` deletes the oldest over it.
	 *
	 * @default Infinity
	 */
	readonly maxTokensPerUser?: number | undefined;
	/**
	 * How long `issue()` waits for the next token of the same user and name, in seconds, from 0 to
	 * 100,000,000,000: until then it throws `ISSUED_RECENTLY`.
	 *
	 * @default 0
	 */
	readonly minInterval?: number | undefined;
	/**
	 * Whether the database holds the tokens themselves or hashes of them, which are of no use to who
	 * reads it.
	 *
	 * @default "plain"
	 */
	readonly storeToken?: "plain" | "hashed" | undefined;
}

/** The options that password tokens have beside. */
export interface GuessableTokenOptions extends TokenOptions {
	/**
	 * The key of the hashes, at least 32 random characters, kept away from the database. Required
	 * where `storeToken` is `"hashed"`: a plain hash of a short code is soon reversed.
	 */
	readonly secret?: string | undefined;
	/**
	 * How many wrong tokens may be tried while a token is outstanding, from 1 to 999, or Infinity. Then it
	 * is `INVALID_TOKEN`, and its user needs a new one (ASVS 5.0 6.6.3).
	 *
	 * @default 5
	 */
	readonly maxAttempts?: number | undefined;
}

/** What a token may be issued with, and must then be given again with. */
export interface BindingOptions {
	/**
	 * A text that the token is bound to, such as the email address that it is sent to or a nonce in a cookie
	 * of the browser that asked (ASVS 5.0 6.6.2). Only its hash is stored, with the token's: it needs
	 * `storeToken: "hashed"`.
	 */
	readonly boundTo?: string;
}

/** Options as handlers use them: checked and complete. */
export interface Settings {
	/** `undefined` in a handler that issues nothing. */
	readonly expiresIn: number | undefined;
	readonly maxAttempts: number;
	readonly minInterval: number;
	readonly maxTokensPerUser: number;
	readonly atRest: AtRest;
	/** How many characters an id needs behind its prefix at the most. */
	readonly storedLength: number;
	/** Makes the value of a token, checked, whose key's id begins with `prefix`. */
	readonly generate: (prefix: string) => string;
}

interface Defaults {
	readonly length: number;
	readonly alphabet: string;
	/** How many characters a key's id has at the least beside name and token, the colon included. */
	readonly overhead: number;
	/** Whether the tokens are so short that they can be guessed. */
	readonly guessable: boolean;
}

type Unchecked = { [Option in keyof GuessableTokenOptions]?: unknown };

// Three thousand years: past what anyone asks for, well within what a Date and a BIGINT hold.
const MAX_SECONDS = 1e11;

const MIN_SECRET_LENGTH = 32;

/** What a plain hash must hide at the least, in bits (ASVS 5.0 6.5.2). */
const MIN_HASHED_BITS = 112;

const checkAtRest = (storeToken: unknown, secret: unknown, guessable: boolean): AtRest => {
	check(
		"storeToken",
		storeToken,
		"string",
		(value) => value === "hashed" || (value === "plain" && secret === undefined),
		secret === undefined ? '"plain" or "hashed"' : '"hashed" where there is a secret',
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

function checkSeconds(option: string, value: unknown): asserts value is number {
	check(
		option,
		value,
		"number",
		(seconds) => seconds >= 0 && seconds <= MAX_SECONDS,
		`a number of seconds from 0 to ${MAX_SECONDS}`,
	);
}

function checkGenerate(generate: unknown): asserts generate is TokenOptions["generate"] {
	if (generate !== undefined) check("generate", generate, "function", () => true, "a function");
}

/**
 * Checks what a token is to be bound to.
 *
 * @throws TypeError it is not a string, or tokens are not hashed
 * @throws RangeError it is empty, or has no UTF-8 encoding of its own
 */
export function checkBinding(boundTo: unknown, atRest: AtRest): asserts boundTo is string {
	if (atRest === plain) throw new TypeError('boundTo needs storeToken: "hashed"');
	check(
		"boundTo",
		boundTo,
		"string",
		isText,
		"a string of 1 or more characters without lone surrogates",
	);
}

/**
 * Checks the name and the options of a handler and fills in the defaults, once, when the handler is
 * made.
 *
 * @throws TypeError an argument is of the wrong type, or the global WebCrypto is missing
 * @throws RangeError an argument is out of its range
 */
export const checkOptions = (
	name: unknown,
	options: unknown,
	{ alphabet, guessable, overhead, ...defaults }: Defaults,
): Settings => {
	// Said here, or the first token to be issued would be the first to tell.
	if (typeof crypto === "undefined") {
		throw new TypeError(
			"There is no global crypto (WebCrypto): use Node 20 or later, or import lucia-auth/polyfill/node",
		);
	}
	if (options !== undefined && (typeof options !== "object" || options === null)) {
		throw new TypeError("options must be an object");
	}
	const {
		expiresIn,
		length = defaults.length,
		generate,
		maxAttempts = 5,
		minInterval = 0,
		maxTokensPerUser = Infinity,
		storeToken = "plain",
		secret,
	} = Object(options) as Unchecked;
	const atRest = checkAtRest(storeToken, guessable ? secret : undefined, guessable);

	const tries: unknown = guessable ? maxAttempts : Infinity;
	checkWhole("maxAttempts", tries, 1, MAX_ATTEMPTS, true);
	checkSeconds("minInterval", minInterval);
	const tryRoom = tries < Infinity ? TRY_ROOM : 1;
	const intervalRoom = minInterval > 0 ? INTERVAL_ROOM : 1;
	const room = MAX_KEY_ID_LENGTH - overhead - Math.max(atRest.length ?? 1, tryRoom, intervalRoom);
	check(
		"name",
		name,
		"string",
		(name) => isStorable(name) && name.length <= room && !name.includes(":"),
		`a string of 1 to ${room} characters without ":", NUL and lone surrogates`,
	);
	if (expiresIn !== undefined) checkSeconds("expiresIn", expiresIn);
	const minBits = atRest === sha256 ? MIN_HASHED_BITS : 0;
	checkWhole(
		"length",
		length,
		generate ? 1 : Math.max(1, Math.ceil(minBits / Math.log2(alphabet.length))),
		atRest.length ? MAX_KEY_ID_LENGTH : MAX_KEY_ID_LENGTH - overhead - name.length,
	);
	checkGenerate(generate);
	checkWhole("maxTokensPerUser", maxTokensPerUser, 1, Number.MAX_SAFE_INTEGER, true);

	return {
		expiresIn,
		maxAttempts: tries,
		minInterval,
		maxTokensPerUser,
		atRest,
		storedLength: Math.max(atRest.length ?? length, tryRoom),
		generate: (prefix) => {
			if (generate === undefined) return generateRandomString(length, alphabet);
			const maxLength = atRest.maxLength(prefix);
			const isGood = (value: unknown) =>
				isTokenValue(value, maxLength) && maxBits(value) >= minBits;
			let value: unknown = generate(length);
			// Chance may have made a good token of few different characters: hardly thrice.
			for (let draw = 0; minBits && draw < 2 && !isGood(value); draw++) value = generate(length);
			check(
				"what generate returns",
				value,
				"string",
				isGood,
				`a string of 1 to ${maxLength} visible ASCII characters` +
					(minBits ? ` that can hold ${minBits} bits` : ""),
			);
			return value;
		},
	};
};
