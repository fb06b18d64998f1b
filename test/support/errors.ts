import { expect } from "vitest";
import { LuciaTokenError, type LuciaTokenErrorMessage } from "../../src/index.js";

/** Matches a `LuciaTokenError` with this message and no other error. */
export const tokenError = (message: LuciaTokenErrorMessage): unknown =>
	expect.objectContaining({ constructor: LuciaTokenError, name: "LuciaTokenError", message });

/** @returns `"ok"`, or the message of the error */
export const outcomeOf = (call: Promise<unknown>): Promise<string> =>
	call.then(
		() => "ok",
		(error: Error) => error.message,
	);
