import { idToken, LuciaTokenError, passwordToken } from "@lucia-auth/tokens";
import lucia from "lucia-auth";
import * as published from "published";
import { otherCode, randomToken } from "../databases/schema.js";

const base = (name, handler, TokenError) => ({
	name,
	issue: async (userId) => (await handler.issue(userId)).toString(),
	async validate(...token) {
		try {
			return (await handler.validate(...token)).userId;
		} catch (error) {
			if (error instanceof TokenError && error.message === "INVALID_TOKEN") return null;
			throw error;
		}
	},
});

const linkContender = (name, handler, TokenError, list) => ({
	...base(name, handler, TokenError),
	unknown: randomToken,
	list: handler[list],
	idsOf: (tokens, userId) => tokens.filter((token) => token.userId === userId).map(String),
	revokeAll: handler.invalidateAllUserTokens,
});

const codeContender = (name, handler, TokenError) => ({
	...base(name, handler, TokenError),
	wrong: otherCode,
});

const OPTIONS = { expiresIn: 600 };

// What the guide to one-time codes recommends.
const GUIDE = {
	...OPTIONS,
	storeToken: "hashed",
	secret: "a secret of no consequence, for the bench alone",
	maxTokensPerUser: 3,
	maxAttempts: 5,
};

/** This library with its native and its default store, and the published one. */
export const luciaContenders = (adapter, nativeStore) => {
	const auth = lucia({ adapter, env: "PROD" });
	const stores = { native: nativeStore, default: auth };
	const ours = (make) => Object.entries(stores).map(([name, store]) => make(name, store));
	return {
		links: [
			...ours((name, store) =>
				linkContender(name, idToken(store, "bench", OPTIONS), LuciaTokenError, "getAllUserTokens"),
			),
			linkContender(
				"1.0.2",
				published.idToken(auth, "bench", OPTIONS),
				published.LuciaTokenError,
				"getUserTokens",
			),
		],
		codes: [
			...ours((name, store) =>
				codeContender(name, passwordToken(store, "bench-code", OPTIONS), LuciaTokenError),
			),
			...ours((name, store) =>
				codeContender(
					`${name}, guide`,
					passwordToken(store, "bench-guide", GUIDE),
					LuciaTokenError,
				),
			),
			codeContender(
				"1.0.2",
				published.passwordToken(auth, "bench-published", OPTIONS),
				published.LuciaTokenError,
			),
		],
	};
};
