// @ts-check
import { LuciaTokenError } from "@lucia-auth/tokens";

/**
 * What all routes need.
 *
 * @typedef {object} Context
 * @property {import("../auth.js").AppAuth} auth
 * @property {Awaited<ReturnType<typeof import("../mail.js").startMail>>} mail
 * @property {string} baseUrl where users find the app; links are built from it
 * @property {number} expiresIn how long links and codes work, in seconds
 * @property {(message: string) => void} log
 * @property {(response: import("express").Response, status: number, page: import("../pages/layout.js").Page) => void} send
 */

/**
 * Passes what a route throws to the error handler, since Express 4 does not wait for a route.
 *
 * @param {(request: import("express").Request, response: import("express").Response) => Promise<void>} handle
 * @returns {import("express").RequestHandler}
 */
export const route = (handle) => (request, response, next) => {
	handle(request, response).catch(next);
};

/** @param {unknown} error @param {import("@lucia-auth/tokens").LuciaTokenErrorMessage} message */
export const isTokenError = (error, message) =>
	error instanceof LuciaTokenError && error.message === message;

/**
 * Sends a mail, and logs a failure.
 *
 * @param {Context} context
 * @param {import("../mail.js").Mail} text
 * @returns {Promise<boolean>} whether it was sent
 */
export const sendMail = async ({ mail, log }, text) => {
	try {
		await mail.send(text);
		return true;
	} catch (error) {
		// Only the code: the message may quote the mail server, which may quote the mail.
		log(`A mail could not be sent: ${/** @type {any} */ (error)?.code ?? "unknown reason"}`);
		return false;
	}
};
