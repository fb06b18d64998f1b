import { Router } from "express";
import { normalizeEmail } from "../auth/auth.js";
import { signedInAs, startSession } from "../auth/session.js";
import { confirm, expiredLink, linkSent, usedLink } from "../pages/link.js";
import { mailFailed, signIn } from "../pages/sign-in.js";
import { inWords } from "../public/duration.js";
import { isTokenError, route } from "./route.js";

/**
 * @param {string} link
 * @param {number} expiresIn in seconds
 */
const linkMail = (link, expiresIn) => ({
	subject: "Your sign-in link",
	text: `Hello,

Open this link and press the button to sign in:

${link}

It works once, for ${inWords(expiresIn * 1000)}.

If you did not request it, ignore this email: nobody can sign in without this link.
`,
});

/**
 * Sign-in with a link.
 *
 * @param {import("./route.js").Context} context
 */
export const linkRoutes = (context) => {
	const { auth, magicLink, userIdOf } = context.auth;
	const { mail, inbox, baseUrl, expiresIn, send } = context;
	const router = Router();

	router.post(
		"/sign-in",
		route(async (request, response) => {
			const typed = request.body.email;
			const email = normalizeEmail(typed);
			if (email === null) return send(response, 422, signIn({ refused: String(typed ?? "") }));
			const token = await magicLink.issue(await userIdOf(email));
			const text = linkMail(`${baseUrl}/sign-in/${token}`, expiresIn);
			if (!(await mail.send({ to: email, ...text }))) {
				await magicLink.withdraw(token);
				return send(response, 503, mailFailed(email, "link"));
			}
			send(response, 200, linkSent(email, expiresIn, inbox !== undefined));
		}),
	);

	// Mail scanners and previews open links, so GET only reads: `getToken` does not use a token up. It
	// does not read the session, because Lucia may renew it.
	router.get(
		"/sign-in/:token",
		route(async (request, response) => {
			try {
				const token = await magicLink.getToken(request.params.token);
				const user = await auth.getUser(token.userId);
				send(response, 200, confirm(user.email, token));
			} catch (error) {
				if (isTokenError(error, "EXPIRED_TOKEN")) send(response, 410, expiredLink());
				else if (isTokenError(error, "INVALID_TOKEN")) send(response, 410, usedLink());
				else throw error;
			}
		}),
	);

	// Only POST uses a token. Of all calls of `validate` with one token, at most one succeeds.
	router.post(
		"/sign-in/:token",
		route(async (request, response) => {
			try {
				const token = await magicLink.validate(request.params.token);
				await startSession(auth, request, response, token.userId);
				response.redirect(303, "/");
			} catch (error) {
				if (isTokenError(error, "EXPIRED_TOKEN")) return send(response, 410, expiredLink());
				if (!isTokenError(error, "INVALID_TOKEN")) throw error;
				send(response, 410, usedLink(await signedInAs(auth, request, response)));
			}
		}),
	);

	return router;
};
