import { LuciaTokenError } from "../error.js";
import { type KeyStore, MARK, type StoredKey } from "../key-store.js";
import { type KeyRow, markedBefore, toStoredKey } from "./row.js";

/** A prepared statement. It takes its values one by one, as all four drivers do. */
export interface SqliteStatement {
	all(...values: unknown[]): unknown[];
	run(...values: unknown[]): unknown;
}

/**
 * A `Database` of `better-sqlite3`, `libsql` or `bun:sqlite`, or a `DatabaseSync` of `node:sqlite`,
 * known by its one method that is used here.
 */
export interface SqliteDatabase {
	prepare(sql: string): SqliteStatement;
}

// The plain comparison finds the row by its index, the other compares letter for letter where the
// column is COLLATE NOCASE. So each takes its parameter twice.
const is = (column: string): string => `${column} = ? AND ${column} COLLATE BINARY = ?`;

const begins = (prefix: string): string => `instr(auth_key.id, ${prefix}) = 1`;

// Columns are named with their table: a user may have attributes of any name, such as expires.
const SINGLE_USE =
	"auth_key.expires IS NOT NULL AND auth_key.primary_key = 0 AND auth_key.hashed_password IS NULL";

const COLUMNS = "auth_key.id, auth_key.user_id, auth_key.expires";

const EXPIRED = `((${begins("?")} AND auth_key.expires < ?)
	OR (${begins(`'${MARK}' || ?`)} AND auth_key.expires < ?))`;

const KEY = `${is("auth_key.id")} AND ${SINGLE_USE} AND auth_key.user_id COLLATE BINARY = coalesce(?, auth_key.user_id)`;
const KEYS_OF_USER = `${is("auth_key.user_id")} AND ${SINGLE_USE}`;

const INSERT = `INSERT INTO auth_key (id, user_id, primary_key, hashed_password, expires)
	SELECT ?, id, 0, NULL, ? FROM auth_user WHERE ${is("id")} RETURNING id`;
const GET = `SELECT ${COLUMNS} FROM auth_key WHERE ${KEY}`;
const CONSUME = `DELETE FROM auth_key WHERE ${KEY}
	AND auth_key.expires < coalesce(?, auth_key.expires + 1) RETURNING ${COLUMNS}`;
const DELETE = `DELETE FROM auth_key WHERE ${KEY}`;
const LIST = `SELECT ${COLUMNS} FROM auth_user
	LEFT JOIN auth_key ON auth_key.user_id = auth_user.id AND ${SINGLE_USE}
		AND (${begins("?")} OR ${begins("?")})
	WHERE ${is("auth_user.id")}`;
const DELETE_ALL = `DELETE FROM auth_key WHERE ${KEYS_OF_USER} AND ${begins("?")}`;
const DELETE_EXPIRED_OF_USER = `DELETE FROM auth_key WHERE ${KEYS_OF_USER} AND ${EXPIRED}`;
const DELETE_EXPIRED = `DELETE FROM auth_key WHERE ${SINGLE_USE} AND ${EXPIRED}`;

// By the column, which alone is unique in Lucia's table, or is the whole primary key.
const isDuplicate = (error: unknown): boolean =>
	error instanceof Error && error.message.includes("UNIQUE constraint failed: auth_key.id");

/**
 * A store on SQLite over `better-sqlite3`, `libsql`, `bun:sqlite` or `node:sqlite`, in the `auth_key`
 * table of Lucia's adapter: one statement for each operation.
 *
 * @param db the `Database` that Lucia's adapter was given, or a `DatabaseSync` of `node:sqlite`
 * @returns the store, for the first argument of `idToken()` and `passwordToken()`
 * @throws TypeError `db` has no `prepare` method
 *
 * @example
 * const db = new Database("app.db");
 * const magicLink = idToken(betterSqlite3(db), "magic-link", { expiresIn: 60 * 10 });
 */
export const betterSqlite3 = (db: SqliteDatabase): KeyStore => {
	if (typeof db?.prepare !== "function") {
		throw new TypeError(
			"db must be a Database of better-sqlite3, libsql, bun:sqlite or node:sqlite",
		);
	}

	// At first use and not before, since an app may make its tables after its handlers.
	const statements = new Map<string, SqliteStatement>();
	const prepared = (sql: string): SqliteStatement => {
		const statement = statements.get(sql) ?? db.prepare(sql);
		statements.set(sql, statement);
		return statement;
	};

	const all = <Row = KeyRow>(sql: string, ...values: unknown[]): Row[] =>
		prepared(sql).all(...values) as Row[];

	const run = (sql: string, ...values: unknown[]): void => {
		prepared(sql).run(...values);
	};

	const first = ([row]: KeyRow[]): StoredKey | null => (row ? toStoredKey(row) : null);

	return {
		async insert({ id, userId, expires }) {
			let inserted;
			try {
				inserted = all(INSERT, id, expires, userId, userId);
			} catch (cause) {
				if (isDuplicate(cause)) throw new LuciaTokenError("DUPLICATE_TOKEN", { cause });
				throw cause;
			}
			if (inserted.length === 0) throw new LuciaTokenError("INVALID_USER_ID");
		},

		get: async (id, userId) => first(all(GET, id, id, userId ?? null)),

		consume: async (id, userId, expiredAt) =>
			first(all(CONSUME, id, id, userId ?? null, expiredAt ?? null)),

		async delete(id, userId) {
			run(DELETE, id, id, userId ?? null);
		},

		async getAllByUser(userId, prefix, orPrefix = prefix) {
			const rows = all<KeyRow | { id: null }>(LIST, prefix, orPrefix, userId, userId);
			if (rows.length === 0) throw new LuciaTokenError("INVALID_USER_ID");
			// A user without tokens is one row of nulls.
			return rows.filter((row) => row.id !== null).map(toStoredKey);
		},

		async deleteAllByUser(userId, prefix) {
			run(DELETE_ALL, userId, userId, prefix);
		},

		async deleteExpiredByUser(userId, prefix, now) {
			run(DELETE_EXPIRED_OF_USER, userId, userId, prefix, now, prefix, markedBefore(now));
		},

		async deleteExpired(prefix, now) {
			run(DELETE_EXPIRED, prefix, now, prefix, markedBefore(now));
		},
	};
};
