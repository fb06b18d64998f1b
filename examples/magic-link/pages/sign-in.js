// @ts-check
import { html } from "../html.js";
import { emailForm } from "./email-form.js";

/**
 * @param {object} [options]
 * @param {string} [options.refused] what was typed and is no address
 * @param {"link" | "code"} [options.first] the way whose button comes first
 */
export const signIn = ({ refused, first } = {}) => ({
	title: refused === undefined ? "Sign in" : "Error: Sign in",
	main: html`<div class="card">
		<h1>Sign in</h1>
		<p>
			No password needed. Enter your address, and get a link that signs you in or a code to type.
		</p>
		${emailForm({ refused, ...(first && { first }) })}
	</div>`,
});

/** @param {string} email @param {"link" | "code"} kind */
export const mailFailed = (email, kind) => ({
	title: "The mail could not be sent",
	main: html`<div class="card">
		<h1>The mail could not be sent</h1>
		<p>We could not send a ${kind} to <strong>${email}</strong>. Please try again in a while.</p>
		${emailForm({ first: kind, label: "Try again" })}
	</div>`,
});

/**
 * What somebody sees whose link or code was used, and who may have used it themselves: the second of
 * a double click, say.
 *
 * @param {string} signedInAs
 */
export const signedInAlready = (signedInAs) =>
	html`<p class="notice">You are signed in already, as <strong>${signedInAs}</strong>.</p>
		<p><a class="button" href="/">Go to your page</a></p>`;
