// @ts-check

// What browsers accept in <input type="email">, by the HTML standard: ASCII, a single @, no spaces,
// control characters, commas or brackets. So an address is a single address, and not a mail header.
const ADDRESS =
	/^[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?(?:\.[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?)*$/i;

// RFC 5321, 4.5.3.1.3, without the brackets.
const MAX_LENGTH = 254;

/**
 * @param {unknown} input what was entered
 * @returns {string | null} the address as it is stored, or `null` if it can't be one
 */
export const normalizeEmail = (input) => {
	if (typeof input !== "string") return null;
	const address = input.trim();
	return address.length <= MAX_LENGTH && ADDRESS.test(address) ? address.toLowerCase() : null;
};
