import { pg as adapter } from "@lucia-auth/adapter-postgresql";
import { pg as tokenStore } from "@lucia-auth/tokens/pg";
import { Pool, type PoolClient } from "pg";
import type { Database, StoredAccount } from "../database.js";

// Lucia's tables. Tokens are kept in auth_key. The key of a password is `email:ADDRESS`.
const TABLES = `
	CREATE TABLE IF NOT EXISTS auth_user (
		id TEXT NOT NULL PRIMARY KEY,
		email TEXT NOT NULL UNIQUE,
		email_verified BOOLEAN NOT NULL DEFAULT FALSE,
		created_at TIMESTAMPTZ NOT NULL DEFAULT now()
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
		primary_key BOOLEAN NOT NULL,
		hashed_password TEXT,
		expires BIGINT
	);
	CREATE INDEX IF NOT EXISTS auth_session_user_id ON auth_session (user_id);
	CREATE INDEX IF NOT EXISTS auth_key_user_id ON auth_key (user_id);
`;

export const openDatabase = async (url: string): Promise<Database> => {
	const pool = new Pool({ connectionString: url });
	// Without a listener, an idle connection that is cut ends the process.
	pool.on("error", (error) => console.error(error.message));
	await pool.query(TABLES);

	/** Runs statements as one, for one call at a time and user. */
	const atomically = async <T>(
		userId: string,
		work: (client: PoolClient) => Promise<T>,
	): Promise<T> => {
		const client = await pool.connect();
		// Its query fails as well. Without a listener, a connection that is cut ends the process.
		const onError = (error: Error) => console.error(error.message);
		client.on("error", onError);
		try {
			await client.query("BEGIN");
			await client.query("SELECT 1 FROM auth_user WHERE id = $1 FOR UPDATE", [userId]);
			const result = await work(client);
			await client.query("COMMIT");
			return result;
		} catch (error) {
			await client.query("ROLLBACK").catch(() => {}); // the connection may have been cut
			throw error;
		} finally {
			client.off("error", onError);
			client.release();
		}
	};

	/** Deletes the account that has an address, unless it is the given one, or somebody proved the address. */
	const free = async (client: PoolClient, email: string, id: string): Promise<void> => {
		const other = "email = $1 AND id <> $2 AND NOT email_verified";
		const keys = `DELETE FROM auth_key WHERE user_id IN (SELECT id FROM auth_user WHERE ${other})`;
		await client.query(keys, [email, id]);
		await client.query(`DELETE FROM auth_user WHERE ${other}`, [email, id]);
	};

	return {
		// Lucia's adapter has other types of pg.
		adapter: adapter(pool as never),
		tokens: tokenStore(pool),

		findAccount: async (email) => {
			const sql = `SELECT id, email, email_verified AS "isVerified" FROM auth_user WHERE email = $1`;
			return (await pool.query<StoredAccount>(sql, [email])).rows[0];
		},

		findHash: async (userId) => {
			const sql =
				"SELECT hashed_password AS hash FROM auth_key WHERE user_id = $1 AND id LIKE 'email:%'";
			return (await pool.query<{ hash: string }>(sql, [userId])).rows[0]?.hash;
		},

		markVerified: async (userId) => {
			await pool.query("UPDATE auth_user SET email_verified = TRUE WHERE id = $1", [userId]);
		},

		sweep: async () => {
			await pool.query("DELETE FROM auth_session WHERE idle_expires < $1", [Date.now()]);
			await pool.query(`DELETE FROM auth_user
				WHERE NOT email_verified AND created_at < now() - INTERVAL '1 day'
					AND NOT EXISTS (SELECT 1 FROM auth_key WHERE user_id = auth_user.id)`);
		},

		isHash: async (userId, hash) => {
			// FOR UPDATE waits for a change that has begun.
			const sql = "SELECT 1 FROM auth_key WHERE user_id = $1 AND hashed_password = $2 FOR UPDATE";
			return (await pool.query(sql, [userId, hash])).rowCount === 1;
		},

		changeHash: (userId, verified, hash) =>
			atomically(userId, async (client) => {
				const sql =
					"UPDATE auth_key SET hashed_password = $1 WHERE user_id = $2 AND hashed_password = $3";
				if ((await client.query(sql, [hash, userId, verified])).rowCount === 0) return false;
				await client.query("DELETE FROM auth_session WHERE user_id = $1", [userId]);
				return true;
			}),

		resetHash: ({ id, email }, hash) =>
			atomically(id, async (client) => {
				await free(client, email, id);
				await client.query("UPDATE auth_user SET email = $1, email_verified = TRUE WHERE id = $2", [
					email,
					id,
				]);
				await client.query("DELETE FROM auth_key WHERE user_id = $1 AND id LIKE 'email:%'", [id]);
				await client.query("INSERT INTO auth_key VALUES ($1, $2, FALSE, $3, NULL)", [
					`email:${email}`,
					id,
					hash,
				]);
				await client.query("DELETE FROM auth_session WHERE user_id = $1", [id]);
			}),

		changeAddress: (userId, sessionId, email) =>
			atomically(userId, async (client) => {
				await free(client, email, userId);
				const sql = `UPDATE auth_user SET email = $1
					WHERE id = $2 AND EXISTS (SELECT 1 FROM auth_session WHERE id = $3 AND user_id = auth_user.id)`;
				if ((await client.query(sql, [email, userId, sessionId])).rowCount === 0) return false;
				const move = "UPDATE auth_key SET id = $1 WHERE user_id = $2 AND id LIKE 'email:%'";
				await client.query(move, [`email:${email}`, userId]);
				return true;
			}).catch((error: unknown) => {
				// unique_violation: another account has the address.
				if (error instanceof Error && "code" in error && error.code === "23505") return false;
				throw error;
			}),

		close: () => pool.end(),
	};
};
