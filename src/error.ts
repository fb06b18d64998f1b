/**
 * What a `LuciaTokenError` says in its `message`:
 *
 * - `INVALID_TOKEN`: unknown, used, revoked, malformed, or of another type or user
 * - `EXPIRED_TOKEN`: stored, but its time is over
 * - `INVALID_USER_ID`: no such user
 * - `DUPLICATE_TOKEN`: the generated token is already stored
 */
export type LuciaTokenErrorMessage =
	"INVALID_TOKEN" | "EXPIRED_TOKEN" | "INVALID_USER_ID" | "DUPLICATE_TOKEN";

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
	 * @param message the code
	 * @param options `cause`: the error under this one, if there is one
	 */
	constructor(message: LuciaTokenErrorMessage, options?: { cause?: unknown }) {
		super(message, options);
		// Not this.constructor.name: a minifier would change it.
		this.name = "LuciaTokenError";
	}
}
