/** @jsxImportSource preact */
import { idToken } from "@lucia-auth/tokens";
import { Router } from "express";
import { type Flow, field, trimToken } from "../flow.js";
import { finish, MIN_INTERVAL, remember } from "../asked.js";
import {
	accountTokens,
	addressOf,
	auth,
	findOrCreateAccount,
	startSession,
	toAddress,
} from "../auth.js";
import { baseUrl } from "../config.js";
import { database } from "../database.js";
import { perClient } from "../limits.js";
import { afterResponse, notSent, sendMail } from "../mail.js";
import { sendDeadLink, sendNoAddress, sendPage } from "../pages.js";

export const signInLink = idToken(database.tokens, "magic-link", {
	expiresIn: 60 * 10, // ten minutes: the most for a secret sent by email (ASVS 5.0 6.5.5)
	storeToken: "hashed", // nobody can use links they read in the database
	maxTokensPerUser: 3, // if the first mail is late, the user can request more and use any of them
	minInterval: MIN_INTERVAL, // one mail a minute
});

const routes = Router();
const way = { action: "/sign-in", label: "Send me a link" };

export const magicLink: Flow = { routes, way, tokens: [signInLink] };

routes.post(way.action, perClient(), (request, response) => {
	const email = toAddress(field(request, "email"));
	if (!email) return sendNoAddress(response, way, field(request, "email"), field(request, "next"));
	remember(request, response, { action: way.action, email, next: field(request, "next") });
	response.redirect(303, "/check-mail");
	afterResponse(async () => {
		const { id } = await findOrCreateAccount(email);
		const token = await signInLink.issue(id);
		await sendMail(await addressOf(id), {
			subject: "Your sign-in link",
			paragraphs: [
				"Open this link and press the button to sign in:",
				`${baseUrl}/sign-in/${token}`,
				"It works once, for ten minutes. If you did not request it, ignore this mail.",
			],
		}).catch(notSent(signInLink, token));
	});
});

routes.param("token", trimToken);

// Mail scanners open every link, so GET only reads.
routes.get("/sign-in/:token", async (request, response) => {
	try {
		const { userId } = await signInLink.getToken(request.params.token);
		const { email } = await auth.getUser(userId);
		// Says whose account it opens: somebody else may have sent this link.
		const page = (
			<form method="post" data-once>
				<p>
					Press the button to sign in as <strong>{email}</strong>.
				</p>
				<button>Sign in</button>
			</form>
		);
		sendPage(response, "One more step", page);
	} catch (error) {
		await sendDeadLink(request, response, way.action, error);
	}
});

routes.post("/sign-in/:token", async (request, response) => {
	try {
		const options = { revoke: accountTokens };
		const { userId } = await signInLink.validate(request.params.token, options);
		await database.markVerified(userId);
		await startSession(request, response, userId);
		response.redirect(303, finish(request, response));
	} catch (error) {
		await sendDeadLink(request, response, way.action, error);
	}
});
