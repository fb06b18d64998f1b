import { createServer } from "node:http";
import { createApp } from "./app.js";
import { createAuth } from "./auth/auth.js";
import { openDatabase } from "./auth/database.js";
import { secretBeside } from "./config.js";
import { startMailbox } from "./mail/mailbox.js";
import { createMail } from "./mail/send.js";

// How long links and codes work, in seconds: ten minutes, the most that ASVS 5.0 6.5.5 allows.
const EXPIRES_IN = 60 * 10;

// How long an address waits for another link or code, in seconds.
const MIN_INTERVAL = 30;

/**
 * Starts the demo.
 *
 * @param {object} options
 * @param {string} options.dataFile
 * @param {string} [options.host]
 * @param {number} [options.port] 0 picks a free one
 * @param {string | undefined} [options.baseUrl] by default, the port on localhost
 * @param {string | undefined} [options.smtpUrl] by default, a mail server in this process
 * @param {string | undefined} [options.mailFrom]
 * @param {string | undefined} [options.secret] by default, one that is stored beside the data
 * @param {number} [options.expiresIn] in seconds
 * @param {number} [options.minInterval] in seconds
 * @param {(message: string) => void} [options.log]
 */
export const startServer = async ({
	dataFile,
	host = "127.0.0.1",
	port = 3000,
	smtpUrl,
	expiresIn = EXPIRES_IN,
	minInterval = MIN_INTERVAL,
	log = console.error,
	...options
}) => {
	const { hostname } = new URL(options.baseUrl ?? "http://localhost");
	const from = options.mailFrom ?? `Magic link demo <no-reply@${hostname}>`;
	const db = openDatabase(dataFile);
	const secret = options.secret ?? secretBeside(dataFile);
	const mailbox = smtpUrl === undefined ? await startMailbox() : undefined;
	const url = /** @type {string} */ (smtpUrl ?? mailbox?.url);
	const mail = createMail({ url, from, log });
	const stop = async () => {
		mail.close();
		await mailbox?.close();
		db.close();
	};

	const server = createServer();
	try {
		await new Promise((resolve, reject) => {
			server.once("error", reject);
			server.listen(port, host, () => resolve(undefined));
		});
	} catch (error) {
		await stop();
		throw error;
	}
	const address = server.address();
	const actualPort = typeof address === "object" && address ? address.port : port;
	const baseUrl = options.baseUrl ?? `http://localhost:${actualPort}`;
	const auth = createAuth(db, { baseUrl, expiresIn, minInterval, secret });
	server.on("request", createApp({ auth, mail, inbox: mailbox?.inbox, baseUrl, expiresIn, log }));

	return {
		url: baseUrl,
		port: actualPort,
		mailbox: mailbox && `${baseUrl}/mailbox`,

		close: async () => {
			// Requests in progress have two seconds to finish.
			await new Promise((resolve) => {
				server.close(resolve);
				setTimeout(() => server.closeAllConnections(), 2000).unref();
			});
			await stop();
		},
	};
};
