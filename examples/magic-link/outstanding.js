// @ts-check
import { fingerprint } from "./fingerprint.js";

/** @typedef {{ kind: "link" | "code", id: string, expiresAt: Date }} Outstanding */

/**
 * A user's links and codes that were sent and are still unused.
 *
 * @param {Pick<import("./auth.js").AppAuth, "magicLink" | "signInCode">} auth
 */
export const outstandingTokens = ({ magicLink, signInCode }) => {
	/** @param {string} userId */
	const find = async (userId) => {
		const [links, codes] = await Promise.all([
			magicLink.getAllUserTokens(userId),
			signInCode.getAllUserTokens(userId),
		]);
		return [
			...links.map((token) => ({
				...describe("link", token),
				revoke: () => magicLink.invalidate(token),
			})),
			...codes.map((token) => ({
				...describe("code", token),
				revoke: () => signInCode.invalidate(token, userId),
			})),
		];
	};

	return {
		/** @param {string} userId @returns {Promise<Outstanding[]>} */
		list: find,

		/**
		 * Revokes one of the user's own tokens. Nobody can revoke another user's.
		 *
		 * @param {string} userId
		 * @param {unknown} id
		 */
		revoke: async (userId, id) => {
			const token = (await find(userId)).find((token) => token.id === id);
			await token?.revoke();
		},

		/** @param {string} userId */
		revokeAll: async (userId) => {
			await magicLink.invalidateAllUserTokens(userId);
			await signInCode.invalidateAllUserTokens(userId);
		},
	};
};

/** @param {Outstanding["kind"]} kind @param {import("@lucia-auth/tokens").Token} token */
const describe = (kind, token) => ({ kind, id: fingerprint(token), expiresAt: token.expiresAt });
