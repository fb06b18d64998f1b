// @ts-check
import { createTransport } from "nodemailer";
import PostalMime from "postal-mime";
import { SMTPServer } from "smtp-server";

/**
 * @typedef {{ to: string, subject: string, text: string }} Mail
 * @typedef {Mail & { receivedAt: Date }} ReceivedMail
 */

const TIMEOUT = 10_000;
const MAX_MAIL_SIZE = 100_000;
const MAX_MAILS = 50;

/**
 * Starts a mail server in this process. It is for the demo only: anyone who can read the inbox can sign
 * in as anyone.
 */
const startMailbox = async () => {
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
	return { inbox, url: `smtp://127.0.0.1:${port}`, close };
};

/**
 * Sends mail over SMTP, to the given server or to one in this process.
 *
 * @param {{ smtpUrl?: string | undefined, from: string }} options
 */
export const startMail = async ({ smtpUrl, from }) => {
	const mailbox = smtpUrl === undefined ? await startMailbox() : undefined;
	const limits = {
		connectionTimeout: TIMEOUT,
		greetingTimeout: TIMEOUT,
		socketTimeout: TIMEOUT,
		disableFileAccess: true,
		disableUrlAccess: true,
	};
	const transport = mailbox
		? // smtp-server makes a new connection wait for 100 ms, and has no certificate here.
			createTransport({ ...limits, url: mailbox.url, pool: true, ignoreTLS: true })
		: createTransport({ ...limits, url: smtpUrl ?? "" });

	return {
		/** The mails received; `undefined` if they go to another server. */
		inbox: mailbox?.inbox,

		/** @param {Mail} mail */
		send: async ({ to, subject, text }) => {
			await transport.sendMail({
				from,
				// A plain string could be read as a list of addresses.
				to: { name: "", address: to },
				subject,
				text,
				headers: { "Auto-Submitted": "auto-generated" },
			});
		},

		close: async () => {
			transport.close();
			await mailbox?.close();
		},
	};
};
