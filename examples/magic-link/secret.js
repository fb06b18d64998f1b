// @ts-check
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";

/** What the hashes of codes are worth depends on it: a short one could be found by trying. */
export const MIN_SECRET_LENGTH = 32;

/**
 * The key of the codes' hashes: a random one in a file of its own that only its owner may read, so
 * that codes stay good when the demo is started anew.
 *
 * An app in earnest sets `SECRET`: beside the database, it may be stolen with it.
 *
 * @param {string} dataFile
 */
export const secretBeside = (dataFile) => {
	const file = `${dataFile}.secret`;
	try {
		writeFileSync(file, randomBytes(32).toString("hex"), { flag: "wx", mode: 0o600 });
	} catch (error) {
		if (/** @type {NodeJS.ErrnoException} */ (error).code !== "EEXIST") throw error;
	}
	const secret = readFileSync(file, "utf8").trim();
	if (secret.length < MIN_SECRET_LENGTH) {
		throw new Error(`${file} is too short. Delete it, and a new one is made`);
	}
	return secret;
};
