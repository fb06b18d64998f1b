// @ts-check
import { LuciaTokenError } from "@lucia-auth/tokens";
import { Router } from "express";
import { createCodeCookie } from "../code-cookie.js";
import { codeMail } from "../code-mail.js";
import { normalizeCode } from "../code.js";
import { normalizeEmail } from "../email.js";
import { enterCode, noCodeLeft, notRequested } from "../pages/code.js";
import { mailFailed, signIn } from "../pages/sign-in.js";
import { signedInAs, startSession } from "../session.js";
import { route, sendMail } from "./route.js";

/**
 * Sign-in with a code.
 *
 * @param {import("./route.js").Context} context
 */
export const codeRoutes = (context) => {
	const { auth, signInCode, codeRequest, userIdOf } = context.auth;
	const { mail, baseUrl, expiresIn, send } = context;
	const codeCookie = createCodeCookie(baseUrl);
	const router = Router();

	/** The user for whom this browser requested a code. @param {import("express").Request} request */
	const pendingUser = async (request) => {
		try {
			const { userId } = await codeRequest.getToken(codeCookie.read(request));
			return await auth.getUser(userId);
		} catch (error) {
			if (error instanceof LuciaTokenError) return null;
			throw error;
		}
	};

	/** @param {string} userId */
	const hasCode = async (userId) =>
		(await signInCode.getAllUserTokens(userId)).some(({ expired }) => !expired);

	/** @param {string} email @param {import("../pages/code.js").Problem} [problem] */
	const codePage = (email, problem) =>
		enterCode(email, { expiresIn, mailbox: mail.inbox !== undefined, ...(problem && { problem }) });

	router.post(
		"/code",
		route(async (request, response) => {
			const typed = request.body.email;
			const email = normalizeEmail(typed);
			if (email === null) {
				return send(response, 422, signIn({ refused: String(typed ?? ""), first: "code" }));
			}
			const userId = await userIdOf(email);
			const requested = await codeRequest.issue(userId);
			const code = await signInCode.issue(userId, { boundTo: requested.toString() });
			if (!(await sendMail(context, { to: email, ...codeMail(code.toString(), expiresIn) }))) {
				await signInCode.invalidate(code, userId);
				await codeRequest.invalidate(requested);
				return send(response, 503, mailFailed(email, "code"));
			}
			// This browser's former request is over, and with it the code that is bound to it.
			await codeRequest.invalidate(codeCookie.read(request));
			codeCookie.write(response, requested);
			response.redirect(303, "/code");
		}),
	);

	router.get(
		"/code",
		route(async (request, response) => {
			const user = await pendingUser(request);
			if (!user) return send(response, 410, notRequested());
			if (!(await hasCode(user.userId))) return send(response, 410, noCodeLeft(user.email));
			send(response, 200, codePage(user.email));
		}),
	);

	router.post(
		"/code/use",
		route(async (request, response) => {
			const user = await pendingUser(request);
			if (!user) {
				return send(response, 410, notRequested(await signedInAs(auth, request, response)));
			}
			const { userId, email } = user;
			const code = normalizeCode(request.body.code);
			// What doesn't look like a code is no guess, and doesn't count as a try.
			if (code === null) return send(response, 422, codePage(email, "malformed"));
			try {
				await signInCode.validate(code, userId, { boundTo: codeCookie.read(request) });
			} catch (error) {
				if (!(error instanceof LuciaTokenError)) throw error;
				if (!(await hasCode(userId))) return send(response, 410, noCodeLeft(email));
				return send(response, 422, codePage(email, "wrong"));
			}
			await startSession(auth, request, response, userId);
			await codeRequest.invalidate(codeCookie.read(request));
			codeCookie.clear(response);
			response.redirect(303, "/");
		}),
	);

	return router;
};
