import { betterAuth as createBetterAuth } from "better-auth";
import { generateRandomString } from "better-auth/crypto";
import { getMigrations } from "better-auth/db/migration";

const MAGIC_LINK = "magic-link";

const readRecord = (verification) => {
	const record = verification && JSON.parse(verification.value);
	return record?.type === MAGIC_LINK ? record : null;
};

/**
 * better-auth's verification values, with the calls that its magic-link plugin makes in 1.7: one to
 * issue, and two to verify. What the plugin does around them (looking the user up, making a session)
 * is left out, as it is for everyone.
 */
export const betterAuth = async (database) => {
	const options = {
		database,
		secret: "a secret of no consequence, for the bench alone",
		baseURL: "http://localhost",
		logger: { level: "error" },
		telemetry: { enabled: false },
	};
	await (await getMigrations(options)).runMigrations();
	const { internalAdapter } = await createBetterAuth(options).$context;

	return {
		name: "better-auth",
		async issue(email) {
			const token = generateRandomString(32, "a-z", "A-Z");
			await internalAdapter.createVerificationValue({
				identifier: `${MAGIC_LINK}:${token}`,
				value: JSON.stringify({ type: MAGIC_LINK, email }),
				expiresAt: new Date(Date.now() + 600_000),
			});
			return token;
		},
		async validate(token) {
			const identifier = `${MAGIC_LINK}:${token}`;
			if (!readRecord(await internalAdapter.findVerificationValue(identifier))) return null;
			return readRecord(await internalAdapter.consumeVerificationValue(identifier))?.email ?? null;
		},
		unknown: () => generateRandomString(32, "a-z", "A-Z"),
	};
};
