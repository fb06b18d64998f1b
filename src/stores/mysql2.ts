import { LuciaTokenError } from "../error.js";
import { isExpired } from "../clock.js";
import { type KeyStore, MARK, type StoredKey } from "../key-store.js";
import { type KeyRow, markedBefore, toStoredKey } from "./row.js";

/** A pool or connection of `mysql2/promise`, known by its one method that is used here. */
export interface Mysql2Pool {
	execute(sql: string, values: string[]): Promise<[unknown, unknown]>;
}

// What the letters are, whatever the column's and the connection's character sets and collations,
// which ignore case, accents and trailing spaces by default.
const letters = (text: string): string => `CAST(CONVERT(${text} USING utf8mb4) AS BINARY)`;

// The plain comparison finds the row by its index, the other compares letter for letter. So each
// takes its parameter twice.
const is = (column: string): string => `${column} = ? AND ${letters(column)} = ${letters("?")}`;

const begins = (prefix: string): string =>
	`LOCATE(${letters(prefix)}, ${letters("auth_key.id")}) = 1`;

// Columns are named with their table: a user may have attributes of any name, such as expires.
const SINGLE_USE =
	"auth_key.expires IS NOT NULL AND auth_key.primary_key = 0 AND auth_key.hashed_password IS NULL";

const COLUMNS = "auth_key.id, auth_key.user_id, auth_key.expires";

// Drivers send a number as a double, which not every server puts into a BIGINT by way of a SELECT
// as it is.
const MILLISECONDS = "CAST(? AS SIGNED)";

const EXPIRED = `((${begins("?")} AND auth_key.expires < ${MILLISECONDS})
	OR (${begins(`CONCAT('${MARK}', ?)`)} AND auth_key.expires < ${MILLISECONDS}))`;

const KEY = `${is("auth_key.id")} AND ${SINGLE_USE}`;
const EXPIRED_AT = `AND auth_key.expires < ${MILLISECONDS}`;
const OF_USER = `AND ${letters("auth_key.user_id")} = ${letters("?")}`;
const KEYS_OF_USER = `${is("auth_key.user_id")} AND ${SINGLE_USE}`;

const INSERT = `INSERT INTO auth_key (id, user_id, primary_key, hashed_password, expires)
	SELECT ?, id, 0, NULL, ${MILLISECONDS} FROM auth_user WHERE ${is("id")}`;
const GET = `SELECT ${COLUMNS} FROM auth_key WHERE ${KEY}`;
const DELETE = `DELETE FROM auth_key WHERE ${KEY}`;
const LIST = `SELECT ${COLUMNS} FROM auth_user
	LEFT JOIN auth_key ON auth_key.user_id = auth_user.id AND ${SINGLE_USE}
		AND (${begins("?")} OR ${begins("?")})
	WHERE ${is("auth_user.id")}`;
const DELETE_ALL = `DELETE FROM auth_key WHERE ${KEYS_OF_USER} AND ${begins("?")}`;
const DELETE_EXPIRED_OF_USER = `DELETE FROM auth_key WHERE ${KEYS_OF_USER} AND ${EXPIRED}`;
const DELETE_EXPIRED = `DELETE FROM auth_key WHERE ${SINGLE_USE} AND ${EXPIRED}`;

// A statement that ends with the condition for one key, and its values.
const key = (
	sql: string,
	id: string,
	userId?: string,
	expiredAt?: number,
): [sql: string, ...values: string[]] => {
	const [ofUser, user] = userId === undefined ? ["", []] : [` ${OF_USER}`, [userId]];
	const [expired, at] =
		expiredAt === undefined ? ["", []] : [` ${EXPIRED_AT}`, [String(expiredAt)]];
	return [sql + ofUser + expired, id, id, ...user, ...at];
};

// InnoDB lets statements on neighbouring rows deadlock, such as a sweep and a validation, and rolls one
// of them back: to be tried again, as its documentation says.
const DEADLOCK = 1213;
const MAX_RETRIES = 5;

const isErrno = (error: unknown, ...numbers: unknown[]): boolean =>
	error instanceof Error && "errno" in error && numbers.includes(error.errno);

/**
 * A store on MySQL or MariaDB over `mysql2`, in the `auth_key` table of Lucia's adapter: one statement
 * for each operation. MySQL does not return what it deletes, as MariaDB does, and needs two for
 * `consume`; which of them it is, is asked once.
 *
 * @param pool the pool of `mysql2/promise` that Lucia's adapter was given; not a connection with a
 * transaction open, which a deadlock would roll back as a whole
 * @returns the store, for the first argument of `idToken()` and `passwordToken()`
 * @throws TypeError `pool` has no `execute` method
 *
 * @example
 * const pool = createPool(process.env.DATABASE_URL);
 * const magicLink = idToken(mysql2(pool), "magic-link", { expiresIn: 60 * 10 });
 */
export const mysql2 = (pool: Mysql2Pool): KeyStore => {
	if (typeof pool?.execute !== "function") {
		throw new TypeError("pool must be a pool of mysql2/promise");
	}

	const execute = async (
		sql: string,
		values: string[],
		retries = MAX_RETRIES,
	): Promise<unknown> => {
		try {
			const [result] = await pool.execute(sql, values);
			return result;
		} catch (error) {
			if (retries > 0 && isErrno(error, DEADLOCK)) return execute(sql, values, retries - 1);
			throw error;
		}
	};

	const select = async <Row = KeyRow>(sql: string, ...values: string[]): Promise<Row[]> =>
		(await execute(sql, values)) as Row[];

	const change = async (sql: string, ...values: string[]): Promise<number> =>
		((await execute(sql, values)) as { affectedRows: number }).affectedRows;

	const first = ([row]: KeyRow[]): StoredKey | null => (row ? toStoredKey(row) : null);

	const get = async (id: string, userId?: string): Promise<StoredKey | null> =>
		first(await select(...key(GET, id, userId)));

	let mariadb: Promise<boolean> | undefined;
	const isMariadb = (): Promise<boolean> => {
		mariadb ??= select<{ version: string }>("SELECT VERSION() AS version").then(
			(rows) => rows.some(({ version }) => /mariadb/i.test(version)),
			(error: unknown) => {
				mariadb = undefined;
				throw error;
			},
		);
		return mariadb;
	};

	return {
		get,

		async insert({ id, userId, expires }) {
			const inserted = await change(INSERT, id, String(expires), userId, userId).catch(
				(error: unknown) => {
					// Without a cause: the message of ER_DUP_ENTRY holds the id, and with it the token.
					if (isErrno(error, 1062)) throw new LuciaTokenError("DUPLICATE_TOKEN");
					// The user was deleted while the statement ran.
					if (isErrno(error, 1216, 1452)) throw new LuciaTokenError("INVALID_USER_ID");
					throw error;
				},
			);
			if (inserted === 0) throw new LuciaTokenError("INVALID_USER_ID");
		},

		async consume(id, userId, expiredAt) {
			if (await isMariadb()) {
				const [sql, ...values] = key(DELETE, id, userId, expiredAt);
				return first(await select(`${sql} RETURNING ${COLUMNS}`, ...values));
			}
			const seen = await get(id, userId);
			if (!seen || (expiredAt !== undefined && !isExpired(seen.expires, expiredAt))) return null;
			// The row's lock lets one caller after the other in, and the first alone finds the row. It
			// has to be the key that was read, not one that was stored in its place since.
			const [sql, ...values] = key(DELETE, id, seen.userId);
			const isSame = `AND expires = ${MILLISECONDS}`;
			const deleted = await change(`${sql} ${isSame}`, ...values, String(seen.expires));
			return deleted === 0 ? null : seen;
		},

		async delete(id, userId) {
			await change(...key(DELETE, id, userId));
		},

		async getAllByUser(userId, prefix, orPrefix = prefix) {
			const rows = await select<KeyRow | { id: null }>(LIST, prefix, orPrefix, userId, userId);
			if (rows.length === 0) throw new LuciaTokenError("INVALID_USER_ID");
			// A user without tokens is one row of nulls.
			return rows.filter((row) => row.id !== null).map(toStoredKey);
		},

		async deleteAllByUser(userId, prefix) {
			await change(DELETE_ALL, userId, userId, prefix);
		},

		async deleteExpiredByUser(userId, prefix, now) {
			const expired = [prefix, String(now), prefix, String(markedBefore(now))];
			await change(DELETE_EXPIRED_OF_USER, userId, userId, ...expired);
		},

		async deleteExpired(prefix, now) {
			await change(DELETE_EXPIRED, prefix, String(now), prefix, String(markedBefore(now)));
		},
	};
};
