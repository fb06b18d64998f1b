// @ts-check
import { createHash } from "node:crypto";

/**
 * Names a listed token on a page. What is listed is already a digest, which signs nobody in. A hash of
 * it is shorter, and can't be compared with the database.
 *
 * @param {import("@lucia-auth/tokens").Token} token
 */
export const fingerprint = (token) =>
	createHash("sha256").update(token.toString()).digest("hex").slice(0, 32);
