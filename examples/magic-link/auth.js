// @ts-check
import { betterSqlite3 } from "@lucia-auth/adapter-sqlite";
import { idToken } from "@lucia-auth/tokens";
import lucia from "lucia-auth";
import { express } from "lucia-auth/middleware";

/** @typedef {ReturnType<typeof createAuth>} AppAuth */

/**
 * Lucia, the handler of the links' tokens, and the users.
 *
 * @param {import("libsql").Database} db
 * @param {{ baseUrl: string, expiresIn: number }} options `expiresIn` in seconds
 */
export const createAuth = (db, { baseUrl, expiresIn }) => {
	const auth = lucia({
		// libsql has the interface of better-sqlite3.
		adapter: betterSqlite3(/** @type {any} */ (db)),
		env: baseUrl.startsWith("https:") ? "PROD" : "DEV",
		middleware: express(),
		// Lucia's middleware knows the host name of a request but not the port.
		origin: [baseUrl],
		transformDatabaseUser: ({ id, email }) => ({ userId: id, email }),
	});

	const magicLink = idToken(auth, "magic-link", { expiresIn });

	const selectUser = db.prepare("SELECT id FROM auth_user WHERE email = ?");
	/** @param {string} email @returns {string | undefined} */
	const findUserId = (email) => /** @type {any} */ (selectUser.get(email))?.id;

	/**
	 * The user of an address, who is made at first sight: to sign in is also to sign up, so nobody
	 * can learn from an answer who has an account. Only the link in the mail starts a session.
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

	return { auth, magicLink, userIdOf };
};
