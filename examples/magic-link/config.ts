import { randomBytes } from "node:crypto";

/** Ends the process with a message for the person who set a variable. It never repeats the value. */
const refuse = (message: string): never => {
	console.error(message);
	process.exit(1);
};

/** An empty variable counts as unset. */
const read = (name: string): string | undefined => process.env[name] || undefined;

const readNumber = (name: string, fallback: number, max: number, min = 1): number => {
	const value = Number(read(name) ?? fallback);
	return Number.isInteger(value) && value >= min && value <= max
		? value
		: refuse(`Set ${name} to a whole number from ${min} to ${max}, such as ${fallback}`);
};

export const port = readNumber("PORT", 3000, 65_535);

/** The address to listen on. Only this machine can reach the default. */
export const host = read("HOST") ?? "127.0.0.1";

const readBaseUrl = (value: string): string => {
	const url = URL.canParse(value) ? new URL(value) : undefined;
	if (!url || !/^https?:$/.test(url.protocol) || url.pathname + url.search + url.hash !== "/") {
		return refuse("Set BASE_URL to the origin of your app, such as https://example.com");
	}
	// Over plain HTTP, links and sessions can be read on the way.
	if (url.protocol === "http:" && !/^(localhost|127\.0\.0\.1|\[::1\])$/.test(url.hostname)) {
		return refuse("Set BASE_URL to an address with https://. Only localhost may have http://");
	}
	return url.origin;
};

/** Where users find the app. Links are built from it, never from a request's Host header. */
export const baseUrl = readBaseUrl(read("BASE_URL") ?? `http://localhost:${port}`);

/** Whether users find the app over HTTPS, as they do in production. */
export const secure = baseUrl.startsWith("https:");

/** `postgres://…`, or the path of an SQLite file. */
export const databaseUrl = read("DATABASE_URL") ?? "app.db";

/** The mail server. Without one, `demo/mailbox.tsx` catches the mail. */
export const smtpUrl =
	read("SMTP_URL") ??
	(secure ? refuse("Set SMTP_URL, such as smtps://user:password@mail.example.com") : undefined);
if (smtpUrl && !(/^smtps?:\/\/[^/]/.test(smtpUrl) && URL.canParse(smtpUrl))) {
	refuse("Set SMTP_URL to a URL such as smtps://user:password@mail.example.com");
}

export const mailFrom = read("MAIL_FROM") ?? `no-reply@${new URL(baseUrl).hostname}`;

/** The key for the hashes of codes. Without one, codes end when the process does. */
export const secret =
	read("SECRET") ??
	(secure
		? refuse("Set SECRET to 32 random characters or more. Don't store it in the database")
		: randomBytes(32).toString("hex"));
if (secret.length < 32) refuse("Set SECRET to 32 random characters or more");

/** How many forms of a kind a client may send in ten minutes. */
export const clientLimit = readNumber("CLIENT_LIMIT", 30, 1_000_000);

/** How many proxies there are between clients and the app. Otherwise, all clients share one limit. */
export const trustedProxies = readNumber("TRUSTED_PROXIES", 0, 100, 0);
