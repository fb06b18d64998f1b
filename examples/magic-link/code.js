// @ts-check

/** In digits. Eight digits are 26 bits. */
export const CODE_LENGTH = 8;

/**
 * Formats a code for readers, in groups of four.
 *
 * @param {string} code
 */
export const grouped = (code) => code.replace(/\d{4}(?=\d)/g, "$& ");

/**
 * @param {unknown} input what was entered, with or without spaces and dashes
 * @returns {string | null} the code, or `null` if it can't be one
 */
export const normalizeCode = (input) => {
	if (typeof input !== "string") return null;
	const code = input.replace(/[\s\p{Dash_Punctuation}]/gu, "");
	return code.length === CODE_LENGTH && /^\d+$/.test(code) ? code : null;
};
