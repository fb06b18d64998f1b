/** @jsxImportSource preact */
import { LuciaTokenError } from "@lucia-auth/tokens";
import type { Request, Response } from "express";
import type { ComponentChildren } from "preact";
import { render } from "preact-render-to-string";
import { currentSession, ownerOf } from "./auth.js";
import { type Asked, readAsked, secondsToWait } from "./asked.js";
import type { Way } from "./flow.js";
import { mailbox } from "./mail.js";

/** Sends a page. JSX escapes what it is given. */
export const sendPage = (
	response: Response,
	title: string,
	children: ComponentChildren,
	status = 200,
): void => {
	const html = render(
		<html lang="en">
			<head>
				<meta charset="utf-8" />
				<meta name="viewport" content="width=device-width, initial-scale=1" />
				<meta name="color-scheme" content="light dark" />
				<title>{title}</title>
				<link rel="icon" href="/icon.svg" type="image/svg+xml" />
				<link rel="stylesheet" href="/style.css" />
				<script src="/submit-once.js" />
			</head>
			<body>
				<header>
					<nav aria-label="Main">
						<a href="/">Home</a> {mailbox && <a href="/mailbox">Mailbox</a>}
					</nav>
				</header>
				<main>
					<h1>{title}</h1>
					{children}
				</main>
			</body>
		</html>,
	);
	response.status(status).type("html").send(`<!doctype html>${html}`);
};

interface FormProps {
	readonly action: string;
	readonly button: string;
	readonly email?: string | undefined;
	readonly error?: string | undefined;
	readonly next?: string | undefined;
	/** More fields. */
	readonly fields?: ComponentChildren;
	/** More buttons. */
	readonly children?: ComponentChildren;
}

/** Asks for an address. */
export const EmailForm = ({ action, button, email, error, next, fields, children }: FormProps) => (
	<form method="post" action={action}>
		<label for="email">Email address</label>
		<input
			id="email"
			name="email"
			type="email"
			autocomplete="email"
			maxLength={254}
			required
			value={email}
			autoFocus={Boolean(error)}
			aria-invalid={error ? "true" : undefined}
			aria-describedby={error ? "error" : undefined}
		/>
		{error && (
			<p class="error" id="error" role="alert">
				{error}
			</p>
		)}
		{fields}
		{next && <input type="hidden" name="next" value={next} />}
		<button>{button}</button>
		{children}
	</form>
);

interface PasswordFieldProps {
	readonly name: "password" | "current";
	readonly label: string;
	readonly error?: string | undefined;
}

export const PasswordField = ({ name, label, error }: PasswordFieldProps) => (
	<>
		<label for={name}>{label}</label>
		<input
			id={name}
			name={name}
			type="password"
			autocomplete={name === "current" ? "current-password" : "new-password"}
			maxLength={256}
			required
			autoFocus={Boolean(error)}
			aria-invalid={error ? "true" : undefined}
			aria-describedby={error ? `${name}-error` : undefined}
		/>
		{error && (
			<p class="error" id={`${name}-error`} role="alert">
				{error}
			</p>
		)}
	</>
);

/** Asks to send the mail again, to the same address. */
export const SendAgain = ({ asked }: { asked: Asked }) => {
	const seconds = secondsToWait(asked);
	if (seconds > 0) return <p>You can request another one in {seconds} seconds.</p>;
	return (
		<form method="post" action={asked.action}>
			<input type="hidden" name="email" value={asked.email} />
			<input type="hidden" name="next" value={asked.next} />
			<button class="quiet">Send it again</button>
		</form>
	);
};

/** Shows the form again for what is not an address. */
export const sendNoAddress = (
	response: Response,
	{ action, label }: Way,
	typed: string,
	next: string,
): void => {
	const error = "That is not an email address.";
	const form = <EmailForm action={action} button={label} email={typed} error={error} next={next} />;
	sendPage(response, label, form, 422);
};

/** For users who come back to a link or a code that signed them in: by Back, or by a second click. */
export const sendSignedIn = (response: Response, email: string, status = 200): void => {
	const page = (
		<>
			<p>
				You are signed in as <strong>{email}</strong>. The link or the code has been used, or has
				expired.
			</p>
			<p>
				<a class="button" href="/">
					Continue
				</a>
			</p>
		</>
	);
	sendPage(response, "You are already signed in", page, status);
};

/**
 * The page of a link that doesn't work: it has expired, was used, or is not valid. It offers the next one.
 * A browser that has just used it is signed in.
 *
 * @param action the path that sends the next one
 * @param error what the handler threw; any other error than its own is thrown again
 * @param email the address that the next one goes to. By default, the one that an expired link was mailed to, or that
 * this browser asked with
 */
export const sendDeadLink = async (
	request: Request,
	response: Response,
	action: string,
	error: unknown,
	email?: string,
): Promise<void> => {
	if (!(error instanceof LuciaTokenError)) throw error;
	const session = await currentSession(request, response);
	if (session) return sendSignedIn(response, session.user.email, 410);
	const address = email ?? (await ownerOf(error)) ?? readAsked(request)?.email;
	const page = (
		<>
			<p>It has expired, was used, or is not valid. A link works once, for ten minutes.</p>
			<EmailForm action={action} button="Send me a new link" email={address} />
		</>
	);
	sendPage(response, "This link does not work", page, 410);
};
