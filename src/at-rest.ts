import { MAX_KEY_ID_LENGTH } from "./limits.js";

/** How a token's value is stored, behind the prefix of its key's id. */
export interface AtRest {
	/**
	 * @param value the token
	 * @param prefix how the id of its key begins
	 * @returns the id of its key
	 */
	readonly keyId: (value: string, prefix: string) => string | Promise<string>;
	/** The length of what is stored, if it is not that of the token. */
	readonly length?: number;
	/** How long a token may be whose key's id begins with `prefix`. */
	readonly maxLength: (prefix: string) => number;
}

const anyLength = () => MAX_KEY_ID_LENGTH;

// A space is what no token has, so no digest that leaks can be passed off as a token, and no token
// that is stored in plain text can be taken for a digest.
const SHA256 = "sha256 ";
const HMAC_SHA256 = "hmac-sha256 ";
const DIGEST = /^(hmac-)?sha256 [0-9a-f]{64}$/;
const HEX_LENGTH = 64;

const encode = (text: string) => new TextEncoder().encode(text);

const toHex = (bytes: ArrayBuffer): string =>
	Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** Whether a string is how a token is stored under a hashed handler, rather than a token. */
export const isDigest = (value: unknown): value is string =>
	typeof value === "string" && DIGEST.test(value);

/** Stores tokens as they are. */
export const plain: AtRest = {
	keyId: (value, prefix) => prefix + value,
	maxLength: (prefix) => MAX_KEY_ID_LENGTH - prefix.length,
};

/** Stores the SHA-256 of tokens, which ASVS 5.0 6.5.2 allows from 112 bits up. */
export const sha256: AtRest = {
	keyId: async (value, prefix) =>
		prefix + SHA256 + toHex(await crypto.subtle.digest("SHA-256", encode(value))),
	length: SHA256.length + HEX_LENGTH,
	maxLength: anyLength,
};

/**
 * Stores the HMAC-SHA-256 of tokens with their name and user, since a plain hash of so short a token
 * is soon reversed by trying all.
 *
 * @param secret at least 32 characters
 */
export const hmacSha256 = (secret: string): AtRest => {
	let key: Promise<CryptoKey> | undefined;
	return {
		keyId: async (value, prefix) => {
			key ??= crypto.subtle.importKey(
				"raw",
				encode(secret),
				{ name: "HMAC", hash: "SHA-256" },
				false,
				["sign"],
			);
			// NUL is in neither: without it, user `a` with token `b.c` were user `a.b` with token `c`.
			const message = encode(`${prefix}\0${value}`);
			return prefix + HMAC_SHA256 + toHex(await crypto.subtle.sign("HMAC", await key, message));
		},
		length: HMAC_SHA256.length + HEX_LENGTH,
		maxLength: anyLength,
	};
};
