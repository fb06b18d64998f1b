// @ts-check
import { html } from "../html.js";
import { emailForm } from "./email-form.js";

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
