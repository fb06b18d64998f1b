import { idToken, LuciaTokenError, passwordToken } from "@lucia-auth/tokens";
import { betterAuth } from "better-auth";
import { constantTimeEqual, generateRandomString } from "better-auth/crypto";
import { getMigrations } from "better-auth/db/migration";
import lucia from "lucia-auth";
import { randomBytes } from "node:crypto";
import * as published from "published";
import { randomToken } from "./databases.js";

// Each contender has `issue(userId)`, which returns a token, and `validate(token, userId)`, which returns the
// user's id, or null. This library and 1.0.2 can also list and revoke a user's tokens.

const EXPIRES_IN = 600;
const SECRET = "a secret of no consequence, for the bench alone";
const inTenMinutes = () => new Date(Date.now() + EXPIRES_IN * 1000);

/** The limit: the driver's own statements, with nothing around them. It counts no attempts. */
const driver = ({ insert, take }, newToken, toId) => ({
	name: "driver",
	async issue(userId) {
		const token = newToken();
		await insert(toId(token, userId), userId, inTenMinutes().valueOf());
		return token;
	},
	async validate(token, userId) {
		const row = await take(toId(token, userId));
		return row && Number(row.expires) > Date.now() ? row.user_id : null;
	},
});

const randomCode = () => String(Math.floor(Math.random() * 1e8)).padStart(8, "0");

const luciaTokens = (name, handler, TokenError, validate) => ({
	name,
	issue: async (userId) => String(await handler.issue(userId)),
	async validate(token, userId) {
		try {
			return (await validate(token, userId)).userId;
		} catch (error) {
			if (error instanceof TokenError && error.message === "INVALID_TOKEN") return null;
			throw error;
		}
	},
	list: handler.getUserTokens,
	revokeAll: handler.invalidateAllUserTokens,
});

const OPTIONS = { expiresIn: EXPIRES_IN };

// What the guide to one-time codes recommends.
const GUIDE = {
	...OPTIONS,
	storeToken: "hashed",
	secret: SECRET,
	maxTokensPerUser: 3,
	maxAttempts: 5,
};

/** This library or 1.0.2, on one store. */
const links = (name, { idToken, LuciaTokenError }, store) => {
	const handler = idToken(store, "link", OPTIONS);
	return luciaTokens(name, handler, LuciaTokenError, (token) => handler.validate(token));
};
const codes = (name, { passwordToken, LuciaTokenError }, store, options = OPTIONS) => {
	const handler = passwordToken(store, "code", options);
	return luciaTokens(name, handler, LuciaTokenError, handler.validate);
};

// One call to issue, and two to verify.
const betterAuthLinks = (verifications) => {
	const type = "magic-link";
	const read = (verification) => {
		const record = verification && JSON.parse(verification.value);
		return record?.type === type ? record : null;
	};
	return {
		name: "better-auth",
		async issue(email) {
			const token = generateRandomString(32, "a-z", "A-Z");
			await verifications.createVerificationValue({
				identifier: `${type}:${token}`,
				value: JSON.stringify({ type, email }),
				expiresAt: inTenMinutes(),
			});
			return token;
		},
		async validate(token) {
			const identifier = `${type}:${token}`;
			if (!read(await verifications.findVerificationValue(identifier))) return null;
			return read(await verifications.consumeVerificationValue(identifier))?.email ?? null;
		},
	};
};

const hash = async (code) => {
	const digest = await crypto.subtle.digest("SHA-256", Buffer.from(code));
	return Buffer.from(digest).toString("base64url");
};

// One call to issue, two to verify, and a third to put a code back after a wrong guess.
const betterAuthCodes = (verifications) => ({
	name: "better-auth",
	async issue(email) {
		const code = generateRandomString(6, "0-9");
		await verifications.createVerificationValue({
			identifier: `sign-in-otp-${email}`,
			value: `${await hash(code)}:0`,
			expiresAt: inTenMinutes(),
		});
		return code;
	},
	async validate(code, email) {
		const identifier = `sign-in-otp-${email}`;
		const existing = await verifications.findVerificationValue(identifier);
		if (existing && existing.expiresAt < new Date()) return null;
		const consumed = await verifications.consumeVerificationValue(identifier);
		if (!consumed) return null;
		const [stored, attempts] = consumed.value.split(":");
		if (Number(attempts) >= GUIDE.maxAttempts) return null;
		if (constantTimeEqual(await hash(code), stored)) return email;
		await verifications.createVerificationValue({
			identifier,
			value: `${stored}:${Number(attempts) + 1}`,
			expiresAt: consumed.expiresAt,
		});
		return null;
	},
});

/**
 * better-auth's verification values, which its plugins for magic links and email OTPs call as above in 1.7.
 * What the plugins do around that (looking the user up, making a session) is left out, as it is for everyone.
 */
const openBetterAuth = async (database, rows) => {
	const options = {
		database: database.betterAuth,
		secret: SECRET,
		baseURL: "http://localhost",
		logger: { level: "error" },
		telemetry: { enabled: false },
	};
	await (await getMigrations(options)).runMigrations();
	// As many as other users have in Lucia's table.
	const [expiresAt, createdAt] = ["2037-01-01 00:00:00", "2020-01-01 00:00:00"];
	await database.insertRows(
		"verification",
		Array.from({ length: rows }, () => {
			const id = crypto.randomUUID();
			const value = '{"type":"magic-link","email":"other@example.com"}';
			return { id, identifier: id, value, expiresAt, createdAt, updatedAt: createdAt };
		}),
	);
	return (await betterAuth(options).$context).internalAdapter;
};

/** The verification tokens of Auth.js, which has no codes. */
const openAuthJs = async ({ authJs, run, insertRows }, rows) => {
	await run(`CREATE TABLE verification_token (
		identifier TEXT NOT NULL, expires TIMESTAMPTZ NOT NULL, token TEXT NOT NULL, PRIMARY KEY (identifier, token)
	)`);
	const newToken = () => randomBytes(32).toString("hex");
	await insertRows(
		"verification_token",
		Array.from({ length: rows }, (_, i) => {
			return { identifier: `other${i}`, expires: inTenMinutes(), token: newToken() };
		}),
	);
	return {
		name: "Auth.js",
		async issue(identifier) {
			const token = newToken();
			await authJs.createVerificationToken({ identifier, token, expires: inTenMinutes() });
			return token;
		},
		async validate(token, identifier) {
			const used = await authJs.useVerificationToken({ identifier, token });
			return used && used.expires.valueOf() > Date.now() ? used.identifier : null;
		},
	};
};

/** All that take part on a database. */
export const allContenders = async (database, rows) => {
	const { native, adapter, authJs } = database;
	const auth = lucia({ adapter, env: "PROD" });
	const ours = { idToken, passwordToken, LuciaTokenError };
	const verifications = await openBetterAuth(database, rows);
	return {
		links: [
			driver(database, randomToken, (token) => `link:${token}`),
			links("native", ours, native),
			links("default", ours, auth),
			links("1.0.2", published, auth),
			betterAuthLinks(verifications),
			...(authJs ? [await openAuthJs(database, rows)] : []),
		],
		codes: [
			driver(database, randomCode, (code, userId) => `code:${userId}.${code}`),
			codes("native", ours, native),
			codes("default", ours, auth),
			codes("native, guide", ours, native, GUIDE),
			codes("1.0.2", published, auth),
			betterAuthCodes(verifications),
		],
	};
};
