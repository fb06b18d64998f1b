import { CODE_LENGTH } from "../auth/auth.js";
import { html } from "./html.js";
import { inWords } from "../public/duration.js";
import { alreadySignedIn, emailForm } from "./sign-in.js";

const PROBLEMS = {
	malformed: `A code has ${CODE_LENGTH} digits.`,
	wrong: "That is not the code. Check the newest mail and enter it again.",
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
 * @param {Problem} [options.problem] why the code that was entered is refused
 */
export const enterCode = (email, { expiresIn, mailbox, problem }) => ({
	title: problem === undefined ? "Enter your code" : "Error: Enter your code",
	main: html`<div class="card">
		<h1>Enter your code</h1>
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
 * No code works anymore. Five wrong codes lead here, too.
 *
 * @param {string} email
 */
export const noCodeLeft = (email) => ({
	title: "Request a new code",
	main: html`<div class="card">
		<h1>Request a new code</h1>
		<p>
			No code for <strong>${email}</strong> works anymore. A code works once, for a short time, and
			not after five wrong attempts.
		</p>
		${newCodeForm(email)}
		<p><a href="/">Use another address</a></p>
	</div>`,
});

/**
 * This browser has not requested a code, has already used it, or requested it too long ago.
 *
 * @param {string} [signedInAs] the address that the browser is signed in as
 */
export const notRequested = (signedInAs) => ({
	title: "There is no code to enter",
	main: html`<div class="card">
		<h1>There is no code to enter</h1>
		<p>A code works once, for a short time, and only in the browser that requested it.</p>
		${
			signedInAs !== undefined
				? alreadySignedIn(signedInAs)
				: emailForm({ first: "code", label: "Send me a new code" })
		}
	</div>`,
});
