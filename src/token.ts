import { isExpired, now } from "./clock.js";
import type { StoredKey } from "./key-store.js";

/** A single-use key as Lucia v1 returns it, in the shape of `SingleUseKey` of `lucia-auth`. */
export type SingleUseKey = Readonly<{
	type: "single_use";
	userId: string;
	/** The name of the token. */
	providerId: string;
	/** `TOKEN` for id tokens, `USERID.TOKEN` for password tokens. It contains the secret. */
	providerUserId: string;
	passwordDefined: boolean;
	expiresAt: Date;
	/** Whether the key had expired when it was read. */
	expired: boolean;
}>;

// Another copy of this package may have made the token: a bundler or a workspace may install two.
const SECRETS = Symbol.for("@lucia-auth/tokens.Token");

/** What a `Token` hides from logs. */
interface Secrets {
	readonly value: string;
	readonly key: SingleUseKey;
}

const secretsOf = (token: unknown): Partial<Secrets> | undefined => {
	try {
		return typeof token === "object" && token !== null && SECRETS in token
			? (Object(token[SECRETS]) as Partial<Secrets>)
			: undefined;
	} catch {
		// A proxy that throws is no token.
		return undefined;
	}
};

/**
 * Returns the value of a `Token` of any copy of this package, and anything else unchanged. It runs no
 * `toString`, which a subclass or a caller's object may have.
 */
export const tokenValue = (token: unknown): unknown => {
	const secrets = secretsOf(token);
	return secrets ? secrets.value : token;
};

/** Returns the id of a `Token`'s key, and `undefined` for anything else. */
export const tokenKeyId = (token: unknown): string | undefined => {
	const key = secretsOf(token)?.key;
	const parts: unknown[] = [key?.providerId, key?.providerUserId];
	return parts.every((part) => typeof part === "string") ? parts.join(":") : undefined;
};

/**
 * A token, with its user and its expiry. Call `toString()` or interpolate it to get its value. A logged or
 * serialized token shows the user id and the expiry, never the secret.
 */
export class Token {
	/** The id of the user that the token was issued to. */
	readonly userId: string;
	/** The last time at which the token is valid. */
	readonly expiresAt: Date;

	// JSON.stringify and spread see neither private fields nor accessors of the prototype.
	readonly #value: string;
	readonly #key: SingleUseKey;

	/**
	 * @param value the value of the token
	 * @param key the single-use key that stores it
	 * @throws TypeError `value` is not a string, or `key` is not a single-use key
	 */
	constructor(value: string, key: SingleUseKey) {
		if (typeof value !== "string") throw new TypeError("value must be a string");
		if (!(key?.expiresAt instanceof Date) || Number.isNaN(key.expiresAt.getTime())) {
			throw new TypeError("key must be a single-use key");
		}
		this.#value = value;
		this.#key = key;
		this.userId = key.userId;
		this.expiresAt = key.expiresAt;
	}

	/** Whether the token has expired, as of when you read this. */
	get expired(): boolean {
		return isExpired(this.expiresAt.getTime(), now());
	}

	/** The single-use key that stores the token. Its `providerUserId` contains the secret. */
	get key(): SingleUseKey {
		return this.#key;
	}

	/** @returns the value of the token, for a link or an email */
	toString(): string {
		return this.#value;
	}

	/** Recognizes the tokens of every copy of this package in the process. */
	static [Symbol.hasInstance](value: unknown): boolean {
		return this === Token
			? secretsOf(value) !== undefined
			: Function.prototype[Symbol.hasInstance].call(this, value);
	}

	/** The library reads a token's secrets here, in whichever copy of the package it is. */
	get [SECRETS](): Secrets {
		return { value: this.#value, key: this.#key };
	}

	// console.log and util.inspect can be set to call accessors, so they get this object.
	[Symbol.for("nodejs.util.inspect.custom")](): object {
		return { ...this, expired: this.expired };
	}
}

/** @param at the time at which the key was read, in epoch milliseconds */
export const toToken = ({ id, userId, expires }: StoredKey, value: string, at: number): Token => {
	const colon = id.indexOf(":");
	return new Token(value, {
		type: "single_use",
		userId,
		providerId: id.slice(0, colon),
		providerUserId: id.slice(colon + 1),
		passwordDefined: false,
		expiresAt: new Date(expires),
		expired: isExpired(expires, at),
	});
};
