// @ts-check
import { Router } from "express";
import { outstandingTokens } from "../outstanding.js";
import { home } from "../pages/home.js";
import { signIn } from "../pages/sign-in.js";
import { route } from "./route.js";

/**
 * What a signed-in user can do: list and revoke outstanding links and codes, and sign out.
 *
 * @param {import("./route.js").Context} context
 */
export const homeRoutes = ({ auth: appAuth, send }) => {
	const { auth } = appAuth;
	const outstanding = outstandingTokens(appAuth);
	const router = Router();

	router.get(
		"/",
		route(async (request, response) => {
			const { user } = await auth.handleRequest(request, response).validateUser();
			if (!user) return send(response, 200, signIn());
			send(response, 200, home(user.email, await outstanding.list(user.userId)));
		}),
	);

	router.post(
		"/revoke",
		route(async (request, response) => {
			const { user } = await auth.handleRequest(request, response).validateUser();
			if (user) await outstanding.revoke(user.userId, request.body.id);
			response.redirect(303, "/");
		}),
	);

	router.post(
		"/revoke-all",
		route(async (request, response) => {
			const { user } = await auth.handleRequest(request, response).validateUser();
			if (user) await outstanding.revokeAll(user.userId);
			response.redirect(303, "/");
		}),
	);

	router.post(
		"/sign-out",
		route(async (request, response) => {
			const authRequest = auth.handleRequest(request, response);
			if (authRequest.storedSessionId) await auth.invalidateSession(authRequest.storedSessionId);
			authRequest.setSession(null);
			response.redirect(303, "/");
		}),
	);

	return router;
};
