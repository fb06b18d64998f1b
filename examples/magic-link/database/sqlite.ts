import { betterSqlite3 as adapter } from "@lucia-auth/adapter-sqlite";
import { betterSqlite3 as tokenStore } from "@lucia-auth/tokens/better-sqlite3";
import Libsql from "libsql";
import type { Database, StoredAccount } from "../database.js";

// Lucia's tables. Tokens are kept in auth_key. The key of a password is `email:ADDRESS`.
const TABLES = `
	CREATE TABLE IF NOT EXISTS auth_user (
		id TEXT NOT NULL PRIMARY KEY,
		email TEXT NOT NULL UNIQUE,
		email_verified INTEGER NOT NULL DEFAULT 0,
		created_at INTEGER NOT NULL DEFAULT (unixepoch())
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

export const openDatabase = async (file: string): Promise<Database> => {
	const db = new Libsql(file);
	db.pragma("journal_mode = WAL");
	db.pragma("busy_timeout = 5000"); // milliseconds to wait for another process
	db.pragma("foreign_keys = ON");
	db.exec(TABLES);

	const run = (sql: string, ...values: unknown[]): number => db.prepare(sql).run(values).changes;
	const get = (sql: string, ...values: unknown[]) => db.prepare(sql).get(values);

	/** Runs statements as one. The driver is synchronous, so no other request comes between them. */
	const atomically = <T>(work: () => T): T => db.transaction(work).immediate();

	/** Deletes the account that has an address, unless it is the given one, or somebody proved the address. */
	const free = (email: string, id: string): void => {
		const other = "email = ? AND id <> ? AND email_verified = 0";
		run(
			`DELETE FROM auth_key WHERE user_id IN (SELECT id FROM auth_user WHERE ${other})`,
			email,
			id,
		);
		run(`DELETE FROM auth_user WHERE ${other}`, email, id);
	};

	return {
		// libsql has the interface of better-sqlite3.
		adapter: adapter(db as never),
		tokens: tokenStore(db),

		findAccount: async (email) => {
			const row = get("SELECT * FROM auth_user WHERE email = ?", email) as
				(StoredAccount & { email_verified: number }) | undefined;
			return row && { id: row.id, email: row.email, isVerified: row.email_verified === 1 };
		},

		findHash: async (userId) => {
			const sql =
				"SELECT hashed_password AS hash FROM auth_key WHERE user_id = ? AND id LIKE 'email:%'";
			return (get(sql, userId) as { hash: string } | undefined)?.hash;
		},

		markVerified: async (userId) => {
			run("UPDATE auth_user SET email_verified = 1 WHERE id = ?", userId);
		},

		sweep: async () => {
			run("DELETE FROM auth_session WHERE idle_expires < ?", Date.now());
			run(`DELETE FROM auth_user
				WHERE email_verified = 0 AND created_at < unixepoch() - 24 * 60 * 60
					AND NOT EXISTS (SELECT 1 FROM auth_key WHERE user_id = auth_user.id)`);
		},

		isHash: async (userId, hash) =>
			get("SELECT 1 FROM auth_key WHERE user_id = ? AND hashed_password = ?", userId, hash) !==
			undefined,

		changeHash: async (userId, verified, hash) =>
			atomically(() => {
				const sql =
					"UPDATE auth_key SET hashed_password = ? WHERE user_id = ? AND hashed_password = ?";
				if (run(sql, hash, userId, verified) === 0) return false;
				run("DELETE FROM auth_session WHERE user_id = ?", userId);
				return true;
			}),

		resetHash: async ({ id, email }, hash) =>
			atomically(() => {
				free(email, id);
				run("UPDATE auth_user SET email = ?, email_verified = 1 WHERE id = ?", email, id);
				run("DELETE FROM auth_key WHERE user_id = ? AND id LIKE 'email:%'", id);
				run("INSERT INTO auth_key VALUES (?, ?, 0, ?, NULL)", `email:${email}`, id, hash);
				run("DELETE FROM auth_session WHERE user_id = ?", id);
			}),

		changeAddress: async (userId, sessionId, email) =>
			atomically(() => {
				free(email, userId);
				const sql = `UPDATE OR IGNORE auth_user SET email = ?
					WHERE id = ? AND EXISTS (SELECT 1 FROM auth_session WHERE id = ? AND user_id = auth_user.id)`;
				if (run(sql, email, userId, sessionId) === 0) return false;
				const move = "UPDATE auth_key SET id = ? WHERE user_id = ? AND id LIKE 'email:%'";
				run(move, `email:${email}`, userId);
				return true;
			}),

		close: async () => void db.close(),
	};
};
