/** @jsxImportSource preact */
import { LuciaTokenError, passwordToken } from "@lucia-auth/tokens";
import { type Request, type Response, Router } from "express";
import { type Flow, field } from "../flow.js";
import { finish, MIN_INTERVAL, readAsked, remember, writeAsked } from "../asked.js";
import {
	accountTokens,
	addressOf,
	currentSession,
	findOrCreateAccount,
	startSession,
	toAddress,
} from "../auth.js";
import { secret } from "../config.js";
import { database } from "../database.js";
import { perClient } from "../limits.js";
import { afterResponse, notSent, sendMail } from "../mail.js";
import { EmailForm, SendAgain, sendNoAddress, sendPage, sendSignedIn } from "../pages.js";

const MAX_ATTEMPTS = 5;

export const signInCode = passwordToken(database.tokens, "sign-in-code", {
	expiresIn: 60 * 10, // ten minutes: the most for a secret sent by email (ASVS 5.0 6.5.5)
	storeToken: "hashed", // nobody can use codes they read in the database …
	secret, // … or guess them: 32 random characters, stored elsewhere
	maxTokensPerUser: 3, // if the first mail is late, the user can request more and use any of them
	maxAttempts: MAX_ATTEMPTS, // after that many wrong codes, a code is invalid (ASVS 5.0 6.6.3)
	minInterval: MIN_INTERVAL, // one mail a minute
});

/** Writes a code in two groups, which are easier to read. */
export const inGroups = (code: string): string => `${code.slice(0, 4)} ${code.slice(4)}`;

const routes = Router();
const way = { action: "/code", label: "Send me a code" };

export const oneTimeCode: Flow = { routes, way, tokens: [signInCode] };

routes.post(way.action, perClient(), (request, response) => {
	const email = toAddress(field(request, "email"));
	if (!email) return sendNoAddress(response, way, field(request, "email"), field(request, "next"));
	const next = field(request, "next");
	const { nonce } = remember(request, response, { action: way.action, email, next });
	response.redirect(303, "/code");
	afterResponse(async () => {
		const { id } = await findOrCreateAccount(email);
		const token = await signInCode.issue(id, { boundTo: nonce });
		await sendMail(await addressOf(id), {
			subject: "Your sign-in code", // without the code: locked phones show subjects
			paragraphs: [
				"Enter this code where you requested it:",
				inGroups(token.toString()),
				"It works once, for ten minutes. Never tell it to anyone. " +
					"If you did not request it, ignore this mail.",
			],
		}).catch(notSent(signInCode, token));
	});
});

// GET changes nothing, and doesn't tell whether there is a code.
routes.get(way.action, async (request, response) => {
	await sendCodePage(request, response);
});

const WRONG = "This code does not work. It is mistyped, too old, used, or was tried too often.";

routes.post("/code/use", perClient(), async (request, response) => {
	const asked = readAsked(request);
	if (!asked) return sendCodePage(request, response);
	const account = await database.findAccount(asked.email);
	try {
		// An unknown user goes through validate() like a known one.
		const userId = account?.id ?? "nobody";
		const options = { boundTo: asked.nonce, revoke: accountTokens };
		await signInCode.validate(field(request, "code"), userId, options);
		await database.markVerified(userId);
		await startSession(request, response, userId);
		response.redirect(303, finish(request, response));
	} catch (error) {
		if (!(error instanceof LuciaTokenError)) throw error;
		const now = { ...asked, wrong: asked.wrong + 1 };
		writeAsked(response, now);
		await sendCodePage(request, response, WRONG, now);
	}
});

const sendCodePage = async (
	request: Request,
	response: Response,
	problem?: string,
	asked = readAsked(request),
): Promise<void> => {
	// The first of two clicks may have used the code.
	const session = await currentSession(request, response);
	if (session) return sendSignedIn(response, session.user.email, problem ? 422 : 200);
	if (!asked) {
		const form = <EmailForm action={way.action} button={way.label} />;
		return sendPage(response, "Request a code in this browser first", form, 410);
	}
	if (asked.wrong >= MAX_ATTEMPTS) {
		const page = (
			<>
				<p role="alert">You entered {MAX_ATTEMPTS} wrong codes, so no code works any more.</p>
				<SendAgain asked={asked} />
				<p>
					<a href="/sign-in">Use another address</a>
				</p>
			</>
		);
		return sendPage(response, "Request a new code", page, 422);
	}
	const page = (
		<>
			<p>
				A code is on its way to <strong>{asked.email}</strong>.
			</p>
			<form method="post" action="/code/use">
				<label for="code">Code of eight digits</label>
				<input
					id="code"
					name="code"
					autocomplete="one-time-code"
					inputMode="numeric"
					maxLength={64}
					required
					autoFocus
					aria-invalid={problem ? "true" : undefined}
					aria-describedby={problem ? "error" : undefined}
				/>
				{problem && (
					<p class="error" id="error" role="alert">
						{problem}
					</p>
				)}
				<button>Sign in</button>
			</form>
			<SendAgain asked={asked} />
			<p>
				<a href="/sign-in">Use another address</a>
			</p>
		</>
	);
	sendPage(response, "Enter your code", page, problem ? 422 : 200);
};
