// @ts-check
import { LuciaTokenError } from "@lucia-auth/tokens";
import express from "express";
import { LuciaError } from "lucia-auth";
import { fileURLToPath } from "node:url";
import { normalizeEmail } from "./email.js";
import { fingerprint } from "./fingerprint.js";
import { securityHeaders, tokenPageHeaders } from "./headers.js";
import { linkMail } from "./link-mail.js";
import { checkOrigin } from "./origin.js";
import * as pages from "./pages.js";

/** @param {unknown} error @param {string} message */
const isTokenError = (error, message) =>
	error instanceof LuciaTokenError && error.message === message;

/**
 * Express 4 does not wait for a route: this hands what one throws to the handler of errors.
 *
 * @param {(request: express.Request, response: express.Response) => Promise<void>} handle
 * @returns {express.RequestHandler}
 */
const route = (handle) => (request, response, next) => {
	handle(request, response).catch(next);
};

/**
 * The routes.
 *
 * How many mails one address or one client may ask for is for the app to limit, not shown here.
 *
 * @param {object} options
 * @param {import("./auth.js").AppAuth} options.auth
 * @param {Awaited<ReturnType<typeof import("./mail.js").startMail>>} options.mail
 * @param {string} options.baseUrl where users find the app; links are built from it
 * @param {number} options.expiresIn how long a link is good, in seconds
 * @param {(message: string) => void} options.log
 */
export const createApp = ({
	auth: { auth, magicLink, userIdOf },
	mail,
	baseUrl,
	expiresIn,
	log,
}) => {
	const app = express();
	app.disable("x-powered-by");
	// Pages are not cached, so nothing asks for a tag of theirs.
	app.disable("etag");

	/** @param {express.Response} response @param {number} status @param {pages.Page} page */
	const send = (response, status, page) => {
		response
			.status(status)
			.type("html")
			.send(pages.layout(page, { mailbox: mail.inbox !== undefined }).toString());
	};

	app.use(securityHeaders);
	app.use(express.static(fileURLToPath(new URL("public", import.meta.url))));
	app.use(["/sign-in", "/mailbox"], tokenPageHeaders);
	app.use(checkOrigin(auth, baseUrl));
	app.use(express.urlencoded({ extended: false, limit: "4kb", parameterLimit: 10 }));

	app.get(
		"/",
		route(async (request, response) => {
			const { user } = await auth.handleRequest(request, response).validateUser();
			if (!user) return send(response, 200, pages.signIn());
			const tokens = await magicLink.getAllUserTokens(user.userId);
			send(response, 200, pages.home(user.email, tokens));
		}),
	);

	app.post(
		"/sign-in",
		route(async (request, response) => {
			const typed = request.body.email;
			const email = normalizeEmail(typed);
			if (email === null) {
				return send(response, 422, pages.signIn({ refused: String(typed ?? "") }));
			}
			const token = await magicLink.issue(await userIdOf(email));
			try {
				await mail.send({ to: email, ...linkMail(`${baseUrl}/sign-in/${token}`, expiresIn) });
			} catch (error) {
				// The code alone: a message may repeat what the mail server said, and that the mail.
				log(`A mail could not be sent: ${/** @type {any} */ (error)?.code ?? "unknown reason"}`);
				await magicLink.invalidate(token);
				return send(response, 503, pages.mailFailed(email));
			}
			send(response, 200, pages.linkSent(email, expiresIn, mail.inbox !== undefined));
		}),
	);

	// Mail scanners and previews follow links, so GET only looks: `getToken` leaves a token as it is.
	// The session is not looked at, since Lucia may renew it.
	app.get(
		"/sign-in/:token",
		route(async (request, response) => {
			try {
				const token = await magicLink.getToken(request.params.token);
				const user = await auth.getUser(token.userId);
				send(response, 200, pages.confirm(user.email, token));
			} catch (error) {
				if (isTokenError(error, "EXPIRED_TOKEN")) send(response, 410, pages.expiredLink());
				else if (isTokenError(error, "INVALID_TOKEN")) send(response, 410, pages.usedLink());
				else throw error;
			}
		}),
	);

	// Only POST uses a token. Of all calls of `validate` with one token at most one gets past it.
	app.post(
		"/sign-in/:token",
		route(async (request, response) => {
			const authRequest = auth.handleRequest(request, response);
			// The session that the browser had before, of whichever user.
			const formerSessionId = authRequest.storedSessionId;
			try {
				const token = await magicLink.validate(request.params.token);
				const session = await auth.createSession(token.userId);
				if (formerSessionId) await auth.invalidateSession(formerSessionId);
				authRequest.setSession(session);
				response.redirect(303, "/");
			} catch (error) {
				if (isTokenError(error, "EXPIRED_TOKEN")) {
					return send(response, 410, pages.expiredLink());
				}
				if (!isTokenError(error, "INVALID_TOKEN")) throw error;
				// The second of a double click lands here, and may be signed in by the first. Not
				// `authRequest.validateUser()`: where the first has just replaced the session that both
				// came with, it would tell the browser to drop its cookie, and with it the new session.
				const signedIn = await auth.getSessionUser(formerSessionId ?? "").catch(() => null);
				send(response, 410, pages.usedLink(signedIn?.user.email));
			}
		}),
	);

	app.post(
		"/revoke",
		route(async (request, response) => {
			const { user } = await auth.handleRequest(request, response).validateUser();
			if (user) {
				// Looked for among the user's own tokens, so nobody can revoke another's.
				const tokens = await magicLink.getAllUserTokens(user.userId);
				const token = tokens.find((token) => fingerprint(token) === request.body.link);
				if (token) await magicLink.invalidate(token);
			}
			response.redirect(303, "/");
		}),
	);

	app.post(
		"/revoke-all",
		route(async (request, response) => {
			const { user } = await auth.handleRequest(request, response).validateUser();
			if (user) await magicLink.invalidateAllUserTokens(user.userId);
			response.redirect(303, "/");
		}),
	);

	app.post(
		"/sign-out",
		route(async (request, response) => {
			const authRequest = auth.handleRequest(request, response);
			if (authRequest.storedSessionId) await auth.invalidateSession(authRequest.storedSessionId);
			authRequest.setSession(null);
			response.redirect(303, "/");
		}),
	);

	const { inbox } = mail;
	if (inbox) {
		app.get("/mailbox", (_request, response) => send(response, 200, pages.mailbox(inbox, baseUrl)));
	}

	app.use((_request, response) => send(response, 404, pages.notFound()));

	// Four parameters, for that is how Express knows a handler of errors.
	/** @type {express.ErrorRequestHandler} */
	const onError = (error, _request, response, next) => {
		if (response.headersSent) return next(error);
		if (error instanceof LuciaError && error.message === "AUTH_INVALID_REQUEST") {
			return send(response, 403, pages.foreignOrigin(baseUrl));
		}
		// Express can't decode the token: such a link was never sent.
		if (error instanceof URIError) return send(response, 410, pages.usedLink());
		// Such as a body that is too long.
		if (error?.status >= 400 && error.status < 500) {
			return send(response, error.status, pages.badRequest());
		}
		log(error instanceof Error ? (error.stack ?? error.message) : String(error));
		send(response, 500, pages.serverError());
	};
	app.use(onError);

	return app;
};
