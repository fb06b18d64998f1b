import {
	type IdTokenOptions,
	type IdTokenWrapper,
	idToken,
	type IssueOptions,
	type KeyStore,
	type LuciaAuth,
	passwordToken,
	type Token,
} from "../../src/index.js";

/** One signature for the handlers of both types, for the behavior that they share. */
export interface Handler {
	readonly issue: (userId: string, options?: IssueOptions) => Promise<Token>;
	readonly validate: (token: string | Token, userId: string) => Promise<Token>;
	readonly getToken: (token: string | Token, userId: string) => Promise<Token>;
	readonly invalidate: (token: string | Token, userId: string) => Promise<void>;
	readonly invalidateToken: (token: string | Token, userId: string) => Promise<void>;
	readonly withdraw: (token: Token) => Promise<void>;
	readonly invalidateAllUserTokens: (userId: string) => Promise<void>;
	readonly deleteExpiredUserTokens: (userId: string) => Promise<void>;
	readonly deleteExpiredTokens: () => Promise<number>;
	readonly getAllUserTokens: (userId: string) => Promise<Token[]>;
	readonly getUserTokens: (userId: string) => Promise<Token[]>;
}

export interface TokenKind {
	readonly kind: string;
	readonly make: (auth: LuciaAuth | KeyStore, name: string, options: IdTokenOptions) => Handler;
	/** The library's own function, with its own defaults. */
	readonly create: TokenKind["make"];
	/** The id of the key of a user's token. */
	readonly keyId: (name: string, userId: string, token: string) => string;
	readonly defaultToken: RegExp;
	/** The longest name with the shortest token, and the longest token with the name "name". */
	readonly maxNameLength: number;
	readonly maxLength: number;
}

/** Drops the user id, which the methods of an id token do not take. */
export const withoutUser = (handler: IdTokenWrapper): Handler => {
	const { validate, getToken, invalidate, invalidateToken } = handler;
	return {
		...handler,
		validate: (token) => validate(token),
		getToken: (token) => getToken(token),
		invalidate: (token) => invalidate(token),
		invalidateToken: (token) => invalidateToken(token),
	};
};

const makeLinks: TokenKind["make"] = (auth, name, options) =>
	withoutUser(idToken(auth, name, options));

export const TOKEN_KINDS: readonly TokenKind[] = [
	{
		kind: "idToken",
		make: makeLinks,
		create: makeLinks,
		keyId: (name, _userId, token) => `${name}:${token}`,
		defaultToken: /^[a-zA-Z0-9]{43}$/,
		maxNameLength: 253,
		maxLength: 250,
	},
	{
		kind: "passwordToken",
		// How attempts are counted has tests of its own.
		make: (auth, name, options) => passwordToken(auth, name, { maxAttempts: Infinity, ...options }),
		create: passwordToken,
		keyId: (name, userId, token) => `${name}:${userId}.${token}`,
		defaultToken: /^[0-9]{8}$/,
		maxNameLength: 230,
		maxLength: 227,
	},
];
