/** The width of the column `auth_key.id` in Lucia's documented schemas, in characters. */
export const MAX_KEY_ID_LENGTH = 255;

const SURROGATE = /\p{Surrogate}/u;

/** Whether a value is a non-empty string without lone surrogates, which have no encoding in UTF-8. */
export const isText = (value: unknown): value is string =>
	typeof value === "string" && value !== "" && !SURROGATE.test(value);

const VISIBLE_ASCII = /^[\x21-\x7e]+$/;

/** Whether every database accepts a value as an id. PostgreSQL rejects NUL. */
export const isStorable = (value: unknown): value is string =>
	isText(value) && value.length <= MAX_KEY_ID_LENGTH && !value.includes("\0");

/** Whether a value can be a token of at most `maxLength` characters. */
export const isTokenValue = (value: unknown, maxLength: number): value is string =>
	typeof value === "string" && value.length <= maxLength && VISIBLE_ASCII.test(value);
