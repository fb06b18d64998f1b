import { betterAuth } from "better-auth";
import { constantTimeEqual, generateRandomString } from "better-auth/crypto";
import { getMigrations } from "better-auth/db/migration";
import { otherCode } from "../databases/schema.js";

const inTenMinutes = () => new Date(Date.now() + 600_000);

const MAGIC_LINK = "magic-link";

const readRecord = (verification) => {
	const record = verification && JSON.parse(verification.value);
	return record?.type === MAGIC_LINK ? record : null;
};

// One call to issue, and two to verify.
const magicLink = (verifications) => ({
	name: "better-auth",
	async issue(email) {
		const token = generateRandomString(32, "a-z", "A-Z");
		await verifications.createVerificationValue({
			identifier: `${MAGIC_LINK}:${token}`,
			value: JSON.stringify({ type: MAGIC_LINK, email }),
			expiresAt: inTenMinutes(),
		});
		return token;
	},
	async validate(token) {
		const identifier = `${MAGIC_LINK}:${token}`;
		if (!readRecord(await verifications.findVerificationValue(identifier))) return null;
		return readRecord(await verifications.consumeVerificationValue(identifier))?.email ?? null;
	},
	unknown: () => generateRandomString(32, "a-z", "A-Z"),
});

const ALLOWED_ATTEMPTS = 5;

const hash = async (code) => {
	const digest = await crypto.subtle.digest("SHA-256", Buffer.from(code));
	return Buffer.from(digest).toString("base64url");
};

// One call to issue, two to verify, and a third to put a code back after a wrong guess.
const emailOtp = (verifications) => ({
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
		if (Number(attempts) >= ALLOWED_ATTEMPTS) return null;
		if (constantTimeEqual(await hash(code), stored)) return email;
		await verifications.createVerificationValue({
			identifier,
			value: `${stored}:${Number(attempts) + 1}`,
			expiresAt: consumed.expiresAt,
		});
		return null;
	},
	wrong: otherCode,
});

/**
 * better-auth's verification values, with the calls that its plugins for magic links and email OTPs
 * make in 1.7 (`storeOTP: "hashed"`, `allowedAttempts: 5`). What the plugins do around them (looking
 * the user up, making a session) is left out, as it is for everyone.
 */
export const betterAuthContenders = async (database) => {
	const options = {
		database,
		secret: "a secret of no consequence, for the bench alone",
		baseURL: "http://localhost",
		logger: { level: "error" },
		telemetry: { enabled: false },
	};
	await (await getMigrations(options)).runMigrations();
	const { internalAdapter } = await betterAuth(options).$context;
	return { links: magicLink(internalAdapter), codes: emailOtp(internalAdapter) };
};
