import { MAX_KEY_ID_LENGTH } from "./bounds.js";

/** How tokens are stored in the ids of their keys. */
export interface AtRest {
	/**
	 * @param value the value of the token
	 * @param prefix what the id of its key begins with
	 * @param boundTo the text that it is bound to, if any
	 * @returns the id of its key; `undefined` if tokens cannot be bound
	 */
	readonly keyId: (
		value: string,
		prefix: string,
		boundTo?: string,
	) => string | undefined | Promise<string>;
	/** The length of what is stored, if it differs from the token's. */
	readonly length?: number;
	/** The maximum length of a token whose key's id begins with `prefix`. */
	readonly maxLength: (prefix: string) => number;
}

const anyLength = () => MAX_KEY_ID_LENGTH;

// No token contains a space. So a leaked digest is not a valid token, and a plain token cannot be mistaken
// for a digest.
const SHA256 = "sha256 ";
const HMAC_SHA256 = "hmac-sha256 ";
const DIGEST = /^(hmac-)?sha256 [0-9a-f]{64}$/;
const HEX_LENGTH = 64;

const encode = (text: string) => new TextEncoder().encode(text);

// No prefix and no token contains NUL, so different parts make different texts. Without it, user `a` with
// token `b.c` and user `a.b` with token `c` would share a digest.
const join = (...parts: (string | undefined)[]): string =>
	parts.filter((part) => part !== undefined).join("\0");

const toHex = (bytes: ArrayBuffer): string =>
	Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** Whether a value is the stored digest of a token. */
export const isDigest = (value: unknown): value is string =>
	typeof value === "string" && DIGEST.test(value);

/** Stores tokens as they are. */
export const plain: AtRest = {
	keyId: (value, prefix, boundTo) => (boundTo === undefined ? prefix + value : undefined),
	maxLength: (prefix) => MAX_KEY_ID_LENGTH - prefix.length,
};

/** Stores the SHA-256 of tokens. ASVS 5.0 6.5.2 allows that from 112 bits up. */
export const sha256: AtRest = {
	keyId: async (value, prefix, boundTo) =>
		prefix + SHA256 + toHex(await crypto.subtle.digest("SHA-256", encode(join(value, boundTo)))),
	length: SHA256.length + HEX_LENGTH,
	maxLength: anyLength,
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
		maxLength: anyLength,
	};
};
