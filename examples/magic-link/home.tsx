/** @jsxImportSource preact */
import { Router } from "express";
import { readAsked } from "./asked.js";
import { auth, currentSession, sessionIdOf } from "./auth.js";
import { type Flow, query } from "./flow.js";
import { EmailForm, SendAgain, sendPage } from "./pages.js";

/** The pages that lead to the flows, and from them: home, sign-in, "check your mail", and sign-out. */
export const homeRoutes = (flows: readonly Flow[]): Router => {
	const routes = Router();

	routes.get("/", async (request, response) => {
		const session = await currentSession(request, response);
		if (!session) return response.redirect(303, "/sign-in");
		const page = (
			<>
				<p>
					You are signed in as <strong>{session.user.email}</strong>.
				</p>
				{flows.map(
					({ homeLink }) =>
						homeLink && (
							<p>
								<a href={homeLink.href}>{homeLink.label}</a>
							</p>
						),
				)}
				<form method="post" action="/sign-out">
					<button class="quiet">Sign out</button>
				</form>
			</>
		);
		sendPage(response, "Home", page);
	});

	const [first, ...others] = flows.flatMap(({ way }) => way ?? []);
	routes.get("/sign-in", async (request, response) => {
		if (await currentSession(request, response)) return response.redirect(303, "/");
		const asked = readAsked(request);
		const email = asked?.email;
		const next = query(request, "next") || asked?.next || "";
		const page = (
			<>
				{first && (
					<EmailForm action={first.action} button={first.label} email={email} next={next}>
						{others.map(({ action, label }) => (
							<button class="quiet" formaction={action}>
								{label}
							</button>
						))}
					</EmailForm>
				)}
				{flows.map(
					({ signInLink }) =>
						signInLink && (
							<p>
								<a href={`${signInLink.href}?next=${encodeURIComponent(next)}`}>
									{signInLink.label}
								</a>
							</p>
						),
				)}
			</>
		);
		sendPage(response, "Sign in", page);
	});

	// Where every request for a mail leads, so that a reload sends nothing.
	routes.get("/check-mail", (request, response) => {
		const asked = readAsked(request);
		if (!asked) return response.redirect(303, "/");
		const page = (
			<>
				<p>
					A link is on its way to <strong>{asked.email}</strong>. It works once, for ten minutes.
				</p>
				<SendAgain asked={asked} />
				<p>
					<a href="/sign-in">Use another address</a>
				</p>
			</>
		);
		sendPage(response, "Check your mail", page);
	});

	routes.post("/sign-out", async (request, response) => {
		const authRequest = auth.handleRequest(request, response);
		const sessionId = sessionIdOf(request, response);
		if (sessionId) await auth.invalidateSession(sessionId);
		authRequest.setSession(null);
		response.redirect(303, "/sign-in");
	});

	return routes;
};
