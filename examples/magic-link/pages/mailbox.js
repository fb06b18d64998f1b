// @ts-check
import { html } from "../html.js";

/** @param {string} text @param {string} baseUrl */
const withLinks = (text, baseUrl) =>
	text
		.split(/(https?:\/\/\S+)/)
		.map((part) => (part.startsWith(`${baseUrl}/`) ? html`<a href="${part}">${part}</a>` : part));

/**
 * @param {readonly import("../mail.js").ReceivedMail[]} mails
 * @param {string} baseUrl
 */
export const mailbox = (mails, baseUrl) => ({
	title: "Mailbox",
	wide: true,
	main: html`<h1>Mailbox</h1>
		<p>All mail that the demo has sent since it started, newest first.</p>
		${
			mails.length === 0 &&
			html`<div class="card">
				<p class="empty">No mail yet. <a href="/">Request a link or a code</a>.</p>
			</div>`
		}
		${mails.map(
			({ to, subject, text, receivedAt }) =>
				html`<article class="card mail">
					<h2>${subject}</h2>
					<p class="hint">
						To <strong>${to}</strong> at
						<time datetime="${receivedAt.toISOString()}"
							>${receivedAt.toISOString().slice(11, 19)} UTC</time
						>
					</p>
					<p class="text">${withLinks(text.trim(), baseUrl)}</p>
				</article>`,
		)}`,
});
