// @ts-check
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";

/** A shorter secret could be guessed, and the hashes of the codes reversed. */
export const MIN_SECRET_LENGTH = 32;

/**
 * Returns the key for the hashes of the codes: a random one, in a file that only its owner can read, so
 * that codes still work after a restart.
 *
 * In production, set `SECRET` instead: a secret beside the database can be stolen with it.
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
		throw new Error(`${file} is too short. Delete it to get a new one`);
	}
	return secret;
};
