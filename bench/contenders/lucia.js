import { idToken, LuciaTokenError } from "@lucia-auth/tokens";
import lucia from "lucia-auth";
import * as published from "published";
import { randomToken } from "../databases/schema.js";

const contender = (name, handler, TokenError, list) => ({
	name,
	issue: async (userId) => (await handler.issue(userId)).toString(),
	async validate(token) {
		try {
			return (await handler.validate(token)).userId;
		} catch (error) {
			if (error instanceof TokenError && error.message === "INVALID_TOKEN") return null;
			throw error;
		}
	},
	unknown: randomToken,
	list: handler[list],
	idsOf: (tokens, userId) => tokens.filter((token) => token.userId === userId).map(String),
	revokeAll: handler.invalidateAllUserTokens,
});

const OPTIONS = { expiresIn: 600 };

/** This library with its native and its default store, and the published one. */
export const luciaContenders = (adapter, nativeStore) => {
	const auth = lucia({ adapter, env: "PROD" });
	return [
		contender(
			"native",
			idToken(nativeStore, "bench", OPTIONS),
			LuciaTokenError,
			"getAllUserTokens",
		),
		contender("default", idToken(auth, "bench", OPTIONS), LuciaTokenError, "getAllUserTokens"),
		contender(
			"1.0.2",
			published.idToken(auth, "bench", OPTIONS),
			published.LuciaTokenError,
			"getUserTokens",
		),
	];
};
