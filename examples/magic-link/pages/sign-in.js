import { html } from "./html.js";

/**
 * The two ways to sign in: the path that receives the address, and the label of its button.
 *
 * @type {Record<"link" | "code", { action: string, label: string }>}
 */
const WAYS = {
	link: { action: "/sign-in", label: "Send me a link" },
	code: { action: "/code", label: "Send me a code" },
};

/**
 * Asks for the address to send a link or a code to. Both buttons belong to one form, so that users
 * type their address once. The Enter key presses the first button.
 *
 * @param {object} [options]
 * @param {string | undefined} [options.refused] what was entered and is not an address
 * @param {"link" | "code"} [options.first] which button comes first
 * @param {string | undefined} [options.label] the label of the first button
 */
export const emailForm = ({ refused, first = "link", label = WAYS[first].label } = {}) => {
	const other = WAYS[first === "link" ? "code" : "link"];
	return html`<form method="post" action="${WAYS[first].action}" novalidate>
		<label for="email">Email address</label>
		<input
			id="email"
			name="email"
			type="email"
			autocomplete="email"
			inputmode="email"
			spellcheck="false"
			placeholder="you@example.com"
			maxlength="254"
			required
			value="${refused}"
			${refused !== undefined && html`aria-invalid="true" aria-describedby="email-error" autofocus`}
		/>
		${
			refused !== undefined &&
			html`<p class="error" id="email-error">
				That is not an email address. It should look like <code>you@example.com</code>.
			</p>`
		}
		<button>${label}</button>
		<button class="quiet" formaction="${other.action}">${other.label}</button>
	</form>`;
};

/**
 * @param {object} [options]
 * @param {string} [options.refused] what was entered and is not an address
 * @param {"link" | "code"} [options.first] which button comes first
 */
export const signIn = ({ refused, first } = {}) => ({
	title: refused === undefined ? "Sign in" : "Error: Sign in",
	main: html`<div class="card">
		<h1>Sign in</h1>
		<p>No password needed. Enter your address to get a sign-in link or a code.</p>
		${emailForm({ refused, ...(first && { first }) })}
	</div>`,
});

/** @param {string} email @param {"link" | "code"} kind */
export const mailFailed = (email, kind) => ({
	title: "The mail could not be sent",
	main: html`<div class="card">
		<h1>The mail could not be sent</h1>
		<p>We could not send a ${kind} to <strong>${email}</strong>. Please try again in a minute.</p>
		${emailForm({ first: kind, label: "Try again" })}
	</div>`,
});

/**
 * For users whose link or code was used, possibly by themselves: with a double click, for example.
 *
 * @param {string} signedInAs
 */
export const alreadySignedIn = (signedInAs) =>
	html`<p class="notice">You are already signed in as <strong>${signedInAs}</strong>.</p>
		<p><a class="button" href="/">Go to your page</a></p>`;
