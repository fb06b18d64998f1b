import { INTERNAL, type StoredKey } from "./key-store.js";

/** The width of the column `auth_key.id` in Lucia's documented schemas, in characters. */
export const MAX_KEY_ID_LENGTH = 255;

/** The maximum number of digits of an expiry. */
export const EXPIRY_LENGTH = 15;

/** Where to find a token's key: its id begins with `prefix`. */
export interface Scope {
	readonly prefix: string;
	/** The user who must own the key. Without it, any user may. */
	readonly userId?: string;
}

/** The keys of one user. */
export interface UserScope extends Required<Scope> {
	/** What the ids of the user's intervals begin with. */
	readonly interval: string;
}

const SURROGATE = /\p{Surrogate}/u;
/** What tokens consist of. */
export const VISIBLE_ASCII = /^[\x21-\x7e]+$/;

/** Whether a value is a non-empty string without lone surrogates, which have no encoding in UTF-8. */
export const isText = (value: unknown): value is string =>
	typeof value === "string" && value !== "" && !SURROGATE.test(value);

/** Whether every database accepts a value as an id. PostgreSQL rejects NUL. */
export const isStorable = (value: unknown): value is string =>
	isText(value) && value.length <= MAX_KEY_ID_LENGTH && !value.includes("\0");

/** Whether a value can be a token of at most `maxLength` characters. */
export const isTokenValue = (value: unknown, maxLength: number): value is string =>
	typeof value === "string" && value.length <= maxLength && VISIBLE_ASCII.test(value);

const encode = (text: string) => new TextEncoder().encode(text);

const toHex = (bytes: ArrayBuffer): string =>
	Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");

const toSha256 = async (text: string): Promise<string> =>
	toHex(await crypto.subtle.digest("SHA-256", encode(text)));

/**
 * What the ids of the attempts at a code begin with. Code and expiry name the attempts, so no id is used
 * for another code, not even for one of the same value.
 */
export const attemptPrefix = ({ id, expires }: StoredKey): string => `${INTERNAL}${id} ${expires} `;

/** The id of the row that says that a key is used. It names the key's expiry, so it is never used again. */
export const spentId = async ({ id, expires }: StoredKey): Promise<string> => {
	const spent = `${INTERNAL}${id} ${expires}`;
	return spent.length <= MAX_KEY_ID_LENGTH ? spent : `${INTERNAL}${await toSha256(id)} ${expires}`;
};

/** How tokens are stored in the ids of their keys. */
export interface AtRest {
	/**
	 * @param value the value of the token
	 * @param prefix what the id of its key begins with
	 * @param boundTo the string that it is bound to, if any
	 * @returns the id of its key; `undefined` if tokens cannot be bound
	 */
	readonly keyId: (
		value: string,
		prefix: string,
		boundTo?: string,
	) => string | undefined | Promise<string>;
	/** The length of what is stored, if it differs from the token's. */
	readonly length?: number;
}

// No token contains a space. So a leaked digest is not a valid token, and a plain token cannot be mistaken
// for a digest.
const SHA256 = "sha256 ";
const HMAC_SHA256 = "hmac-sha256 ";
const DIGEST = /^(hmac-)?sha256 [0-9a-f]{64}$/;
const HEX_LENGTH = 64;

// No prefix and no token contains NUL, so different parts make different strings. Without it, user `a` with
// token `b.c` and user `a.b` with token `c` would share a digest.
const join = (...parts: (string | undefined)[]): string =>
	parts.filter((part) => part !== undefined).join("\0");

/** Whether a value is the stored digest of a token. */
export const isDigest = (value: unknown): value is string =>
	typeof value === "string" && DIGEST.test(value);

/** Stores tokens as they are. */
export const plain: AtRest = {
	keyId: (value, prefix, boundTo) => (boundTo === undefined ? prefix + value : undefined),
};

/** Stores the SHA-256 of tokens. ASVS 5.0 6.5.2 allows that from 112 bits up. */
export const sha256: AtRest = {
	keyId: async (value, prefix, boundTo) => prefix + SHA256 + (await toSha256(join(value, boundTo))),
	length: SHA256.length + HEX_LENGTH,
};

/**
 * Stores the HMAC-SHA-256 of tokens with their name and user. A plain hash of a short token is easily
 * reversed by trying all values.
 *
 * @param secret at least 32 characters
 */
export const hmacSha256 = (secret: string): AtRest => {
	let key: Promise<CryptoKey> | undefined;
	return {
		keyId: async (value, prefix, boundTo) => {
			key ??= crypto.subtle.importKey(
				"raw",
				encode(secret),
				{ name: "HMAC", hash: "SHA-256" },
				false,
				["sign"],
			);
			const message = encode(join(prefix, value, boundTo));
			return prefix + HMAC_SHA256 + toHex(await crypto.subtle.sign("HMAC", await key, message));
		},
		length: HMAC_SHA256.length + HEX_LENGTH,
	};
};
