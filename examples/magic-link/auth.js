// @ts-check
import { betterSqlite3 } from "@lucia-auth/adapter-sqlite";
import { idToken, passwordToken } from "@lucia-auth/tokens";
import lucia from "lucia-auth";
import { express } from "lucia-auth/middleware";
import { CODE_LENGTH } from "./code.js";

/** @typedef {ReturnType<typeof createAuth>} AppAuth */

// Somebody who is impatient asks more than once, and may use any of the mails that come.
const MAX_TOKENS_PER_USER = 5;

/**
 * Lucia, the handlers of the tokens, and the users.
 *
 * @param {import("libsql").Database} db
 * @param {object} options
 * @param {string} options.baseUrl
 * @param {number} options.expiresIn in seconds
 * @param {string} options.secret the key of the codes' hashes
 */
export const createAuth = (db, { baseUrl, expiresIn, secret }) => {
	const auth = lucia({
		// libsql has the interface of better-sqlite3.
		adapter: betterSqlite3(/** @type {any} */ (db)),
		env: baseUrl.startsWith("https:") ? "PROD" : "DEV",
		middleware: express(),
		// Lucia's middleware knows the host name of a request but not the port.
		origin: [baseUrl],
		transformDatabaseUser: ({ id, email }) => ({ userId: id, email }),
	});

	// The database holds hashes, which are of no use to who reads it.
	const hashed = /** @type {const} */ ({
		expiresIn,
		storeToken: "hashed",
		maxTokensPerUser: MAX_TOKENS_PER_USER,
	});
	const magicLink = idToken(auth, "magic-link", hashed);
	// After five wrong tries, the default, all codes of the user are gone.
	const signInCode = passwordToken(auth, "sign-in-code", {
		...hashed,
		secret,
		length: CODE_LENGTH,
	});
	// What the browser that asked for a code holds in a cookie. No other may try codes.
	const codeRequest = idToken(auth, "code-request", hashed);

	const selectUser = db.prepare("SELECT id FROM auth_user WHERE email = ?");
	/** @param {string} email @returns {string | undefined} */
	const findUserId = (email) => /** @type {any} */ (selectUser.get(email))?.id;

	/**
	 * The user of an address, who is made at first sight: to sign in is also to sign up, so nobody
	 * can learn from an answer who has an account. Only what is in the mail starts a session.
	 *
	 * @param {string} email normalized
	 * @returns {Promise<string>} the user's id
	 */
	const userIdOf = async (email) => {
		const known = findUserId(email);
		if (known !== undefined) return known;
		try {
			// No primary key: Lucia leaves a user without one behind when the key is taken.
			const user = await auth.createUser({ primaryKey: null, attributes: { email } });
			return user.userId;
		} catch (error) {
			// Another request for the same address may have come first.
			const other = findUserId(email);
			if (other !== undefined) return other;
			throw error;
		}
	};

	return { auth, magicLink, signInCode, codeRequest, userIdOf };
};
