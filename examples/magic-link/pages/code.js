// @ts-check
import { CODE_LENGTH } from "../code.js";
import { html } from "../html.js";
import { inWords } from "../public/duration.js";
import { emailForm } from "./email-form.js";
import { signedInAlready } from "./sign-in.js";

const PROBLEMS = {
	malformed: `A code has ${CODE_LENGTH} digits.`,
	wrong: "That is not the code. Look at the newest mail and type it again.",
	expired: "That code has expired. Type the one in the newest mail.",
};

/** @typedef {keyof typeof PROBLEMS} Problem */

/** @param {string} email @param {"quiet"} [look] */
const newCodeForm = (email, look) =>
	html`<form method="post" action="/code">
		<input type="hidden" name="email" value="${email}" />
		<button class="${look}">Send me a new code</button>
	</form>`;

/**
 * @param {string} email
 * @param {object} options
 * @param {number} options.expiresIn in seconds
 * @param {boolean} options.mailbox
 * @param {Problem} [options.problem] why the code that was typed is refused
 */
export const typeCode = (email, { expiresIn, mailbox, problem }) => ({
	title: problem === undefined ? "Type your code" : "Error: Type your code",
	main: html`<div class="card">
		<h1>Type your code</h1>
		<p>
			It is on its way to <strong>${email}</strong>, and works once, for
			${inWords(expiresIn * 1000)}.
		</p>
		<form method="post" action="/code/use" novalidate>
			<label for="code">Code of ${CODE_LENGTH} digits</label>
			<input
				class="code"
				id="code"
				name="code"
				type="text"
				autocomplete="one-time-code"
				inputmode="numeric"
				maxlength="32"
				required
				autofocus
				${problem && html`aria-invalid="true" aria-describedby="code-error"`}
			/>
			${problem && html`<p class="error" id="code-error">${PROBLEMS[problem]}</p>`}
			<button>Sign in</button>
		</form>
		${newCodeForm(email, "quiet")}
		${
			mailbox &&
			html`<p class="hint">This is a demo: its mail goes to <a href="/mailbox">the mailbox</a>.</p>`
		}
		<p><a href="/">Use another address</a></p>
	</div>`,
});

/**
 * No code is left to try: this is what five wrong ones lead to, too.
 *
 * @param {string} email
 */
export const noCodeLeft = (email) => ({
	title: "Ask for a new code",
	main: html`<div class="card">
		<h1>Ask for a new code</h1>
		<p>
			No code for <strong>${email}</strong> can be used any more. A code works once, for a short
			time, and not after five wrong tries.
		</p>
		${newCodeForm(email)}
		<p><a href="/">Use another address</a></p>
	</div>`,
});

/**
 * This browser has not asked for a code, or has used it, or too long ago.
 *
 * @param {string} [signedInAs] the user that the browser is signed in as
 */
export const notAsked = (signedInAs) => ({
	title: "There is no code to type",
	main: html`<div class="card">
		<h1>There is no code to type</h1>
		<p>A code works once, for a short time, and in the browser that asked for it.</p>
		${
			signedInAs !== undefined
				? signedInAlready(signedInAs)
				: emailForm({ first: "code", label: "Send me a new code" })
		}
	</div>`,
});
