import { LuciaTokenError } from "../error.js";
import { INTERNAL, type KeyStore, MAX_CODES } from "../key-store.js";
import { firstKey, internalBefore, type KeyRow, keysOfUser, toStoredKey } from "./row.js";
import {
	anyOf,
	type BatchRow,
	isSingleUse,
	newKey,
	sweepBatch,
	type TableNames,
	type Tables,
	toTableNames,
} from "./sql.js";

/** How a driver of SQLite runs a statement with its values. */
export interface SqliteDriver {
	/** @returns the rows */
	all(sql: string, ...values: unknown[]): unknown[] | Promise<unknown[]>;
	run(sql: string, ...values: unknown[]): unknown;
}

// The first comparison uses the index, in the type and collation of the column. The second compares byte
// for byte, because that type or collation may take another string for the same id. So each takes its
// parameter twice.
const is = (column: string): string => `${column} = ? AND ${isText(column)}`;

const text = (column: string): string => `CAST(${column} AS TEXT)`;

const isText = (column: string): string => `${text(column)} COLLATE BINARY = ?`;

const begins = (prefix: string, id: string): string => `instr(${id}, ${prefix}) = 1`;

// Drivers round the numbers of a column of integers.
const RETURNING = `RETURNING id, ${text("user_id")} AS user_id, expires`;

// How many rows a batch of a sweep reads: so few that nobody waits long for those that it deletes. Nobody else
// writes meanwhile, and a deleted row may be on a page of its own.
const BATCH_SIZE = 100;

const toStatements = (tables: TableNames) => {
	const { user, key } = tables;
	const id = `${key}.id`;
	const singleUse = isSingleUse(tables, "0");
	const columns = `${id}, ${text(`${key}.user_id`)} AS user_id, ${key}.expires`;

	const expired = `((${begins("?", id)} AND ${key}.expires < ?)
		OR (${begins(`'${INTERNAL}' || ?`, id)} AND ${key}.expires < ?))`;

	const isKey = `${is(id)} AND ${singleUse}
		AND ${text(`${key}.user_id`)} COLLATE BINARY = coalesce(?, ${text(`${key}.user_id`)})`;
	const isOfUser = `${is(`${key}.user_id`)} AND ${singleUse}`;
	const [into, values] = newKey(tables, "0", "?", "id", "?");

	return {
		insert: `INSERT INTO ${key} (${into}) SELECT ${values} FROM ${user} WHERE ${is("id")} RETURNING id`,
		get: `SELECT ${columns} FROM ${key} WHERE ${isKey}`,
		consume: `DELETE FROM ${key} WHERE ${isKey} ${RETURNING}`,
		consumeAndDelete: `DELETE FROM ${key}
			WHERE ((${is(id)} AND ${key}.expires = ?) OR (${is(id)}))
				AND ${singleUse} AND ${isText(`${key}.user_id`)} ${RETURNING}`,
		delete: `DELETE FROM ${key} WHERE ${isKey}`,
		list: `SELECT ${columns} FROM ${user}
			LEFT JOIN ${key} ON ${key}.user_id = ${user}.id AND ${singleUse}
				AND (${begins("?", id)} OR ${begins("?", id)})
			WHERE ${is(`${user}.id`)}`,
		takeAttempts: toTakeAttempts(tables),
		deleteAll: `DELETE FROM ${key} WHERE ${isOfUser} AND ${begins("?", id)}`,
		deleteExpiredOfUser: `DELETE FROM ${key} WHERE ${isOfUser} AND ${expired}`,
		// The order of the primary key, so that no batch reads what another one has read.
		readBatch: `SELECT max(id) AS last, count(*) AS size, coalesce(sum(expired), 0) AS expired FROM (
				SELECT ${id}, ${singleUse} AND ${expired} AS expired
				FROM ${key} WHERE ${id} > ? ORDER BY ${id} LIMIT ${BATCH_SIZE}
			) AS batch`,
		deleteExpired: `DELETE FROM ${key} WHERE ${singleUse} AND ${expired} AND id > ? AND id <= ? RETURNING id`,
		deleteOldest: `DELETE FROM ${key} WHERE id IN (
				SELECT ${id} FROM ${key} WHERE ${isOfUser} AND ${begins("?", id)}
				ORDER BY ${key}.expires > ?, ${key}.expires DESC, ${id} COLLATE BINARY DESC LIMIT -1 OFFSET ?
			)`,
	};
};

/**
 * The statement that consumes a key together with its user's others.
 *
 * @param prefixes how many prefixes their ids may begin with
 */
const toConsumeAndRevoke = (tables: TableNames, prefixes: number): string => {
	const { key } = tables;
	return `DELETE FROM ${key} WHERE id IN (
			SELECT other.id FROM ${key} AS own JOIN ${key} AS other ON other.user_id = own.user_id
			WHERE ${is("own.id")} AND ${isSingleUse({ ...tables, key: "own" }, "0")}
				AND ${text("own.user_id")} COLLATE BINARY = coalesce(?, ${text("own.user_id")})
				AND ${text("other.user_id")} COLLATE BINARY = ${text("own.user_id")}
				AND ${isSingleUse({ ...tables, key: "other" }, "0")}
				AND (other.id = own.id OR (own.expires >= ? AND (${anyOf(prefixes, begins("?", "other.id"))})))
		) ${RETURNING}`;
};

/**
 * The statement that takes the attempts of a guess. A statement that writes runs alone, so no other call
 * takes the same attempt.
 *
 * - `mine`: the user's keys. Only this reads the table.
 * - `code`: the newest outstanding codes, and the guessed one if it has expired
 * - `good`: those that have an attempt left
 * - `number`: the numbers among which the lowest free one is: 1, and those after the ones that were taken
 */
const toTakeAttempts = (tables: TableNames): string => {
	const { key } = tables;
	const id = `${key}.id`;
	const attempt = `(
			WITH number (value) AS (
				SELECT 1 UNION ALL SELECT CAST(substr(mine.id, length(start) + 1) AS INTEGER) + 1
				FROM mine WHERE ${begins("start", "mine.id")}
			)
			SELECT start || min(value) FROM number WHERE start || value NOT IN (SELECT id FROM mine)
		)`;
	const [into, values] = newKey(tables, "0", attempt, "user_id", "expires");

	return `WITH mine AS MATERIALIZED (
			SELECT ${id}, ${key}.user_id, ${key}.expires, ${begins("?", id)} AS is_code,
				${id} COLLATE BINARY = ? AS is_guess
			FROM ${key} WHERE ${is(`${key}.user_id`)} AND ${isSingleUse(tables, "0")}
				AND (${begins("?", id)} OR ${begins(`'${INTERNAL}' || ?`, id)})
		), code AS (
			SELECT * FROM (
				SELECT * FROM mine WHERE is_code AND expires >= ?
				ORDER BY expires DESC, id COLLATE BINARY DESC LIMIT ${MAX_CODES}
			)
			UNION ALL SELECT * FROM mine WHERE is_guess AND expires < ?
		), started AS (
			SELECT *, '${INTERNAL}' || id || ' ' || CAST(expires AS INTEGER) || ' ' AS start FROM code
		), good AS MATERIALIZED (
			SELECT * FROM started
			WHERE (SELECT count(*) FROM mine WHERE ${begins("start", "mine.id")}) < ?
		)
		INSERT INTO ${key} (${into})
		SELECT ${values} FROM good WHERE is_guess = (SELECT max(is_guess) FROM good)
		${RETURNING}`;
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

		consume: async (id, userId) => firstKey(await all("consume", id, id, userId ?? null)),

		async consumeAndRevoke(id, userId, prefixes, now) {
			const sql = toConsumeAndRevoke(names, prefixes.length);
			const rows = await driver.all(sql, id, id, userId ?? null, now, ...prefixes);
			return firstKey((rows as KeyRow[]).filter((row) => row.id === id));
		},

		async consumeAndDelete({ id, userId, expires }, attemptId) {
			const rows = await all("consumeAndDelete", id, id, expires, attemptId, attemptId, userId);
			return firstKey(rows.filter((row) => row.id === id));
		},

		delete: (id, userId) => run("delete", id, id, userId ?? null),

		async getAllByUser(userId, prefix, orPrefix = prefix) {
			return keysOfUser(await all<KeyRow | { id: null }>("list", prefix, orPrefix, userId, userId));
		},

		deleteAllByUser: (userId, prefix) => run("deleteAll", userId, userId, prefix),

		deleteExpiredByUser: (userId, prefix, now) =>
			run("deleteExpiredOfUser", userId, userId, prefix, now, prefix, internalBefore(now)),

		async deleteExpired(prefix, now, after) {
			const values = [prefix, now, prefix, internalBefore(now), after];
			const [batch] = await all<BatchRow>("readBatch", ...values);
			return sweepBatch(
				batch,
				BATCH_SIZE,
				async (last) => (await all("deleteExpired", ...values, last)).length,
			);
		},

		deleteOldest: (userId, prefix, max, latest) =>
			run("deleteOldest", userId, userId, prefix, latest, max),

		async takeAttempts({ userId, prefix, id, now, maxAttempts }) {
			const values = [prefix, id, userId, userId, prefix, prefix, now, now, maxAttempts];
			return (await all("takeAttempts", ...values)).map(toStoredKey);
		},
	};
};
