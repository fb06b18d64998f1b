import { LuciaTokenError } from "../error.js";
import { isExpired } from "../clock.js";
import { type KeyStore, MARK, type StoredKey } from "../key-store.js";
import { retry } from "./retry.js";
import { firstKey, type KeyRow, keysOfUser, markedBefore } from "./row.js";
import { type TableNames, type TablesOption, toTableNames } from "./tables.js";

/** A pool or connection of `mysql2/promise`. Only what the store uses is declared. */
export interface Mysql2Pool {
	execute(sql: string, values: string[]): Promise<[unknown, unknown]>;
	/** A connection has this method; a pool does not. */
	readonly beginTransaction?: unknown;
}

// The bytes of a text, whatever the character sets and collations of column and connection. The default
// collations ignore case, accents, and trailing spaces.
const letters = (text: string): string => `CAST(CONVERT(${text} USING utf8mb4) AS BINARY)`;

// The first comparison uses the index; the second compares byte for byte. So each takes its parameter
// twice.
const is = (column: string): string => `${column} = ? AND ${letters(column)} = ${letters("?")}`;

// Drivers send numbers as doubles, which some servers change on the way through a SELECT into a BIGINT.
// So moments are sent as strings, and cast.
const MILLISECONDS = "CAST(? AS SIGNED)";

const toStatements = ({ user, key, hasLogins }: TableNames) => {
	const begins = (prefix: string): string =>
		`LOCATE(${letters(prefix)}, ${letters(`${key}.id`)}) = 1`;

	// Columns carry their table's name: the table of users may have a column of the same name.
	const singleUse = hasLogins
		? `${key}.expires IS NOT NULL AND ${key}.primary_key = 0 AND ${key}.hashed_password IS NULL`
		: `${key}.expires IS NOT NULL`;

	const columns = `${key}.id, ${key}.user_id, ${key}.expires`;
	const returning = ` RETURNING ${columns}`;

	const expired = `((${begins("?")} AND ${key}.expires < ${MILLISECONDS})
		OR (${begins(`CONCAT('${MARK}', ?)`)} AND ${key}.expires < ${MILLISECONDS}))`;

	const isKey = `${is(`${key}.id`)} AND ${singleUse}`;
	const andOfUser = ` AND ${letters(`${key}.user_id`)} = ${letters("?")}`;
	const isOfUser = `${is(`${key}.user_id`)} AND ${singleUse}`;

	const [into, from] = hasLogins
		? ["id, user_id, primary_key, hashed_password, expires", `?, id, 0, NULL, ${MILLISECONDS}`]
		: ["id, user_id, expires", `?, id, ${MILLISECONDS}`];

	return {
		insert: `INSERT INTO ${key} (${into}) SELECT ${from} FROM ${user} WHERE ${is("id")}`,
		// These two end with the condition for one key. Callers append more.
		get: `SELECT ${columns} FROM ${key} WHERE ${isKey}`,
		delete: `DELETE FROM ${key} WHERE ${isKey}`,
		deleteBoth: `DELETE FROM ${key}
			WHERE ((${is(`${key}.id`)} AND ${key}.expires = ${MILLISECONDS}) OR (${is(`${key}.id`)}))
				AND ${singleUse}${andOfUser}${returning}`,
		andOfUser,
		andExpiredAt: ` AND ${key}.expires < ${MILLISECONDS}`,
		andSame: ` AND expires = ${MILLISECONDS}`,
		returning,
		list: `SELECT ${columns} FROM ${user}
			LEFT JOIN ${key} ON ${key}.user_id = ${user}.id AND ${singleUse}
				AND (${begins("?")} OR ${begins("?")})
			WHERE ${is(`${user}.id`)}`,
		deleteAll: `DELETE FROM ${key} WHERE ${isOfUser} AND ${begins("?")}`,
		deleteExpiredOfUser: `DELETE FROM ${key} WHERE ${isOfUser} AND ${expired}`,
		deleteExpired: `DELETE FROM ${key} WHERE ${singleUse} AND ${expired}`,
	};
};

// Statements on neighboring rows, such as a sweep and a validation, may deadlock in InnoDB. It rolls one
// of them back, and its documentation says to run that one again.
const DEADLOCK = 1213;

const isErrno = (error: unknown, ...numbers: unknown[]): boolean =>
	error instanceof Error && "errno" in error && numbers.includes(error.errno);

/** The options of `mysql2()`. */
export type Mysql2Options = TablesOption;

/**
 * A store on MySQL or MariaDB with `mysql2`. It keeps tokens in the `auth_key` table of Lucia's adapter,
 * and runs one statement for each operation.
 *
 * MySQL cannot return the row that it deletes, so validation takes two statements there. The store queries
 * the version of the server once.
 *
 * @param pool the pool of `mysql2/promise` that you pass to Lucia's adapter
 * @param options `tables`: the names of tables of your own
 * @returns the store; pass it to `idToken()` or `passwordToken()` in place of `auth`
 * @throws TypeError `pool` has no `execute` method, or a name in `tables` is missing
 * @throws RangeError a name in `tables` is not a valid table name
 *
 * @example
 * const pool = createPool(process.env.DATABASE_URL);
 * const magicLink = idToken(mysql2(pool), "magic-link", { expiresIn: 60 * 10 });
 */
export const mysql2 = (pool: Mysql2Pool, { tables }: Mysql2Options = {}): KeyStore => {
	if (typeof pool?.execute !== "function") {
		throw new TypeError("pool must be a pool of mysql2/promise");
	}
	const statements = toStatements(toTableNames(tables, "`"));

	// A deadlock rolls back the whole transaction. On a connection, that may be the caller's: run again, the
	// statement would take effect outside of it.
	const isRolledBack = (error: unknown): boolean =>
		pool.beginTransaction === undefined && isErrno(error, DEADLOCK);

	const execute = async (sql: string, values: string[]): Promise<unknown> => {
		const [result] = await retry(() => pool.execute(sql, values), isRolledBack);
		return result;
	};

	const select = async <Row = KeyRow>(sql: string, ...values: string[]): Promise<Row[]> =>
		(await execute(sql, values)) as Row[];

	const change = async (sql: string, ...values: string[]): Promise<number> =>
		((await execute(sql, values)) as { affectedRows: number }).affectedRows;

	// A statement on one key, and its values.
	const ofKey = (
		sql: string,
		id: string,
		userId?: string,
		expiredAt?: number,
	): [sql: string, ...values: string[]] => {
		const [ofUser, user] = userId === undefined ? ["", []] : [statements.andOfUser, [userId]];
		const [expired, at] =
			expiredAt === undefined ? ["", []] : [statements.andExpiredAt, [String(expiredAt)]];
		return [sql + ofUser + expired, id, id, ...user, ...at];
	};

	const get = async (id: string, userId?: string): Promise<StoredKey | null> =>
		firstKey(await select(...ofKey(statements.get, id, userId)));

	const remove = async (id: string, userId?: string): Promise<void> => {
		await change(...ofKey(statements.delete, id, userId));
	};

	// The row's lock lets callers in one by one, and only the first finds the row. The expiry excludes a
	// key that was stored under the same id since the read.
	const deleteSeen = async (seen: StoredKey): Promise<StoredKey | null> => {
		const [sql, ...values] = ofKey(statements.delete, seen.id, seen.userId);
		const deleted = await change(sql + statements.andSame, ...values, String(seen.expires));
		return deleted === 0 ? null : seen;
	};

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
			const inserted = await change(statements.insert, id, String(expires), userId, userId).catch(
				(error: unknown) => {
					// Without a cause: the message of ER_DUP_ENTRY contains the id, and so the token.
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
				const [sql, ...values] = ofKey(statements.delete, id, userId, expiredAt);
				return firstKey(await select(sql + statements.returning, ...values));
			}
			const seen = await get(id, userId);
			if (!seen || (expiredAt !== undefined && !isExpired(seen.expires, expiredAt))) return null;
			return deleteSeen(seen);
		},

		async consumeAndDelete(key, otherId) {
			const { id, userId, expires } = key;
			if (await isMariadb()) {
				const ids = [id, id, String(expires), otherId, otherId];
				const rows = await select(statements.deleteBoth, ...ids, userId);
				return firstKey(rows.filter((row) => row.id === id));
			}
			const consumed = await deleteSeen(key);
			// An error here would report a used token as unused.
			if (consumed) await remove(otherId, userId).catch(() => {});
			return consumed;
		},

		delete: remove,

		async getAllByUser(userId, prefix, orPrefix = prefix) {
			return keysOfUser(
				await select<KeyRow | { id: null }>(statements.list, prefix, orPrefix, userId, userId),
			);
		},

		async deleteAllByUser(userId, prefix) {
			await change(statements.deleteAll, userId, userId, prefix);
		},

		async deleteExpiredByUser(userId, prefix, now) {
			const expired = [prefix, String(now), prefix, String(markedBefore(now))];
			await change(statements.deleteExpiredOfUser, userId, userId, ...expired);
		},

		async deleteExpired(prefix, now) {
			await change(
				statements.deleteExpired,
				prefix,
				String(now),
				prefix,
				String(markedBefore(now)),
			);
		},
	};
};
