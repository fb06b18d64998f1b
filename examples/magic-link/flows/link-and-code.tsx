import { Router } from "express";
import { type Flow, field } from "../flow.js";
import { remember } from "../asked.js";
import { addressOf, findOrCreateAccount, toAddress } from "../auth.js";
import { baseUrl } from "../config.js";
import { perClient } from "../limits.js";
import { afterResponse, notSent, sendMail } from "../mail.js";
import { sendNoAddress } from "../pages.js";
import { signInLink } from "./magic-link.js";
import { inGroups, signInCode } from "./one-time-code.js";

const routes = Router();
const way = { action: "/link-and-code", label: "Send me a link and a code" };

/** One mail with both. The pages of the link and the code do the rest. */
export const linkAndCode: Flow = { routes, way };

routes.post(way.action, perClient(), (request, response) => {
	const email = toAddress(field(request, "email"));
	if (!email) return sendNoAddress(response, way, field(request, "email"), field(request, "next"));
	const next = field(request, "next");
	const { nonce } = remember(request, response, { action: way.action, email, next });
	response.redirect(303, "/code");
	afterResponse(async () => {
		const { id } = await findOrCreateAccount(email);
		const code = await signInCode.issue(id, { boundTo: nonce });
		const link = await signInLink.issue(id).catch(notSent(signInCode, code));
		await sendMail(await addressOf(id), {
			subject: "Sign in",
			paragraphs: [
				"Open this link and press the button to sign in:",
				`${baseUrl}/sign-in/${link}`,
				"Or enter this code where you requested it:",
				inGroups(code.toString()),
				"Both work for ten minutes, until you use one of them. Never tell them to anyone. " +
					"If you did not request them, ignore this mail.",
			],
		})
			.catch(notSent(signInCode, code))
			.catch(notSent(signInLink, link));
	});
});
