import { html } from "./html.js";
import { inWords } from "../public/duration.js";
import { clock } from "./parts.js";
import { alreadySignedIn, emailForm } from "./sign-in.js";

/** @param {string} email @param {number} expiresIn in seconds @param {boolean} mailbox */
export const linkSent = (email, expiresIn, mailbox) => ({
	title: "Check your mail",
	main: html`<div class="card">
		<h1>Check your mail</h1>
		<p>A link is on its way to <strong>${email}</strong>.</p>
		<p>It works once, for ${inWords(expiresIn * 1000)}. You can close this page.</p>
		${
			mailbox &&
			html`<p class="hint">This is a demo: its mail goes to <a href="/mailbox">the mailbox</a>.</p>`
		}
		<p><a href="/">Use another address</a></p>
	</div>`,
});

/**
 * Shows whose account the link opens, in case somebody sends a user a link of their own.
 *
 * @param {string} email
 * @param {import("@lucia-auth/tokens").Token} token
 */
export const confirm = (email, token) => ({
	title: "Confirm to sign in",
	main: html`<div class="card">
		<h1>One more step</h1>
		<p>Press the button to sign in as <strong>${email}</strong>.</p>
		<form method="post"><button>Sign in</button></form>
		<p class="hint">It works once. Time left: ${clock(token.expiresAt)}</p>
	</div>`,
});

/** @param {string} [signedInAs] the address that the browser is signed in as */
export const usedLink = (signedInAs) => ({
	title: "This link does not work",
	main: html`<div class="card">
		<h1>This link does not work</h1>
		<p>It was already used or is not valid. A link works only once.</p>
		${
			signedInAs !== undefined
				? alreadySignedIn(signedInAs)
				: emailForm({ label: "Send me a new link" })
		}
	</div>`,
});

export const expiredLink = () => ({
	title: "This link has expired",
	main: html`<div class="card">
		<h1>This link has expired</h1>
		<p>It was not used in time. Request a new one:</p>
		${emailForm({ label: "Send me a new link" })}
	</div>`,
});
