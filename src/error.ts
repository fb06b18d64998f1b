/**
 * What a `LuciaTokenError` says in its `message`:
 *
 * - `INVALID_TOKEN`: unknown, used, revoked, malformed, or of another type or user
 * - `EXPIRED_TOKEN`: stored, but its time is over
 * - `INVALID_USER_ID`: no such user
 * - `DUPLICATE_TOKEN`: the generated token is already stored
 * - `ISSUED_RECENTLY`: `minInterval` has not passed since the last token
 */
export type LuciaTokenErrorMessage =
	"INVALID_TOKEN" | "EXPIRED_TOKEN" | "INVALID_USER_ID" | "DUPLICATE_TOKEN" | "ISSUED_RECENTLY";

/**
 * The error of this library. As with Lucia's own errors, `message` is a code to compare with.
 * Neither the message nor the cause ever holds a token.
 *
 * @example
 * try {
 * 	await tokenHandler.validate(value);
 * } catch (error) {
 * 	if (error instanceof LuciaTokenError && error.message === "EXPIRED_TOKEN") {
 * 		// offer a new link
 * 	}
 * }
 */
export class LuciaTokenError extends Error {
	declare message: LuciaTokenErrorMessage;
	/**
	 * With `ISSUED_RECENTLY`, how long to wait, in whole seconds: what HTTP's header `Retry-After` takes.
	 */
	declare readonly retryAfter?: number;

	/**
	 * @param message the code
	 * @param options `cause`: the error under this one, if there is one; `retryAfter`, in seconds
	 */
	constructor(
		message: LuciaTokenErrorMessage,
		{ retryAfter, ...options }: { cause?: unknown; retryAfter?: number } = {},
	) {
		super(message, options);
		if (retryAfter !== undefined) this.retryAfter = retryAfter;
		// Not this.constructor.name: a minifier would change it.
		this.name = "LuciaTokenError";
	}
}

/** Whether an error is a `LuciaTokenError` with this code. */
export const isTokenError = (error: unknown, message: LuciaTokenErrorMessage): boolean =>
	error instanceof LuciaTokenError && error.message === message;
