import { Router } from "express";
import { createHash } from "node:crypto";
import { home } from "../pages/home.js";
import { signIn } from "../pages/sign-in.js";
import { route } from "./route.js";

/**
 * Describes a token for a page. What is listed is already a digest, which signs nobody in. A hash of it
 * is shorter, and can't be compared with the database.
 *
 * @param {"link" | "code"} kind
 * @param {import("@lucia-auth/tokens").Token} token
 */
const describe = (kind, token) => ({
	kind,
	id: createHash("sha256").update(token.toString()).digest("hex").slice(0, 32),
	expiresAt: token.expiresAt,
});

/**
 * What a signed-in user can do: list and revoke outstanding links and codes, and sign out.
 *
 * @param {import("./route.js").Context} context
 */
export const homeRoutes = ({ auth: appAuth, send }) => {
	const { auth, magicLink, signInCode } = appAuth;
	const router = Router();

	/** A user's links and codes that were sent and are still unused. @param {string} userId */
	const outstanding = async (userId) => {
		const [links, codes] = await Promise.all([
			magicLink.getAllUserTokens(userId),
			signInCode.getAllUserTokens(userId),
		]);
		return [
			...links.map((token) => ({
				...describe("link", token),
				revoke: () => magicLink.invalidate(token),
			})),
			...codes.map((token) => ({
				...describe("code", token),
				revoke: () => signInCode.invalidate(token, userId),
			})),
		];
	};

	router.get(
		"/",
		route(async (request, response) => {
			const { user } = await auth.handleRequest(request, response).validateUser();
			if (!user) return send(response, 200, signIn());
			send(response, 200, home(user.email, await outstanding(user.userId)));
		}),
	);

	router.post(
		"/revoke",
		route(async (request, response) => {
			const { user } = await auth.handleRequest(request, response).validateUser();
			// Searches only the user's own tokens, so nobody can revoke another user's.
			const own = user ? await outstanding(user.userId) : [];
			await own.find(({ id }) => id === request.body.id)?.revoke();
			response.redirect(303, "/");
		}),
	);

	router.post(
		"/revoke-all",
		route(async (request, response) => {
			const { user } = await auth.handleRequest(request, response).validateUser();
			if (user) {
				await magicLink.invalidateAllUserTokens(user.userId);
				await signInCode.invalidateAllUserTokens(user.userId);
			}
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
