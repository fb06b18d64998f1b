import { createTransport } from "nodemailer";

const TIMEOUT = 10_000;

/**
 * Sends mail over SMTP.
 *
 * @param {object} options
 * @param {string} options.url the mail server
 * @param {string} options.from
 * @param {(message: string) => void} options.log
 */
export const createMail = ({ url, from, log }) => {
	const transport = createTransport({
		url,
		connectionTimeout: TIMEOUT,
		greetingTimeout: TIMEOUT,
		socketTimeout: TIMEOUT,
		disableFileAccess: true,
		disableUrlAccess: true,
	});

	return {
		/**
		 * Sends a mail, and logs a failure.
		 *
		 * @param {{ to: string, subject: string, text: string }} mail
		 * @returns {Promise<boolean>} whether it was sent
		 */
		send: async ({ to, subject, text }) => {
			try {
				await transport.sendMail({
					from,
					// A plain string could be read as a list of addresses.
					to: { name: "", address: to },
					subject,
					text,
					headers: { "Auto-Submitted": "auto-generated" },
				});
				return true;
			} catch (error) {
				// Only the code: the message may quote the mail server, which may quote the mail.
				log(`A mail could not be sent: ${/** @type {any} */ (error)?.code ?? "unknown reason"}`);
				return false;
			}
		},

		close: () => transport.close(),
	};
};
