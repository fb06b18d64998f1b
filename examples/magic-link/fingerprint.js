// @ts-check
import { createHash } from "node:crypto";

/**
 * Names a token on a page without giving it away: from a hash nobody gets back to 256 random bits.
 *
 * @param {import("@lucia-auth/tokens").Token} token
 */
export const fingerprint = (token) =>
	createHash("sha256").update(token.toString()).digest("hex").slice(0, 32);
