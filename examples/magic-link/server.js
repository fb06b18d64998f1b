// @ts-check
import { createServer } from "node:http";
import { createApp } from "./app.js";
import { createAuth } from "./auth.js";
import { openDatabase } from "./database.js";
import { startMail } from "./mail.js";
import { secretBeside } from "./secret.js";

// How long links and codes are good, in seconds: ten minutes, as ASVS 5.0 6.5.5 has it.
const EXPIRES_IN = 60 * 10;

/**
 * Starts the demo.
 *
 * @param {object} options
 * @param {string} options.dataFile
 * @param {string} [options.host]
 * @param {number} [options.port] 0 takes a free one
 * @param {string | undefined} [options.baseUrl] the port on localhost by default
 * @param {string | undefined} [options.smtpUrl] a mail server in this process by default
 * @param {string | undefined} [options.mailFrom]
 * @param {string | undefined} [options.secret] one that is kept beside the data by default
 * @param {number} [options.expiresIn] in seconds
 * @param {(message: string) => void} [options.log]
 */
export const startServer = async ({
	dataFile,
	host = "127.0.0.1",
	port = 3000,
	smtpUrl,
	expiresIn = EXPIRES_IN,
	log = console.error,
	...options
}) => {
	const { hostname } = new URL(options.baseUrl ?? "http://localhost");
	const from = options.mailFrom ?? `Magic link demo <no-reply@${hostname}>`;
	const db = openDatabase(dataFile);
	const secret = options.secret ?? secretBeside(dataFile);
	const mail = await startMail({ smtpUrl, from });
	const stop = async () => {
		await mail.close();
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
	const auth = createAuth(db, { baseUrl, expiresIn, secret });
	server.on("request", createApp({ auth, mail, baseUrl, expiresIn, log }));

	return {
		url: baseUrl,
		port: actualPort,
		mailbox: mail.inbox === undefined ? undefined : `${baseUrl}/mailbox`,

		close: async () => {
			// Requests under way come to their end, for two seconds.
			await new Promise((resolve) => {
				server.close(resolve);
				setTimeout(() => server.closeAllConnections(), 2000).unref();
			});
			await stop();
		},
	};
};
