/** The digits, 3.32 bits each. */
export const DIGITS = "0123456789";

const LETTERS = "abcdefghijklmnopqrstuvwxyz";

/** Lucia's characters for ids, 5.95 bits each. */
export const LETTERS_AND_DIGITS = LETTERS + LETTERS.toUpperCase() + DIGITS;

// A call of getRandomValues costs as much as hundreds of bytes, so bytes are drawn in bulk. The pool is
// filled at first use, not at import: edge workers refuse random numbers outside of a request.
const pool = new Uint8Array(4096);
let next = pool.length;

/**
 * Returns an unbiased random string from WebCrypto (a CSPRNG, ASVS 5.0 6.5.3).
 *
 * @param length in characters
 * @param alphabet 2 to 256 different characters
 */
export const generateRandomString = (length: number, alphabet: string): string => {
	// 256 is rarely a multiple of the alphabet's length, so `byte % length` alone would favor the first
	// characters. Bytes from the last, incomplete round are dropped.
	const limit = 256 - (256 % alphabet.length);
	// Codes, not strings: V8 would put strings together only when they are read.
	const codes: number[] = [];
	while (codes.length < length) {
		if (next === pool.length) {
			crypto.getRandomValues(pool);
			next = 0;
		}
		const byte = pool[next] as number;
		// Used bytes are cleared, so that the pool does not reveal a token later.
		pool[next++] = 0;
		if (byte < limit) codes.push(alphabet.charCodeAt(byte % alphabet.length));
	}
	return String.fromCharCode(...codes);
};
