/** @jsxImportSource preact */
import { idToken, LuciaTokenError } from "@lucia-auth/tokens";
import { type Response, Router } from "express";
import { type Flow, field, query, trimToken } from "../flow.js";
import { MIN_INTERVAL } from "../asked.js";
import { isPassword, requireSession, revokeMailed, toAddress } from "../auth.js";
import { baseUrl } from "../config.js";
import { database } from "../database.js";
import { perClient, perUser } from "../limits.js";
import { afterResponse, notSent, sendMail } from "../mail.js";
import { EmailForm, PasswordField, sendDeadLink, sendPage } from "../pages.js";

const newAddress = idToken(database.tokens, "new-address", {
	expiresIn: 60 * 10, // ten minutes: the most for a secret sent by email (ASVS 5.0 6.5.5)
	storeToken: "hashed", // nobody can use links they read in the database
	maxTokensPerUser: 1, // only the newest link works
	minInterval: MIN_INTERVAL, // one mail a minute
});

const routes = Router();

export const changeAddress: Flow = {
	routes,
	homeLink: { href: "/address", label: "Change my email address" },
	tokens: [newAddress],
};

const sendForm = async (
	response: Response,
	userId: string,
	email: string,
	{ error, wrong }: { error?: string; wrong?: string } = {},
) => {
	const fields = (await database.findHash(userId)) && (
		<PasswordField name="current" label="Current password" error={wrong} />
	);
	const form = (
		<EmailForm {...{ action: "/address", button: "Send a link", email, error, fields }} />
	);
	sendPage(response, "Change your email address", form, (error ?? wrong) ? 422 : 200);
};

routes.get("/address", async (request, response) => {
	const session = await requireSession(request, response);
	if (!session) return;
	const sent = toAddress(query(request, "sent"));
	if (!sent) return sendForm(response, session.user.userId, "");
	const page = (
		<p>
			A link is on its way to <strong>{sent}</strong>. You keep your address until you use it.
		</p>
	);
	sendPage(response, "Confirm your new address", page);
});

routes.post("/address", perClient(), async (request, response) => {
	const session = await requireSession(request, response);
	if (!session) return;
	const { userId } = session.user;
	const typed = field(request, "email");
	const email = toAddress(typed);
	if (!email) return sendForm(response, userId, typed, { error: "That is not an email address." });
	await perUser(userId);
	const stored = await database.findHash(userId);
	if (stored && !(await isPassword(stored, field(request, "current")))) {
		return sendForm(response, userId, typed, { wrong: "This is not your current password." });
	}
	try {
		// Bound to the address: the link proves this one, and no other.
		const token = await newAddress.issue(userId, { boundTo: email });
		response.redirect(303, `/address?sent=${encodeURIComponent(email)}`);
		afterResponse(() =>
			sendMail(email, {
				subject: "Confirm your email address",
				paragraphs: [
					"Open this link and press the button:",
					`${baseUrl}/address/${token}?email=${encodeURIComponent(email)}`,
					"It works once, for ten minutes. If you have no account with us, ignore this mail.",
				],
			}).catch(notSent(newAddress, token)),
		);
	} catch (error) {
		if (!(error instanceof LuciaTokenError) || error.message !== "ISSUED_RECENTLY") throw error;
		// The user is signed in, so this tells nobody anything new.
		response.set("Retry-After", String(error.retryAfter));
		const page = <p>Try again in {error.retryAfter} seconds.</p>;
		sendPage(response, "A link is on its way already", page, 429);
	}
});

routes.param("token", trimToken);

// Mail scanners open every link, so GET only reads.
routes.get("/address/:token", async (request, response) => {
	const email = toAddress(query(request, "email"));
	try {
		await newAddress.getToken(request.params.token, { boundTo: email });
		const page = (
			<form method="post" data-once>
				<p>
					Press the button to change your address to <strong>{email}</strong>.
				</p>
				<button>Change my address</button>
			</form>
		);
		sendPage(response, "Change your address?", page);
	} catch (error) {
		await sendDeadLink(request, response, "/address", error, email);
	}
});

routes.post("/address/:token", async (request, response) => {
	const { token } = request.params;
	const email = toAddress(query(request, "email"));
	try {
		const { userId } = await newAddress.getToken(token, { boundTo: email });
		const session = await requireSession(request, response);
		if (!session) return;
		// Otherwise an attacker could have the owner of an address press the button.
		if (session.user.userId !== userId) {
			const page = <p>Sign in as the user who requested this link.</p>;
			return sendPage(response, "This link is for another account", page, 403);
		}
		const { email: former } = session.user;
		const isTaken = (await database.findAccount(email))?.isVerified ?? false;
		if (!isTaken) await newAddress.validate(token, { boundTo: email });
		// What was mailed to the former address must not open the account: neither what was mailed before
		// the change, nor what was mailed meanwhile.
		if (!isTaken) await revokeMailed(userId);
		if (isTaken || !(await database.changeAddress(userId, session.session.sessionId, email))) {
			const page = (
				<p>
					<a href="/address">Try another one</a>
				</p>
			);
			return sendPage(response, "You can't use this address", page, 409);
		}
		await revokeMailed(userId);
		afterResponse(() =>
			sendMail(former, {
				subject: "Your email address was changed",
				paragraphs: ["If this was not you, contact us."],
			}),
		);
		response.redirect(303, "/");
	} catch (error) {
		await sendDeadLink(request, response, "/address", error, email);
	}
});
