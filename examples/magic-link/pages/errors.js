import { html } from "./html.js";
import { inWords } from "../public/duration.js";

/** @param {string} title @param {unknown} text */
const message = (title, text) => ({
	title,
	main: html`<div class="card">
		<h1>${title}</h1>
		<p>${text}</p>
		<p><a class="button" href="/">Go to the start page</a></p>
	</div>`,
});

/** @param {string} baseUrl */
export const foreignOrigin = (baseUrl) => ({
	title: "This request was refused",
	main: html`<div class="card">
		<h1>This request was refused</h1>
		<p>
			It did not come from <code>${baseUrl}</code>, so nothing changed. Open that address and try
			again.
		</p>
		<p><a class="button" href="${baseUrl}/">Open ${baseUrl}</a></p>
	</div>`,
});

/** @param {number} retryAfter in seconds */
export const sentRecently = (retryAfter) => ({
	title: "Check your mail first",
	main: html`<div class="card">
		<h1>Check your mail first</h1>
		<p>
			A mail was sent to this address a moment ago. You can request another in
			${inWords(retryAfter * 1000)}.
		</p>
		<p><a class="button" href="/">Go to the start page</a></p>
		<p><a href="/code">Enter a code</a></p>
	</div>`,
});

export const badRequest = () =>
	message("This request can't be read", "Part of it is malformed or too long.");

export const notFound = () => message("There is no such page", "Check the address for typos.");

export const serverError = () =>
	message("Something went wrong", "This is our fault, not yours. Please try again later.");
