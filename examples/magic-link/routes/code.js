import { LuciaTokenError } from "@lucia-auth/tokens";
import { Router } from "express";
import { CODE_LENGTH, normalizeEmail } from "../auth/auth.js";
import { createCodeCookie } from "../auth/code-cookie.js";
import { signedInAs, startSession } from "../auth/session.js";
import { enterCode, noCodeLeft, notRequested } from "../pages/code.js";
import { mailFailed, signIn } from "../pages/sign-in.js";
import { inWords } from "../public/duration.js";
import { route } from "./route.js";

/**
 * @param {unknown} input what was entered, with or without spaces and dashes
 * @returns {string | null} the code, or `null` if it can't be one
 */
const normalizeCode = (input) => {
	if (typeof input !== "string") return null;
	const code = input.replace(/[\s\p{Dash_Punctuation}]/gu, "");
	return code.length === CODE_LENGTH && /^\d+$/.test(code) ? code : null;
};

/**
 * The code is in the text only, because locked phones show subjects. It is in groups of four, which are
 * easier to read.
 *
 * @param {string} code
 * @param {number} expiresIn in seconds
 */
const codeMail = (code, expiresIn) => ({
	subject: "Your sign-in code",
	text: `Hello,

Your sign-in code is:

${code.replace(/\d{4}(?=\d)/g, "$& ")}

It works once, for ${inWords(expiresIn * 1000)}. Enter it in the browser where you requested it, and never share it.

If you did not request it, ignore this email: nobody can sign in without this code.
`,
});

/**
 * Sign-in with a code.
 *
 * @param {import("./route.js").Context} context
 */
export const codeRoutes = (context) => {
	const { auth, signInCode, codeRequest, userIdOf } = context.auth;
	const { mail, inbox, baseUrl, expiresIn, send } = context;
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
		enterCode(email, { expiresIn, mailbox: inbox !== undefined, ...(problem && { problem }) });

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
			if (!(await mail.send({ to: email, ...codeMail(code.toString(), expiresIn) }))) {
				await signInCode.invalidate(code, userId);
				await codeRequest.withdraw(requested);
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
			// Input that doesn't look like a code doesn't count as an attempt.
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
