import { isExpired, now } from "./clock.js";

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

/**
 * Returns the value of a `Token`, and anything else unchanged. It reads a private field, so it never runs
 * the caller's code, such as a proxy's handler or a subclass's `toString`.
 */
export let tokenValue: (token: unknown) => unknown;

/** Returns the id of a `Token`'s key, and `undefined` for anything else. */
export let tokenKeyId: (token: unknown) => string | undefined;

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;

/**
 * A token, with its user and its expiry. Call `toString()` or interpolate it to get its value. A logged or
 * serialized token shows the user id and the expiry, never the secret.
 */
export class Token {
	/** The id of the user that the token was issued to. */
	readonly userId: string;
	/** The last moment at which the token is valid. */
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
		if (!(key?.expiresAt instanceof Date)) throw new TypeError("key must be a single-use key");
		this.#value = value;
		this.#key = key;
		this.userId = key.userId;
		this.expiresAt = key.expiresAt;
	}

	/** Whether the token has expired, as of the moment you read this. */
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

	static {
		tokenValue = (token) => (isObject(token) && #value in token ? token.#value : token);
		tokenKeyId = (token) => {
			if (!isObject(token) || !(#key in token)) return undefined;
			const parts: unknown[] = [token.#key.providerId, token.#key.providerUserId];
			return parts.every((part) => typeof part === "string") ? parts.join(":") : undefined;
		};
	}

	// console.log and util.inspect can be set to call accessors, so they get this object.
	[Symbol.for("nodejs.util.inspect.custom")](): object {
		return { ...this, expired: this.expired };
	}
}
