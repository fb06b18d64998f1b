import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

// A shorter secret could be guessed, and the hashes of the codes reversed.
const MIN_SECRET_LENGTH = 32;

/** A setting that can't be used. The message is for the person who set it. */
export class ConfigError extends Error {}

/** @param {string} host */
const isLoopback = (host) =>
	host === "localhost" ||
	host.endsWith(".localhost") ||
	host === "[::1]" ||
	/^127(\.\d{1,3}){3}$/.test(host);

/** @param {string} value */
const readPort = (value) => {
	if (!/^\d{1,5}$/.test(value) || Number(value) > 65_535) {
		throw new ConfigError("PORT must be a whole number from 0 to 65535, such as 3000");
	}
	return Number(value);
};

/** @param {string} value */
const readBaseUrl = (value) => {
	const url = URL.canParse(value) ? new URL(value) : null;
	if (!url || !["http:", "https:"].includes(url.protocol)) {
		throw new ConfigError("BASE_URL must be a URL such as https://example.com");
	}
	if (value.replace(/\/$/, "").toLowerCase() !== url.origin) {
		throw new ConfigError(
			`BASE_URL must be an origin without path, query, user or default port, such as ${url.origin}`,
		);
	}
	// Browsers send Sec-Fetch-Site, which auth/origin.js needs, to these addresses only. Over plain HTTP,
	// links and session cookies could also be read on the way.
	if (url.protocol === "http:" && !isLoopback(url.hostname)) {
		throw new ConfigError("BASE_URL must begin with https://, or on localhost with http://");
	}
	return url.origin;
};

/** @param {string} value */
const readSmtpUrl = (value) => {
	const url = URL.canParse(value) ? new URL(value) : null;
	if (!url || !["smtp:", "smtps:"].includes(url.protocol) || url.hostname === "") {
		// The message does not repeat the value, which may contain a password.
		throw new ConfigError("SMTP_URL must be a URL such as smtps://user:password@mail.example.com");
	}
	return value;
};

/** @param {string} value */
const readMailFrom = (value) => {
	if (!/^[^\r\n@]*[^\s@]@[^\s@]+$/.test(value)) {
		throw new ConfigError('MAIL_FROM must be an address such as "Demo <demo@example.com>"');
	}
	return value;
};

/** @param {string} value */
const readSecret = (value) => {
	if (value.length < MIN_SECRET_LENGTH) {
		throw new ConfigError(`SECRET must have at least ${MIN_SECRET_LENGTH} random characters`);
	}
	return value;
};

/**
 * Reads the settings. An empty variable counts as unset.
 *
 * @param {Record<string, string | undefined>} env
 * @throws {ConfigError} a setting can't be used
 */
export const readConfig = (env) => ({
	host: env.HOST || "127.0.0.1",
	port: readPort(env.PORT || "3000"),
	baseUrl: env.BASE_URL ? readBaseUrl(env.BASE_URL) : undefined,
	smtpUrl: env.SMTP_URL ? readSmtpUrl(env.SMTP_URL) : undefined,
	mailFrom: env.MAIL_FROM ? readMailFrom(env.MAIL_FROM) : undefined,
	secret: env.SECRET ? readSecret(env.SECRET) : undefined,
	dataFile: env.DATA || fileURLToPath(new URL("data/demo.db", import.meta.url)),
});

/**
 * Returns the key for the hashes of the codes: a random one, in a file that only its owner can read, so
 * that codes still work after a restart.
 *
 * In production, set `SECRET` instead: a secret beside the database can be stolen with it.
 *
 * @param {string} dataFile
 */
export const secretBeside = (dataFile) => {
	const file = `${dataFile}.secret`;
	try {
		writeFileSync(file, randomBytes(32).toString("hex"), { flag: "wx", mode: 0o600 });
	} catch (error) {
		if (/** @type {NodeJS.ErrnoException} */ (error).code !== "EEXIST") throw error;
	}
	const secret = readFileSync(file, "utf8").trim();
	if (secret.length < MIN_SECRET_LENGTH) {
		throw new Error(`${file} is too short. Delete it to get a new one`);
	}
	return secret;
};
