import { isExpired, now } from "./clock.js";

/** A single-use key as Lucia v1 returns it: the same shape as `SingleUseKey` of `lucia-auth`. */
export type SingleUseKey = Readonly<{
	type: "single_use";
	userId: string;
	/** The token name. */
	providerId: string;
	/** `TOKEN` for id tokens, `USERID.TOKEN` for password tokens: holds the secret. */
	providerUserId: string;
	passwordDefined: boolean;
	expiresAt: Date;
	/** Whether the key had expired when it was read. */
	expired: boolean;
}>;

/**
 * The value of a token; anything else as it is. It calls nothing of the caller's: a private name tells
 * a token from its look-alikes, such as proxies and subclasses with a `toString` of their own.
 */
export let tokenValue: (token: unknown) => unknown;

/** The id of the key of a token; `undefined` for anything else. */
export let tokenKeyId: (token: unknown) => string | undefined;

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;

/**
 * A token and what is known of it. Its value comes out by `toString()` or interpolation alone: to
 * log or to serialize a token shows the user id and the expiry, never the secret.
 */
export class Token {
	/** The user that the token was issued for. */
	readonly userId: string;
	/** The last moment at which the token is valid. */
	readonly expiresAt: Date;

	// Private fields and accessors of the prototype, since JSON.stringify and spread see neither.
	readonly #value: string;
	readonly #key: SingleUseKey;

	/**
	 * @param value the token itself
	 * @param key the single-use key under which it is stored
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

	/** Whether the token has expired by now: read it again later and it may have changed. */
	get expired(): boolean {
		return isExpired(this.expiresAt.getTime(), now());
	}

	/** The single-use key under which the token is stored. Its `providerUserId` holds the secret. */
	get key(): SingleUseKey {
		return this.#key;
	}

	/** @returns the token itself, as it goes into a link or a mail */
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

	// For console.log and util.inspect, which can be told to call accessors.
	[Symbol.for("nodejs.util.inspect.custom")](): object {
		return { ...this, expired: this.expired };
	}
}
