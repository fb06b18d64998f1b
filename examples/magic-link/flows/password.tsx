/** @jsxImportSource preact */
import { idToken } from "@lucia-auth/tokens";
import { hash } from "@node-rs/argon2";
import { type Response, Router } from "express";
import { type Flow, field, query, trimToken } from "../flow.js";
import { MIN_INTERVAL, ownUrl, readAsked, remember } from "../asked.js";
import {
	accountTokens,
	addressOf,
	auth,
	currentSession,
	findOrCreateAccount,
	isPassword,
	requireSession,
	revokeMailed,
	startSession,
	toAddress,
} from "../auth.js";
import { baseUrl } from "../config.js";
import { type Account, database } from "../database.js";
import { perAddress, perClient, perUser } from "../limits.js";
import { afterResponse, notSent, sendMail } from "../mail.js";
import { EmailForm, PasswordField, sendDeadLink, sendNoAddress, sendPage } from "../pages.js";

const passwordLink = idToken(database.tokens, "password-link", {
	expiresIn: 60 * 10, // ten minutes: the most for a secret sent by email (ASVS 5.0 6.5.5)
	storeToken: "hashed", // nobody can use links they read in the database
	maxTokensPerUser: 1, // only the newest link works
	minInterval: MIN_INTERVAL, // one mail a minute
});

const routes = Router();

export const password: Flow = {
	routes,
	signInLink: { href: "/password", label: "Use a password" },
	homeLink: { href: "/password/change", label: "Change my password" },
	tokens: [passwordLink],
};

const isGood = (typed: string): boolean => typed.length >= 8 && typed.length <= 256;
const RULE = "A password has 8 to 256 characters.";

// What a password is verified with if there is no account, so that it takes as long.
const nobodysHash = await hash(crypto.randomUUID());

/** @returns the account's hash, if this is its password */
const verifyPassword = async (account: Account | undefined, typed: string) => {
	const stored = account && (await database.findHash(account.id));
	const isRight = await isPassword(stored ?? nobodysHash, typed);
	return isRight ? stored : undefined;
};

// Sign in.

const sendSignIn = (response: Response, email: string, next: string, error?: string): void => {
	const field = <PasswordField name="current" label="Password" />;
	const page = (
		<>
			<EmailForm
				{...{ action: "/password", button: "Sign in", email, next, error, fields: field }}
			/>
			<p>
				<a href={`/password/link?next=${encodeURIComponent(next)}`}>
					I have no password, or forgot it
				</a>
			</p>
		</>
	);
	sendPage(response, "Sign in with a password", page, error ? 422 : 200);
};

routes.get("/password", async (request, response) => {
	if (await currentSession(request, response)) return response.redirect(303, "/");
	const asked = readAsked(request);
	sendSignIn(response, asked?.email ?? "", query(request, "next") || asked?.next || "");
});

routes.post("/password", perClient(), async (request, response) => {
	const email = toAddress(field(request, "email"));
	const next = field(request, "next");
	if (email) await perAddress(email);
	const account = await database.findAccount(email);
	const stored = await verifyPassword(account, field(request, "current"));
	// The session starts only if the password is still the one that was verified.
	if (account && stored && (await startSession(request, response, account.id, stored))) {
		return response.redirect(303, ownUrl(next));
	}
	sendSignIn(response, field(request, "email"), next, "The address or the password is wrong.");
});

// Sign up, and reset: who reads the mail chooses a password.

const way = { action: "/password/link", label: "Send me a link to choose a password" };

routes.get(way.action, (request, response) => {
	const { email } = readAsked(request) ?? {};
	const next = query(request, "next");
	const form = <EmailForm action={way.action} button={way.label} email={email} next={next} />;
	sendPage(response, way.label, form);
});

routes.post(way.action, perClient(), (request, response) => {
	const email = toAddress(field(request, "email"));
	if (!email) return sendNoAddress(response, way, field(request, "email"), field(request, "next"));
	remember(request, response, { action: way.action, email, next: field(request, "next") });
	response.redirect(303, "/check-mail");
	afterResponse(async () => {
		const { id } = await findOrCreateAccount(email);
		const token = await passwordLink.issue(id);
		await sendMail(await addressOf(id), {
			subject: "Choose a password",
			paragraphs: [
				"Open this link to choose a password:",
				`${baseUrl}/password/link/${token}`,
				"It works once, for ten minutes. If you did not request it, ignore this mail: nothing changes.",
			],
		}).catch(notSent(passwordLink, token));
	});
});

const sendChoose = (response: Response, email: string, error?: string): void => {
	const page = (
		<form method="post" data-once>
			<p>
				This is for <strong>{email}</strong>. {RULE}
			</p>
			<PasswordField name="password" label="New password" error={error} />
			<button>Set my password</button>
		</form>
	);
	sendPage(response, "Choose a password", page, error ? 422 : 200);
};

routes.param("token", trimToken);

// Mail scanners open every link, so GET only reads.
routes.get("/password/link/:token", async (request, response) => {
	try {
		const { userId } = await passwordLink.getToken(request.params.token);
		sendChoose(response, (await auth.getUser(userId)).email);
	} catch (error) {
		await sendDeadLink(request, response, way.action, error);
	}
});

routes.post("/password/link/:token", perClient<{ token: string }>(), async (request, response) => {
	try {
		const { userId } = await passwordLink.getToken(request.params.token);
		// Read before the link is used: this is where it was mailed, whatever happens at the same time.
		const { email } = await auth.getUser(userId);
		const typed = field(request, "password");
		if (!isGood(typed)) return sendChoose(response, email, RULE);
		const chosen = await hash(typed);
		await passwordLink.validate(request.params.token, { revoke: accountTokens });
		await database.resetHash({ id: userId, email }, chosen);
		await revokeMailed(userId);
		notify(email);
		// No session: the user signs in with the new password (OWASP Forgot Password cheat sheet).
		response.redirect(303, "/password/changed");
	} catch (error) {
		await sendDeadLink(request, response, way.action, error);
	}
});

routes.get("/password/changed", (_request, response) => {
	const page = (
		<p>
			<a class="button" href="/">
				Continue
			</a>
		</p>
	);
	sendPage(response, "Your password is changed", page);
});

const notify = (email: string): void =>
	afterResponse(() =>
		sendMail(email, {
			subject: "Your password was changed",
			paragraphs: ["If this was not you, choose a new one at once, and secure your mailbox."],
		}),
	);

// Change it.

const sendChange = (response: Response, errors: { current?: string; password?: string } = {}) => {
	const page = (
		<form method="post" data-once>
			<p>{RULE}</p>
			<PasswordField name="current" label="Current password" error={errors.current} />
			<PasswordField name="password" label="New password" error={errors.password} />
			<button>Change my password</button>
		</form>
	);
	const status = Object.keys(errors).length > 0 ? 422 : 200;
	sendPage(response, "Change your password", page, status);
};

routes.get("/password/change", async (request, response) => {
	const session = await requireSession(request, response);
	if (!session) return;
	const { userId, email } = session.user;
	if (await database.findHash(userId)) return sendChange(response);
	const form = <EmailForm action={way.action} button={way.label} email={email} />;
	sendPage(response, "You have no password yet", form);
});

routes.post("/password/change", perClient(), async (request, response) => {
	const session = await requireSession(request, response);
	if (!session) return;
	const { userId, email } = session.user;
	const typed = field(request, "password");
	if (!isGood(typed)) return sendChange(response, { password: RULE });
	await perUser(userId);
	const stored = await verifyPassword({ id: userId, email }, field(request, "current"));
	const chosen = await hash(typed);
	// Only from the password that was verified: a reset may have come first.
	if (!stored || !(await database.changeHash(userId, stored, chosen))) {
		return sendChange(response, { current: "This is not your current password." });
	}
	notify(email);
	await startSession(request, response, userId, chosen);
	response.redirect(303, "/password/changed");
});
