/**
 * The codes that a `LuciaTokenError` has as its `message`:
 *
 * - `INVALID_TOKEN`: unknown, used, revoked, malformed, or of another type or user
 * - `EXPIRED_TOKEN`: stored, but expired
 * - `INVALID_USER_ID`: there is no such user
 * - `DUPLICATE_TOKEN`: the generated token is already stored
 * - `ISSUED_RECENTLY`: `minInterval` has not passed since the last token
 */
export type LuciaTokenErrorMessage =
	"INVALID_TOKEN" | "EXPIRED_TOKEN" | "INVALID_USER_ID" | "DUPLICATE_TOKEN" | "ISSUED_RECENTLY";

// Another copy of this package may have thrown the error: a bundler or a workspace may install two.
const BRAND = Symbol.for("@lucia-auth/tokens.LuciaTokenError");

/** @inline */
interface LuciaTokenErrorOptions {
	readonly cause?: unknown;
	readonly retryAfter?: number;
	readonly userId?: string;
}

/**
 * The error that this library throws. Its `message` is a code to compare with, as in Lucia's own errors.
 * Neither the message nor the cause contains a token.
 *
 * @example
 * try {
 * 	await tokenHandler.validate(value);
 * } catch (error) {
 * 	if (error instanceof LuciaTokenError && error.message === "EXPIRED_TOKEN") {
 * 		// offer to send error.userId a new link
 * 	}
 * }
 */
export class LuciaTokenError extends Error {
	declare message: LuciaTokenErrorMessage;
	/**
	 * How long to wait, in whole seconds, ready for the `Retry-After` header. Only `ISSUED_RECENTLY` has
	 * it.
	 */
	declare readonly retryAfter?: number;
	/**
	 * The id of the user whose link has expired, so that you can offer to send the next one. Only an
	 * `EXPIRED_TOKEN` of an id token has it: whoever holds such a token may know its user.
	 */
	declare readonly userId?: string;

	/**
	 * @param message the code
	 * @param options `cause`: the underlying error, if there is one; `retryAfter`: in seconds; `userId`
	 */
	constructor(
		message: LuciaTokenErrorMessage,
		{ retryAfter, userId, ...options }: LuciaTokenErrorOptions = {},
	) {
		super(message, options);
		if (retryAfter !== undefined) this.retryAfter = retryAfter;
		if (userId !== undefined) this.userId = userId;
		// A minifier would change this.constructor.name.
		this.name = "LuciaTokenError";
	}

	/** Recognizes the errors of every copy of this package in the process. */
	static override [Symbol.hasInstance](value: unknown): boolean {
		if (this !== LuciaTokenError) return Function.prototype[Symbol.hasInstance].call(this, value);
		return value instanceof Error && BRAND in value;
	}

	static {
		Object.defineProperty(this.prototype, BRAND, { value: true });
	}
}

/** Whether an error is a `LuciaTokenError` with this code. */
export const isTokenError = (error: unknown, message: LuciaTokenErrorMessage): boolean =>
	error instanceof LuciaTokenError && error.message === message;
