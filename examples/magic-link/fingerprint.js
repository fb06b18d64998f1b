// @ts-check
import { createHash } from "node:crypto";

/**
 * Names a listed token on a page. What is listed is a digest already, which signs nobody in; a hash
 * of it is of no use to who would compare it with the database either, and shorter.
 *
 * @param {import("@lucia-auth/tokens").Token} token
 */
export const fingerprint = (token) =>
	createHash("sha256").update(token.toString()).digest("hex").slice(0, 32);
