import { LuciaTokenError } from "@lucia-auth/tokens";

/**
 * What all routes need.
 *
 * @typedef {object} Context
 * @property {import("../auth/auth.js").AppAuth} auth
 * @property {ReturnType<typeof import("../mail/send.js").createMail>} mail
 * @property {readonly import("../mail/mailbox.js").ReceivedMail[] | undefined} inbox what the demo's own mailbox received, if there is one
 * @property {string} baseUrl where users find the app; links are built from it
 * @property {number} expiresIn how long links and codes work, in seconds
 * @property {(response: import("express").Response, status: number, page: import("../pages/parts.js").Page) => void} send
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
