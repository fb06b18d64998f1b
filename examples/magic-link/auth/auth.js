import { betterSqlite3 } from "@lucia-auth/adapter-sqlite";
import { idToken, passwordToken } from "@lucia-auth/tokens";
import lucia from "lucia-auth";
import { express } from "lucia-auth/middleware";

/** @typedef {ReturnType<typeof createAuth>} AppAuth */

/** In digits. Eight digits are 26 bits. */
export const CODE_LENGTH = 8;

// An impatient user requests more than one mail, and may use any link that arrives.
const MAX_TOKENS_PER_USER = 5;

// What browsers accept in <input type="email">, by the HTML standard: ASCII, a single @, no spaces,
// control characters, commas or brackets. So an address is a single address, and not a mail header.
const ADDRESS =
	/^[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?(?:\.[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?)*$/i;

// RFC 5321, 4.5.3.1.3, without the brackets.
const MAX_ADDRESS_LENGTH = 254;

/**
 * @param {unknown} input what was entered
 * @returns {string | null} the address as it is stored, or `null` if it can't be one
 */
export const normalizeEmail = (input) => {
	if (typeof input !== "string") return null;
	const address = input.trim();
	return address.length <= MAX_ADDRESS_LENGTH && ADDRESS.test(address)
		? address.toLowerCase()
		: null;
};

/**
 * Creates Lucia, the token handlers, and the users.
 *
 * @param {import("libsql").Database} db
 * @param {object} options
 * @param {string} options.baseUrl
 * @param {number} options.expiresIn in seconds
 * @param {number} options.minInterval between two mails of a kind to one address, in seconds
 * @param {string} options.secret the key for the hashes of the codes
 */
export const createAuth = (db, { baseUrl, expiresIn, minInterval, secret }) => {
	const auth = lucia({
		// libsql has the interface of better-sqlite3.
		adapter: betterSqlite3(/** @type {any} */ (db)),
		env: baseUrl.startsWith("https:") ? "PROD" : "DEV",
		middleware: express(),
		// Lucia's middleware knows the host name of a request but not its port.
		origin: [baseUrl],
		transformDatabaseUser: ({ id, email }) => ({ userId: id, email }),
	});

	// The database holds hashes, which are of no use to anyone who reads it.
	const hashed = /** @type {const} */ ({
		expiresIn,
		storeToken: "hashed",
		maxTokensPerUser: MAX_TOKENS_PER_USER,
	});
	const magicLink = idToken(auth, "magic-link", { ...hashed, minInterval });
	// The browser that requests a code keeps one of these in a cookie, and the code is bound to it. Its
	// interval also spaces out the codes.
	const codeRequest = idToken(auth, "code-request", { ...hashed, minInterval });
	// A code is invalid after five wrong attempts, the default.
	const signInCode = passwordToken(auth, "sign-in-code", {
		...hashed,
		secret,
		length: CODE_LENGTH,
	});

	const selectUser = db.prepare("SELECT id FROM auth_user WHERE email = ?");
	/** @param {string} email @returns {string | undefined} */
	const findUserId = (email) => /** @type {any} */ (selectUser.get(email))?.id;

	/**
	 * Returns the user of an address, or creates one: signing in is also signing up, so no answer reveals
	 * who has an account. Only the link or code in the email starts a session.
	 *
	 * @param {string} email normalized
	 * @returns {Promise<string>} the user's id
	 */
	const userIdOf = async (email) => {
		const known = findUserId(email);
		if (known !== undefined) return known;
		try {
			// With a primary key, Lucia leaves a user without a key behind when the key is taken.
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
