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
 * A mail server in this process, for the demo alone: whoever may read the inbox may sign in as
 * anyone.
 */
const startMailbox = async () => {
	/** @type {ReceivedMail[]} the newest first */
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
	// A client that breaks off is no reason to stop.
	server.on("error", () => {});
	await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
	const address = server.server.address();
	const port = typeof address === "object" && address ? address.port : 0;
	/** @returns {Promise<void>} */
	const close = () => new Promise((resolve) => server.close(() => resolve()));
	return { inbox, url: `smtp://127.0.0.1:${port}`, close };
};

/**
 * The way out for mail: over SMTP in any case, to the given server or else to one in this process.
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
		? // smtp-server lets a new connection wait for 100 ms, and it has no certificate here.
			createTransport({ ...limits, url: mailbox.url, pool: true, ignoreTLS: true })
		: createTransport({ ...limits, url: smtpUrl ?? "" });

	return {
		/** The mails received; `undefined` where they go to a server of the user's. */
		inbox: mailbox?.inbox,

		/** @param {Mail} mail */
		send: async ({ to, subject, text }) => {
			await transport.sendMail({
				from,
				// Not a string, which could be read as a list of addresses.
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
