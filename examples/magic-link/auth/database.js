import Database from "libsql";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";

// The tables of Lucia v1, with an email address for each user. It is UNIQUE so that two requests at the
// same moment can't create two users for one address.
const SCHEMA = `
	CREATE TABLE IF NOT EXISTS auth_user (
		id TEXT NOT NULL PRIMARY KEY,
		email TEXT NOT NULL UNIQUE
	);
	CREATE TABLE IF NOT EXISTS auth_session (
		id TEXT NOT NULL PRIMARY KEY,
		user_id TEXT NOT NULL REFERENCES auth_user (id),
		active_expires BIGINT NOT NULL,
		idle_expires BIGINT NOT NULL
	);
	CREATE TABLE IF NOT EXISTS auth_key (
		id TEXT NOT NULL PRIMARY KEY,
		user_id TEXT NOT NULL REFERENCES auth_user (id),
		primary_key INTEGER NOT NULL,
		hashed_password TEXT,
		expires BIGINT
	);
	CREATE INDEX IF NOT EXISTS auth_session_user_id ON auth_session (user_id);
	CREATE INDEX IF NOT EXISTS auth_key_user_id ON auth_key (user_id);
`;

/**
 * Opens the database, and creates the file, its folder and its tables if they are missing.
 *
 * @param {string} file
 */
export const openDatabase = (file) => {
	// The file holds sessions, so only its owner may open the folder.
	mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
	const db = new Database(file);
	db.pragma("journal_mode = WAL");
	db.pragma("busy_timeout = 5000");
	// Otherwise SQLite ignores REFERENCES, and a token could be issued to a user that does not exist.
	db.pragma("foreign_keys = ON");
	db.exec(SCHEMA);
	return db;
};
