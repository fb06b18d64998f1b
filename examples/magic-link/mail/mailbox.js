import PostalMime from "postal-mime";
import { SMTPServer } from "smtp-server";
import { html } from "../pages/html.js";

/** @typedef {{ to: string, subject: string, text: string, receivedAt: Date }} ReceivedMail */

const MAX_MAIL_SIZE = 100_000;
const MAX_MAILS = 50;

/**
 * Starts a mail server in this process. It is for the demo only: anyone who can read the inbox can sign
 * in as anyone.
 */
export const startMailbox = async () => {
	/** @type {ReceivedMail[]} newest first */
	const inbox = [];
	const server = new SMTPServer({
		disabledCommands: ["AUTH", "STARTTLS"],
		disableReverseLookup: true,
		logger: false,
		size: MAX_MAIL_SIZE,
		onData: (stream, session, callback) => {
			/** @type {Buffer[]} */
			const chunks = [];
			stream.on("data", (chunk) => chunks.push(chunk));
			stream.on("end", () => {
				PostalMime.parse(Buffer.concat(chunks))
					.then(({ subject = "", text = "" }) => {
						const to = session.envelope.rcptTo.map(({ address }) => address).join(", ");
						inbox.unshift({ to, subject, text, receivedAt: new Date() });
						inbox.splice(MAX_MAILS);
						callback();
					})
					.catch(callback);
			});
		},
	});
	// Keep running when a client disconnects.
	server.on("error", () => {});
	await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
	const address = server.server.address();
	const port = typeof address === "object" && address ? address.port : 0;
	/** @returns {Promise<void>} */
	const close = () => new Promise((resolve) => server.close(() => resolve()));
	// smtp-server makes a new connection wait for 100 ms, and has no certificate here.
	return { inbox, url: `smtp://127.0.0.1:${port}?pool=true&ignoreTLS=true`, close };
};

/** @param {string} text @param {string} baseUrl */
const withLinks = (text, baseUrl) =>
	text
		.split(/(https?:\/\/\S+)/)
		.map((part) => (part.startsWith(`${baseUrl}/`) ? html`<a href="${part}">${part}</a>` : part));

/**
 * The page that shows the mail.
 *
 * @param {readonly ReceivedMail[]} inbox
 * @param {string} baseUrl
 */
export const mailboxPage = (inbox, baseUrl) => ({
	title: "Mailbox",
	wide: true,
	main: html`<h1>Mailbox</h1>
		<p>All mail that the demo has sent since it started, newest first.</p>
		${
			inbox.length === 0 &&
			html`<div class="card">
				<p class="empty">No mail yet. <a href="/">Request a link or a code</a>.</p>
			</div>`
		}
		${inbox.map(
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
