import { LuciaTokenError } from "../error.js";
import { type KeyStore, MARK } from "../key-store.js";
import { firstKey, type KeyRow, keysOfUser, markedBefore } from "./row.js";
import { type TableNames, type Tables, toTableNames } from "./tables.js";

/** How a driver of SQLite runs a statement with its values. */
export interface SqliteDriver {
	/** @returns the rows */
	all(sql: string, ...values: unknown[]): unknown[] | Promise<unknown[]>;
	run(sql: string, ...values: unknown[]): unknown;
}

// The first comparison uses the index; the second compares byte for byte, because the column may be
// COLLATE NOCASE. So each takes its parameter twice.
const is = (column: string): string => `${column} = ? AND ${column} COLLATE BINARY = ?`;

const toStatements = ({ user, key, hasLogins }: TableNames) => {
	const begins = (prefix: string): string => `instr(${key}.id, ${prefix}) = 1`;

	// Columns carry their table's name: the table of users may have a column of the same name.
	const singleUse = hasLogins
		? `${key}.expires IS NOT NULL AND ${key}.primary_key = 0 AND ${key}.hashed_password IS NULL`
		: `${key}.expires IS NOT NULL`;

	const columns = `${key}.id, ${key}.user_id, ${key}.expires`;

	const expired = `((${begins("?")} AND ${key}.expires < ?)
		OR (${begins(`'${MARK}' || ?`)} AND ${key}.expires < ?))`;

	const isKey = `${is(`${key}.id`)} AND ${singleUse} AND ${key}.user_id COLLATE BINARY = coalesce(?, ${key}.user_id)`;
	const isOfUser = `${is(`${key}.user_id`)} AND ${singleUse}`;

	const [into, from] = hasLogins
		? ["id, user_id, primary_key, hashed_password, expires", "?, id, 0, NULL, ?"]
		: ["id, user_id, expires", "?, id, ?"];

	return {
		insert: `INSERT INTO ${key} (${into}) SELECT ${from} FROM ${user} WHERE ${is("id")} RETURNING id`,
		get: `SELECT ${columns} FROM ${key} WHERE ${isKey}`,
		consume: `DELETE FROM ${key} WHERE ${isKey}
			AND ${key}.expires < coalesce(?, ${key}.expires + 1) RETURNING id, user_id, expires`,
		consumeAndDelete: `DELETE FROM ${key}
			WHERE ((${is(`${key}.id`)} AND ${key}.expires = ?) OR (${is(`${key}.id`)}))
				AND ${singleUse} AND ${key}.user_id COLLATE BINARY = ? RETURNING id, user_id, expires`,
		delete: `DELETE FROM ${key} WHERE ${isKey}`,
		list: `SELECT ${columns} FROM ${user}
			LEFT JOIN ${key} ON ${key}.user_id = ${user}.id AND ${singleUse}
				AND (${begins("?")} OR ${begins("?")})
			WHERE ${is(`${user}.id`)}`,
		deleteAll: `DELETE FROM ${key} WHERE ${isOfUser} AND ${begins("?")}`,
		deleteExpiredOfUser: `DELETE FROM ${key} WHERE ${isOfUser} AND ${expired}`,
		deleteExpired: `DELETE FROM ${key} WHERE ${singleUse} AND ${expired}`,
	};
};

/** A store on SQLite, with any of its drivers. */
export const sqliteStore = (driver: SqliteDriver, tables: Tables | undefined): KeyStore => {
	const names = toTableNames(tables, '"');
	const statements = toStatements(names);

	const all = async <Row = KeyRow>(
		statement: keyof typeof statements,
		...values: unknown[]
	): Promise<Row[]> => (await driver.all(statements[statement], ...values)) as Row[];

	const run = async (statement: keyof typeof statements, ...values: unknown[]): Promise<void> => {
		await driver.run(statements[statement], ...values);
	};

	// SQLite's message for a duplicate names the table without its schema, and in the letter case of its
	// CREATE TABLE.
	const column = `${names.key.replaceAll('"', "").replace(/.*\./, "")}.id`.toLowerCase();
	const isDuplicate = (error: unknown): boolean =>
		error instanceof Error &&
		error.message.toLowerCase().includes(`unique constraint failed: ${column}`);

	return {
		async insert({ id, userId, expires }) {
			let inserted;
			try {
				inserted = await all("insert", id, expires, userId, userId);
			} catch (cause) {
				if (isDuplicate(cause)) throw new LuciaTokenError("DUPLICATE_TOKEN", { cause });
				throw cause;
			}
			if (inserted.length === 0) throw new LuciaTokenError("INVALID_USER_ID");
		},

		get: async (id, userId) => firstKey(await all("get", id, id, userId ?? null)),

		consume: async (id, userId, expiredAt) =>
			firstKey(await all("consume", id, id, userId ?? null, expiredAt ?? null)),

		async consumeAndDelete({ id, userId, expires }, otherId) {
			const rows = await all("consumeAndDelete", id, id, expires, otherId, otherId, userId);
			return firstKey(rows.filter((row) => row.id === id));
		},

		delete: (id, userId) => run("delete", id, id, userId ?? null),

		async getAllByUser(userId, prefix, orPrefix = prefix) {
			return keysOfUser(await all<KeyRow | { id: null }>("list", prefix, orPrefix, userId, userId));
		},

		deleteAllByUser: (userId, prefix) => run("deleteAll", userId, userId, prefix),

		deleteExpiredByUser: (userId, prefix, now) =>
			run("deleteExpiredOfUser", userId, userId, prefix, now, prefix, markedBefore(now)),

		deleteExpired: (prefix, now) => run("deleteExpired", prefix, now, prefix, markedBefore(now)),
	};
};
