/** The width of an `auth_key.id` column in Lucia's documented schemas, in characters. */
export const MAX_KEY_ID_LENGTH = 255;

const SURROGATE = /\p{Surrogate}/u;

/** Whether a value is a string that has a UTF-8 encoding of its own: not empty, no lone surrogates. */
export const isText = (value: unknown): value is string =>
	typeof value === "string" && value !== "" && !SURROGATE.test(value);

const VISIBLE_ASCII = /^[\x21-\x7e]+$/;

/** Whether a value is a string that any column of ids takes: PostgreSQL refuses a NUL. */
export const isStorable = (value: unknown): value is string =>
	isText(value) && value.length <= MAX_KEY_ID_LENGTH && !value.includes("\0");

/** Whether a value can be a token of at most so many characters. */
export const isTokenValue = (value: unknown, maxLength: number): value is string =>
	typeof value === "string" && value.length <= maxLength && VISIBLE_ASCII.test(value);
