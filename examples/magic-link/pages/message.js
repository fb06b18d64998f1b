// @ts-check
import { html } from "../html.js";

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
			It did not come from <code>${baseUrl}</code>, so nothing was changed. Open that address and
			try again.
		</p>
		<p><a class="button" href="${baseUrl}/">Open ${baseUrl}</a></p>
	</div>`,
});

export const badRequest = () =>
	message("This request can't be read", "Something in it is malformed or too long.");

export const notFound = () => message("There is no such page", "The address may be mistyped.");

export const serverError = () =>
	message("Something went wrong", "The fault is ours, not yours. Please try again in a while.");
