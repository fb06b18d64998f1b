/** The digits, 3.32 bits each. */
export const DIGITS = "0123456789";

const LETTERS = "abcdefghijklmnopqrstuvwxyz";

/** Lucia's characters for ids, 5.95 bits each. */
export const LETTERS_AND_DIGITS = LETTERS + LETTERS.toUpperCase() + DIGITS;

/**
 * Returns an unbiased random string from WebCrypto (a CSPRNG, ASVS 5.0 6.5.3). No random bytes are kept
 * between calls: a copy of the process, such as a snapshot or a cloned machine, would return the same string.
 *
 * @param length in characters
 * @param alphabet 2 to 256 different characters
 */
export const generateRandomString = (length: number, alphabet: string): string => {
	// 256 is rarely a multiple of the alphabet's length, so `byte % length` alone would favor the first
	// characters. Bytes from the last, incomplete round are dropped.
	const limit = 256 - (256 % alphabet.length);
	// Some more bytes than are needed on average, so that one call mostly suffices.
	const bytes = new Uint8Array(Math.ceil((length * 256 * 1.2) / limit) + 4);
	// Codes, not strings: V8 would put strings together only when they are read.
	const codes: number[] = [];
	for (;;) {
		crypto.getRandomValues(bytes);
		for (const byte of bytes) {
			if (byte < limit) codes.push(alphabet.charCodeAt(byte % alphabet.length));
			if (codes.length === length) return String.fromCharCode(...codes);
		}
	}
};

// Alphabets and their sizes, the smallest first. The first one that a string fits limits the bits that
// each of its characters holds.
const ALPHABETS: readonly (readonly [RegExp, number])[] = [
	[/^[0-9]*$/, 10],
	[/^([0-9a-f]*|[0-9A-F]*)$/, 16],
	[/^[0-9a-zA-Z]*$/, 62],
];
const VISIBLE_ASCII = 94;

/**
 * The maximum entropy of a random string like this one, in bits. Its real entropy is not known
 * from one string.
 */
export const maxBits = (value: string): number => {
	const size = ALPHABETS.find(([alphabet]) => alphabet.test(value))?.[1] ?? VISIBLE_ASCII;
	return value.length * Math.log2(size);
};
