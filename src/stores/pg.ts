import { checksum } from "../checksum.js";
import { LuciaTokenError } from "../error.js";
import { type KeyStore, MARK } from "../key-store.js";
import { retry } from "./retry.js";
import { firstKey, type KeyRow, keysOfUser, markedBefore } from "./row.js";
import { type TableNames, type TablesOption, toTableNames } from "./tables.js";

/** A `Pool` or `Client` of `pg`. Only the method that the store calls is declared. */
export interface PgPool {
	query(query: { name?: string; text: string; values: unknown[] }): Promise<{
		rows: unknown[];
		rowCount: number | null;
	}>;
}

/** The options of `pg()`. */
export interface PgOptions extends TablesOption {
	/**
	 * Whether to prepare each statement once per connection. Turn this off behind a pooler that assigns
	 * connections per transaction and does not support prepared statements, such as PgBouncer before 1.21.
	 *
	 * @default true
	 */
	readonly prepare?: boolean | undefined;
}

// The first comparison uses the index, in the type and collation of the column. The second compares byte
// for byte, because that collation may ignore case or accents.
const is = (column: string, parameter: string): string =>
	`${column} = ${parameter} AND ${column}::text COLLATE "C" = ${parameter}::text`;

const toStatements = ({ user, key, hasLogins }: TableNames) => {
	const begins = (prefix: string): string => `starts_with(${key}.id::text COLLATE "C", ${prefix})`;

	// Columns carry their table's name: the table of users may have a column of the same name.
	const singleUse = hasLogins
		? `${key}.expires IS NOT NULL AND NOT ${key}.primary_key AND ${key}.hashed_password IS NULL`
		: `${key}.expires IS NOT NULL`;

	const columns = `${key}.id, ${key}.user_id, ${key}.expires`;

	const isKey = `${is(`${key}.id`, "$1")} AND ${singleUse}
		AND ($2::text IS NULL OR ${key}.user_id::text COLLATE "C" = $2::text)`;

	const isOfUser = `${is(`${key}.user_id`, "$1")} AND ${singleUse}`;

	const expired = (prefix: string, now: string, markedBefore: string): string =>
		`((${begins(`${prefix}::text`)} AND ${key}.expires < ${now}::bigint)
		OR (${begins(`'${MARK}' || ${prefix}::text`)} AND ${key}.expires < ${markedBefore}::bigint))`;

	// The user id is copied from the table of users, so it may be of any type, such as UUID.
	const [into, from] = hasLogins
		? [
				"id, user_id, primary_key, hashed_password, expires",
				"$1::text, id, false, NULL, $3::bigint",
			]
		: ["id, user_id, expires", "$1::text, id, $3::bigint"];

	return {
		insert: `INSERT INTO ${key} (${into}) SELECT ${from} FROM ${user} WHERE ${is("id", "$2")}
			ON CONFLICT (id) DO NOTHING`,
		"find-user": `SELECT 1 FROM ${user} WHERE ${is("id", "$1")}`,
		get: `SELECT ${columns} FROM ${key} WHERE ${isKey}`,
		consume: `DELETE FROM ${key} WHERE ${isKey}
			AND ($3::bigint IS NULL OR ${key}.expires < $3::bigint) RETURNING ${columns}`,
		// Two statements with an index each. For an OR of both ids, the planner may read the whole table, which
		// conflicts with every other transaction if they are serializable.
		"consume-and-delete": `WITH consumed AS (
				DELETE FROM ${key} WHERE ${isKey} AND ${key}.expires = $4::bigint RETURNING ${columns}
			), other AS (
				DELETE FROM ${key} WHERE ${is(`${key}.id`, "$3")} AND ${singleUse}
					AND ${key}.user_id::text COLLATE "C" = $2::text AND EXISTS (SELECT FROM consumed)
			) SELECT id, user_id, expires FROM consumed`,
		list: `SELECT ${columns} FROM ${user}
			LEFT JOIN ${key} ON ${key}.user_id = ${user}.id AND ${singleUse}
				AND (${begins("$2")} OR ${begins("$3")})
			WHERE ${is(`${user}.id`, "$1")}`,
		"delete-all": `DELETE FROM ${key} WHERE ${isOfUser} AND ${begins("$2")}`,
		"delete-expired-of-user": `DELETE FROM ${key} WHERE ${isOfUser} AND ${expired("$2", "$3", "$4")}`,
		"delete-expired": `DELETE FROM ${key} WHERE ${singleUse} AND ${expired("$1", "$2", "$3")}`,
	};
};

const isCode = (error: unknown, ...codes: unknown[]): boolean =>
	error instanceof Error && "code" in error && codes.includes(error.code);

// A serialization failure or a deadlock. PostgreSQL's documentation says to try again.
const isRolledBack = (error: unknown): boolean => isCode(error, "40001", "40P01");

// A Client may be in the caller's transaction, which rejects every statement after a failed one.
const isAborted = (error: unknown): boolean => isCode(error, "25P02");

/**
 * A store on PostgreSQL with `pg`. It keeps tokens in the `auth_key` table of Lucia's adapter, and runs
 * one statement for each operation. If a token cannot be stored, a second statement finds out why.
 *
 * @param pool the `Pool` that you pass to Lucia's adapter
 * @param options `prepare`: false behind a pooler that does not support prepared statements; `tables`:
 * the names of tables of your own
 * @returns the store; pass it to `idToken()` or `passwordToken()` in place of `auth`
 * @throws TypeError `pool` has no `query` method, or a name in `tables` is missing
 * @throws RangeError a name in `tables` is not a valid table name
 *
 * @example
 * const pool = new Pool({ connectionString: process.env.DATABASE_URL });
 * const magicLink = idToken(pg(pool), "magic-link", { expiresIn: 60 * 10 });
 */
export const pg = (pool: PgPool, { prepare = true, tables }: PgOptions = {}): KeyStore => {
	if (typeof pool?.query !== "function") throw new TypeError("pool must be a Pool of pg");
	const statements = toStatements(toTableNames(tables, '"'));

	// The name depends on the text, because pg rejects a second text under one name. Stores on other tables,
	// or of other versions of this library, may share the pool.
	const names = Object.fromEntries(
		Object.entries(statements).map(([operation, text]) => [
			operation,
			`lucia-tokens-${operation}-${checksum(text)}`,
		]),
	) as Record<keyof typeof statements, string>;

	const run = (operation: keyof typeof statements, ...values: unknown[]) => {
		const text = statements[operation];
		const query = prepare ? { name: names[operation], text, values } : { text, values };
		return retry(() => pool.query(query), isRolledBack, isAborted);
	};

	const query = async <Row = KeyRow>(...statement: Parameters<typeof run>): Promise<Row[]> =>
		(await run(...statement)).rows as Row[];

	return {
		async insert({ id, userId, expires }) {
			const { rowCount } = await run("insert", id, userId, expires).catch((error: unknown) => {
				// The user was deleted while the statement ran.
				if (isCode(error, "23503")) throw new LuciaTokenError("INVALID_USER_ID");
				throw error;
			});
			if (rowCount === 1) return;
			// Finding the cause in the first statement would slow down every insert.
			const isKnown = (await query("find-user", userId)).length > 0;
			throw new LuciaTokenError(isKnown ? "DUPLICATE_TOKEN" : "INVALID_USER_ID");
		},

		get: async (id, userId) => firstKey(await query("get", id, userId)),

		consume: async (id, userId, expiredAt) =>
			firstKey(await query("consume", id, userId, expiredAt)),

		consumeAndDelete: async ({ id, userId, expires }, otherId) =>
			firstKey(await query("consume-and-delete", id, userId, otherId, expires)),

		async delete(id, userId) {
			await query("consume", id, userId, null);
		},

		async getAllByUser(userId, prefix, orPrefix = prefix) {
			return keysOfUser(await query<KeyRow | { id: null }>("list", userId, prefix, orPrefix));
		},

		async deleteAllByUser(userId, prefix) {
			await query("delete-all", userId, prefix);
		},

		async deleteExpiredByUser(userId, prefix, now) {
			await query("delete-expired-of-user", userId, prefix, now, markedBefore(now));
		},

		async deleteExpired(prefix, now) {
			await query("delete-expired", prefix, now, markedBefore(now));
		},
	};
};
