/** The width of an `auth_key.id` column in Lucia's documented schemas, in characters. */
export const MAX_KEY_ID_LENGTH = 255;

// What no database stores as text: PostgreSQL refuses a NUL, and a lone surrogate is not Unicode.
const UNSTORABLE = /[\0\p{Surrogate}]/u;

const VISIBLE_ASCII = /^[\x21-\x7e]+$/;

/** Whether a value is a string that any column of ids takes. */
export const isStorable = (value: unknown): value is string =>
	typeof value === "string" &&
	value !== "" &&
	value.length <= MAX_KEY_ID_LENGTH &&
	!UNSTORABLE.test(value);

/** Whether a value can be a token of at most so many characters. */
export const isTokenValue = (value: unknown, maxLength: number): value is string =>
	typeof value === "string" && value.length <= maxLength && VISIBLE_ASCII.test(value);
