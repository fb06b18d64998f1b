// @ts-check
import { LuciaTokenError } from "@lucia-auth/tokens";
import { Router } from "express";
import { codeCookie } from "../code-cookie.js";
import { codeMail } from "../code-mail.js";
import { normalizeCode } from "../code.js";
import { normalizeEmail } from "../email.js";
import { noCodeLeft, notAsked, typeCode } from "../pages/code.js";
import { mailFailed, signIn } from "../pages/sign-in.js";
import { signedInAs, startSession } from "../session.js";
import { isTokenError, route, sendMail } from "./route.js";

/**
 * Sign-in by a code.
 *
 * @param {import("./route.js").Context} context
 */
export const codeRoutes = (context) => {
	const { auth, signInCode, codeRequest, userIdOf } = context.auth;
	const { mail, baseUrl, expiresIn, send } = context;
	const router = Router();

	/** The user that this browser has asked for a code for. @param {import("express").Request} request */
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
		typeCode(email, { expiresIn, mailbox: mail.inbox !== undefined, ...(problem && { problem }) });

	router.post(
		"/code",
		route(async (request, response) => {
			const typed = request.body.email;
			const email = normalizeEmail(typed);
			if (email === null) {
				return send(response, 422, signIn({ refused: String(typed ?? ""), first: "code" }));
			}
			const userId = await userIdOf(email);
			const code = await signInCode.issue(userId);
			if (!(await sendMail(context, { to: email, ...codeMail(code.toString(), expiresIn) }))) {
				await signInCode.invalidate(code, userId);
				return send(response, 503, mailFailed(email, "code"));
			}
			// The former request of this browser is of no use any more.
			await codeRequest.invalidate(codeCookie.read(request));
			codeCookie.write(response, await codeRequest.issue(userId), baseUrl);
			response.redirect(303, "/code");
		}),
	);

	router.get(
		"/code",
		route(async (request, response) => {
			const user = await pendingUser(request);
			if (!user) return send(response, 410, notAsked());
			if (!(await hasCode(user.userId))) return send(response, 410, noCodeLeft(user.email));
			send(response, 200, codePage(user.email));
		}),
	);

	router.post(
		"/code/use",
		route(async (request, response) => {
			const user = await pendingUser(request);
			if (!user) {
				return send(response, 410, notAsked(await signedInAs(auth, request, response)));
			}
			const { userId, email } = user;
			const code = normalizeCode(request.body.code);
			// Looks unlike a code, so it is no guess and does not count as a try.
			if (code === null) return send(response, 422, codePage(email, "malformed"));
			try {
				await signInCode.validate(code, userId);
			} catch (error) {
				if (!(error instanceof LuciaTokenError)) throw error;
				if (!(await hasCode(userId))) return send(response, 410, noCodeLeft(email));
				const problem = isTokenError(error, "EXPIRED_TOKEN") ? "expired" : "wrong";
				return send(response, 422, codePage(email, problem));
			}
			await startSession(auth, request, response, userId);
			await codeRequest.invalidate(codeCookie.read(request));
			codeCookie.clear(response, baseUrl);
			response.redirect(303, "/");
		}),
	);

	return router;
};
