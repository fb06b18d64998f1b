/** @jsxImportSource preact */
import { fileURLToPath } from "node:url";
import express, { type ErrorRequestHandler } from "express";
import helmet from "helmet";
import { LuciaError } from "lucia-auth";
import { auth } from "./auth.js";
import { baseUrl, trustedProxies } from "./config.js";
import { database } from "./database.js";
import type { Flow } from "./flow.js";
import { homeRoutes } from "./home.js";
import { TooManyRequests } from "./limits.js";
import { sendPage } from "./pages.js";

const headers = helmet({
	contentSecurityPolicy: {
		useDefaults: false,
		directives: {
			defaultSrc: ["'none'"],
			styleSrc: ["'self'"],
			scriptSrc: ["'self'"],
			imgSrc: ["'self'"],
			formAction: ["'self'"],
			baseUri: ["'none'"],
			frameAncestors: ["'none'"],
		},
	},
	// Browsers send the origin with a form, but no path, which may contain a token.
	referrerPolicy: { policy: "strict-origin" },
});

/** Accepts a POST only from the app's own pages: Lucia checks the `Origin` header. */
const checkOrigin: express.RequestHandler = ({ method, headers }, _response, next) => {
	auth.parseRequestHeaders({
		method,
		url: baseUrl,
		headers: { origin: headers.origin ?? null, cookie: null },
	});
	next();
};

// Express recognizes an error handler by its four parameters.
const onError: ErrorRequestHandler = (error: unknown, _request, response, next) => {
	if (response.headersSent) return next(error);
	if (error instanceof LuciaError && error.message === "AUTH_INVALID_REQUEST") {
		const page = (
			<p>
				It did not come from <a href={baseUrl}>{baseUrl}</a>, so nothing changed.
			</p>
		);
		return sendPage(response, "This request was refused", page, 403);
	}
	if (error instanceof TooManyRequests) {
		response.set("Retry-After", String(error.retryAfter));
		const page = <p>Try again in {Math.ceil(error.retryAfter / 60)} minutes.</p>;
		return sendPage(response, "Too many requests", page, 429);
	}
	// Such as a malformed URL, or a form that is too long.
	const { status = 500 } = error as { status?: number };
	if (status < 500) {
		return sendPage(response, "This request can't be read", <p>Check it for typos.</p>, status);
	}
	// Not the whole error: a database's details may quote values.
	console.error(error instanceof Error ? error.stack : "An error without a stack");
	sendPage(response, "Something went wrong", <p>Please try again later.</p>, 500);
};

/** Puts the flows together. Each one also works alone. */
export const createApp = (flows: readonly Flow[]): express.Express => {
	const app = express();
	app.disable("x-powered-by");
	app.set("etag", false); // pages are not cached
	app.set("trust proxy", trustedProxies);
	app.use(headers);
	app.use(express.static(fileURLToPath(new URL("public", import.meta.url))));
	app.use((_request, response, next) => {
		response.set("Cache-Control", "no-store");
		next();
	});
	app.use(checkOrigin);
	app.use(express.urlencoded({ extended: false, limit: "4kb" }));

	app.use(homeRoutes(flows));
	for (const { routes } of flows) app.use(routes);

	app.use((_request, response) => {
		sendPage(response, "There is no such page", <p>Check the address for typos.</p>, 404);
	});
	app.use(onError);
	return app;
};

/** Deletes what has expired or ended, and the accounts that nobody ever signed in to. */
export const sweep = async (flows: readonly Flow[]): Promise<void> => {
	for (const { tokens = [] } of flows) {
		for (const handler of tokens) await handler.deleteExpiredTokens();
	}
	await database.sweep();
};
