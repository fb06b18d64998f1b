import express from "express";
import { LuciaError } from "lucia-auth";
import { fileURLToPath } from "node:url";
import { checkOrigin } from "./auth/origin.js";
import { mailboxPage } from "./mail/mailbox.js";
import { badRequest, foreignOrigin, notFound, sentRecently, serverError } from "./pages/errors.js";
import { usedLink } from "./pages/link.js";
import { layout } from "./pages/parts.js";
import { codeRoutes } from "./routes/code.js";
import { homeRoutes } from "./routes/home.js";
import { linkRoutes } from "./routes/link.js";
import { isTokenError } from "./routes/route.js";

const CONTENT_SECURITY_POLICY = [
	"default-src 'none'",
	"style-src 'self'",
	"script-src 'self'",
	"img-src 'self'",
	"form-action 'self'",
	"base-uri 'none'",
	"frame-ancestors 'none'",
].join("; ");

/** @type {import("express").RequestHandler} */
const securityHeaders = (_request, response, next) => {
	response.set({
		"Content-Security-Policy": CONTENT_SECURITY_POLICY,
		"X-Content-Type-Options": "nosniff",
		"Referrer-Policy": "same-origin",
		"Cache-Control": "no-store",
	});
	next();
};

/**
 * The URL or the text of these pages contains a token, which must not leak as a referrer.
 *
 * @type {import("express").RequestHandler}
 */
const tokenPageHeaders = (_request, response, next) => {
	response.set("Referrer-Policy", "no-referrer");
	next();
};

/**
 * Creates the app: what every request goes through, the routes, and the error pages.
 *
 * Limit how many emails a client may request. The demo does not.
 *
 * @param {Omit<import("./routes/route.js").Context, "send"> & { log: (message: string) => void }} options
 */
export const createApp = ({ log, ...options }) => {
	const { auth, inbox, baseUrl } = options;
	const app = express();
	app.disable("x-powered-by");
	// Pages are not cached, so they need no ETags.
	app.disable("etag");

	/** @type {import("./routes/route.js").Context["send"]} */
	const send = (response, status, page) => {
		response
			.status(status)
			.type("html")
			.send(layout(page, { mailbox: inbox !== undefined }).toString());
	};

	app.use(securityHeaders);
	app.use(express.static(fileURLToPath(new URL("public", import.meta.url))));
	app.use(["/sign-in", "/mailbox"], tokenPageHeaders);
	app.use(checkOrigin(auth.auth, baseUrl));
	app.use(express.urlencoded({ extended: false, limit: "4kb", parameterLimit: 10 }));

	const context = { ...options, send };
	app.use(homeRoutes(context), linkRoutes(context), codeRoutes(context));

	if (inbox) {
		app.get("/mailbox", (_request, response) => send(response, 200, mailboxPage(inbox, baseUrl)));
	}

	app.use((_request, response) => send(response, 404, notFound()));

	// Express recognizes an error handler by its four parameters.
	/** @type {express.ErrorRequestHandler} */
	const onError = (error, _request, response, next) => {
		if (response.headersSent) return next(error);
		if (error instanceof LuciaError && error.message === "AUTH_INVALID_REQUEST") {
			return send(response, 403, foreignOrigin(baseUrl));
		}
		if (isTokenError(error, "ISSUED_RECENTLY")) {
			response.set("Retry-After", String(error.retryAfter));
			return send(response, 429, sentRecently(error.retryAfter));
		}
		// Express can't decode the token, so this link was never sent.
		if (error instanceof URIError) return send(response, 410, usedLink());
		// For example, a body that is too long.
		if (error?.status >= 400 && error.status < 500) {
			return send(response, error.status, badRequest());
		}
		log(error instanceof Error ? (error.stack ?? error.message) : String(error));
		send(response, 500, serverError());
	};
	app.use(onError);

	return app;
};
