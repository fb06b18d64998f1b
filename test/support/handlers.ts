import {
	type IdTokenOptions,
	type IdTokenWrapper,
	idToken,
	type KeyStore,
	type LuciaAuth,
	type PasswordTokenWrapper,
	passwordToken,
} from "../../src/index.js";

export type Make = (
	auth: LuciaAuth | KeyStore,
	name: string,
	options: IdTokenOptions,
) => PasswordTokenWrapper;

/** Gives an id token's handler the signature of a password token's, and drops the user id. */
export const withoutUser = (handler: IdTokenWrapper): PasswordTokenWrapper => {
	const { validate, getToken, invalidate, invalidateToken } = handler;
	return {
		...handler,
		validate: (token, _userId, options) => validate(token, options),
		getToken: (token, _userId, options) => getToken(token, options),
		invalidate: (token, _userId, options) => invalidate(token, options),
		invalidateToken: (token, _userId, options) => invalidateToken(token, options),
	};
};

const makeLinks: Make = (...args) => withoutUser(idToken(...args));

const makeCodes: Make = (auth, name, options) =>
	passwordToken(auth, name, { maxAttempts: Infinity, ...options });

export const TOKEN_KINDS = [
	{
		kind: "idToken",
		make: makeLinks,
		/** The library's own function, with its own defaults. */
		create: makeLinks,
		/** The id of the key of a user's token. */
		keyId: (name: string, _userId: string, token: string) => `${name}:${token}`,
		defaultToken: /^[a-zA-Z0-9]{43}$/,
		/** The longest name with the shortest token, and the longest token with the name "name". */
		maxNameLength: 253,
		maxLength: 250,
	},
	{
		kind: "passwordToken",
		// How attempts are counted has tests of its own.
		make: makeCodes,
		create: passwordToken,
		keyId: (name: string, userId: string, token: string) => `${name}:${userId}.${token}`,
		defaultToken: /^[0-9]{8}$/,
		maxNameLength: 230,
		maxLength: 227,
	},
] as const;
