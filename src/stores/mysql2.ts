import { ownOptions } from "../check.js";
import { LuciaTokenError } from "../error.js";
import { type Guess, INTERNAL, type KeyStore, MAX_CODES, type StoredKey } from "../key-store.js";
import { takeOneByOne } from "../limits/attempts.js";
import {
	firstKey,
	internalBefore,
	type KeyRow,
	keysOfUser,
	orNothing,
	toStoredKey,
} from "./row.js";
import {
	anyOf,
	BATCH_SIZE,
	type BatchRow,
	checkDriver,
	isSingleUse,
	type Mistake,
	newKey,
	retry,
	sweepBatch,
	type TableNames,
	type Tables,
	type TablesOption,
	toTableNames,
} from "./sql.js";

/** A pool or connection of `mysql2/promise` or `mariadb`. Only what the store uses is declared. */
export interface Mysql2Pool {
	execute(sql: string, values: string[]): Promise<[unknown, unknown]>;
	/** A connection has this method; a pool does not. */
	readonly beginTransaction?: unknown;
	/** One of `mariadb` has this method. */
	readonly batch?: unknown;
}

// The bytes of a string, or of a number's digits, whatever the character sets and collations of column and
// connection. The default collations ignore case, accents, and trailing spaces.
const letters = (text: string): string => `CAST(CONVERT(${text} USING utf8mb4) AS BINARY)`;

// The first comparison is in the column's type, and uses the index. The second compares byte for byte. So
// each takes its parameter twice.
const is = (column: string): string => `${column} = ? AND ${letters(column)} = ${letters("?")}`;

const begins = (prefix: string, id: string): string =>
	`LOCATE(${letters(prefix)}, ${letters(id)}) = 1`;

// Drivers send numbers as doubles, which some servers change on the way through a SELECT into a BIGINT.
// So numbers are sent as strings, and cast.
const NUMBER = "CAST(? AS SIGNED)";

// Bytes, because the server converts strings to the connection's character set, and puts `?` for letters that
// it lacks: another user's id, perhaps. Drivers round the numbers of a BIGINT.
const columnsOf = (key: string): string =>
	`${key}.id, ${letters(`${key}.user_id`)} AS user_id, ${key}.expires`;

const toStatements = (tables: TableNames) => {
	const { user, key } = tables;
	const id = `${key}.id`;
	const singleUse = isSingleUse(tables, "0");
	const columns = columnsOf(key);
	const returning = ` RETURNING ${columns}`;

	const expired = `((${begins("?", id)} AND ${key}.expires < ${NUMBER})
		OR (${begins(`CONCAT('${INTERNAL}', ?)`, id)} AND ${key}.expires < ${NUMBER}))`;

	const isKey = `${is(id)} AND ${singleUse}`;
	const andOfUser = ` AND ${letters(`${key}.user_id`)} = ${letters("?")}`;
	const isOfUser = `${is(`${key}.user_id`)} AND ${singleUse}`;
	const [into, values] = newKey(tables, "0", "?", "id", NUMBER);

	return {
		insert: `INSERT INTO ${key} (${into}) SELECT ${values} FROM ${user} WHERE ${is("id")}`,
		// These two end with the condition for one key. Callers append more.
		get: `SELECT ${columns} FROM ${key} WHERE ${isKey}`,
		delete: `DELETE FROM ${key} WHERE ${isKey}`,
		deleteBoth: `DELETE FROM ${key}
			WHERE ((${is(id)} AND ${key}.expires = ${NUMBER}) OR (${is(id)}))
				AND ${singleUse}${andOfUser}${returning}`,
		// Both are deleted, so both are locked and read as they are now.
		consumeAndRevoke: (
			prefixes: number,
		) => `DELETE own, other FROM ${key} AS own LEFT JOIN ${key} AS other
				ON other.user_id = own.user_id AND ${letters("other.user_id")} = ${letters("own.user_id")}
					AND other.id <> own.id AND own.expires >= ${NUMBER}
					AND ${isSingleUse({ ...tables, key: "other" }, "0")}
					AND (${anyOf(prefixes, begins("?", "other.id"))})
			WHERE ${is("own.id")} AND ${letters("own.user_id")} = ${letters("?")} AND own.expires = ${NUMBER}
				AND ${isSingleUse({ ...tables, key: "own" }, "0")}`,
		andOfUser,
		andSame: ` AND expires = ${NUMBER}`,
		returning,
		// The tables are not compared with each other: their collations may differ.
		list: `SELECT ${columns} FROM ${user}
			LEFT JOIN ${key} ON ${isOfUser} AND (${begins("?", id)} OR ${begins("?", id)})
			WHERE ${is(`${user}.id`)}`,
		takeAttempts: takeAttemptsSql(tables),
		deleteAll: `DELETE FROM ${key} WHERE ${isOfUser} AND ${begins("?", id)}`,
		deleteExpiredOfUser: `DELETE FROM ${key} WHERE ${isOfUser} AND ${expired}`,
		// The order of the primary key, so that no batch reads what another one has read.
		readBatch: `SELECT ${letters("MAX(id)")} AS last, COUNT(*) AS size, COALESCE(SUM(expired), 0) AS expired FROM (
				SELECT ${id}, ${singleUse} AND ${expired} AS expired
				FROM ${key} WHERE ${id} > ? ORDER BY ${id} LIMIT ${BATCH_SIZE}
			) AS batch`,
		deleteExpired: `DELETE FROM ${key} WHERE ${singleUse} AND ${expired} AND id > ? AND id <= ?`,
		// MySQL takes no OFFSET without a LIMIT, and no string for either.
		deleteOldest: (max: number) => `DELETE ${key} FROM ${key} JOIN (
				SELECT ${id} FROM ${key} WHERE ${isOfUser} AND ${begins("?", id)}
				ORDER BY ${key}.expires > ${NUMBER}, ${key}.expires DESC, ${letters(id)} DESC
				LIMIT 18446744073709551615 OFFSET ${max}
			) AS oldest ON ${id} = oldest.id`,
	};
};

type Statements = ReturnType<typeof toStatements>;

/**
 * The statement that takes the attempts of a guess. MySQL cannot run it.
 *
 * - `mine`: the user's keys. It locks the user first, so the guesses at one user's codes wait for each other
 *   and each one reads what the one before has taken. Without the lock, almost all of them would deadlock.
 * - `codes`: the newest outstanding codes, and the guessed one if it has expired
 * - `numbered`: the attempts at each code, in the order of their numbers
 * - `good`: the codes that have an attempt left, each with its lowest free number
 */
const takeAttemptsSql = (tables: TableNames): string => {
	const { user, key } = tables;
	const id = `${key}.id`;
	const attempts = `CONCAT('${INTERNAL}', code.id, ' ', code.expires, ' ')`;
	const attemptId = `CONCAT('${INTERNAL}', id, ' ', expires, ' ', number)`;
	const [into, values] = newKey(tables, "0", attemptId, "user_id", "expires");

	return `INSERT INTO ${key} (${into})
		WITH mine AS (
			SELECT STRAIGHT_JOIN ${id}, ${key}.user_id, ${key}.expires,
				${begins("?", id)} AS is_code, ${letters(id)} = ${letters("?")} AS is_guess
			FROM (SELECT id FROM ${user} WHERE ${is("id")} FOR UPDATE) AS owner
			STRAIGHT_JOIN ${key} ON ${is(`${key}.user_id`)} AND ${isSingleUse(tables, "0")}
				AND (${begins("?", id)} OR ${begins(`CONCAT('${INTERNAL}', ?)`, id)})
		), codes AS (
			(SELECT * FROM mine WHERE is_code AND expires >= ${NUMBER}
				ORDER BY expires DESC, ${letters("id")} DESC LIMIT ${MAX_CODES})
			UNION ALL SELECT * FROM mine WHERE is_guess AND expires < ${NUMBER}
		), numbered AS (
			SELECT code.*, SUBSTRING_INDEX(attempt.id, ' ', -1) AS number, ROW_NUMBER() OVER (
				PARTITION BY code.id ORDER BY CHAR_LENGTH(attempt.id), attempt.id
			) AS place
			FROM codes AS code LEFT JOIN mine AS attempt ON ${begins(attempts, "attempt.id")}
		), good AS (
			SELECT id, user_id, expires, is_guess, MAX(is_guess) OVER () AS is_hit,
				COALESCE(MIN(IF(number <> CONCAT(place), place, NULL)), COUNT(number) + 1) AS number
			FROM numbered GROUP BY id, user_id, expires, is_guess HAVING COUNT(number) < ${NUMBER}
		)
		SELECT ${values} FROM good WHERE is_guess = is_hit
		RETURNING id, ${letters("user_id")} AS user_id, expires`;
};

const expiredValues = (prefix: string, now: number): string[] => [
	...[prefix, String(now)],
	...[prefix, String(internalBefore(now))],
];

const takeValues = ({ userId, prefix, id, maxAttempts, now }: Guess): string[] => [
	...[prefix, id, userId, userId, userId, userId, prefix, prefix],
	...[now, now, maxAttempts].map(String),
];

// Statements on neighboring rows, such as a sweep and a validation, may deadlock in InnoDB. It rolls one
// of them back, and its documentation says to run that one again.
const DEADLOCK = 1213;
const DUPLICATE = 1062;
const NO_REFERENCED_ROW = [1216, 1452];
// MariaDB has no INSERT … RETURNING before 10.5.
const PARSE_ERROR = 1064;

// What the database says of an id that a column cannot hold or parse: letters that its character set lacks
// (1267 "Illegal mix of collations", 1366, 3988), or a string that is no number or UUID (1292, 1366, 1916).
const NOT_IN_COLUMN = [1267, 1292, 1366, 1916, 3988];

const isErrno = (error: unknown, ...numbers: unknown[]): error is Error =>
	error instanceof Error && "errno" in error && numbers.includes(error.errno);

// An expiry that its column cannot hold is a mistake in the schema, and must be seen.
const isNotInColumn = (error: unknown): boolean =>
	isErrno(error, ...NOT_IN_COLUMN) && !/[`']expires[`']/.test(error.message);

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

const toText = (value: unknown): unknown =>
	value instanceof Uint8Array ? utf8.decode(value) : value;

const withTexts = (row: object): object =>
	Object.fromEntries(Object.entries(row).map(([column, value]) => [column, toText(value)]));

const WRONG_RESULT =
	"execute() must return what that of mysql2/promise does: an array with rows or a result, and fields";

const MISTAKES: readonly Mistake[] = [
	[["promise"], "one with callbacks: pass pool.promise(), or create it with mysql2/promise"],
	[["executeMultiple"], "one of @libsql/client: pass that to libsql()"],
	[["$client"], "a database of Drizzle: pass its $client"],
	[["transaction"], "a client such as PlanetScale's: create a pool with mysql2/promise"],
	[["totalCount"], "a Pool of pg: pass that to pg()"],
];

const WITH_CALLBACKS: Mistake = [["batch"], "one of mariadb/callback: create it with mariadb"];

// Without them, mariadb returns rows alone, and its errors hold the values, and so the token.
const MARIADB_OPTIONS = {
	metaAsArray: true,
	logParam: false,
	namedPlaceholders: false,
	nestTables: false,
	rowsAsArray: false,
};

/** The options of `mysql2()`. */
export type Mysql2Options = TablesOption;

const SERVER = "SHOW VARIABLES WHERE Variable_name IN ('version', 'wsrep_on')";

/** Runs statements on a pool or connection. */
const toRunner = (pool: Mysql2Pool) => {
	// A deadlock rolls back the whole transaction. On a connection, that may be the caller's: run again, the
	// statement would take effect outside of it.
	const isConnection = pool.beginTransaction !== undefined;
	const isRolledBack = (error: unknown): boolean => !isConnection && isErrno(error, DEADLOCK);

	const execute = async (sql: string, values: string[]): Promise<unknown> => {
		const statement = pool.batch ? { ...MARIADB_OPTIONS, sql } : sql;
		const result: unknown = await pool.execute(statement as string, values);
		if (!Array.isArray(result)) throw new TypeError(WRONG_RESULT);
		return result[0];
	};

	/** Selects keys. It is not run again after a deadlock. */
	const selectOnce = async <Row = KeyRow>(sql: string, values: string[]): Promise<Row[]> => {
		const rows = await execute(sql, values);
		if (!Array.isArray(rows)) throw new TypeError(WRONG_RESULT);
		return (rows as object[]).map(withTexts) as Row[];
	};

	const select = <Row = KeyRow>(sql: string, ...values: string[]): Promise<Row[]> =>
		orNothing(
			retry(() => selectOnce<Row>(sql, values), isRolledBack),
			isNotInColumn,
			[],
		);

	/** @returns how many rows the statement changed */
	const change = (sql: string, ...values: string[]): Promise<number> =>
		orNothing(
			retry(async () => {
				const result = (await execute(sql, values)) as { affectedRows?: unknown } | undefined;
				if (typeof result?.affectedRows !== "number") throw new TypeError(WRONG_RESULT);
				return result.affectedRows;
			}, isRolledBack),
			isNotInColumn,
			0,
		);

	let server: Promise<Record<string, string>> | undefined;
	const ask = (): Promise<Record<string, string>> => {
		server ??= select<{ Variable_name: string; Value: string }>(SERVER).then(
			(rows) => Object.fromEntries(rows.map(({ Variable_name, Value }) => [Variable_name, Value])),
			(error: unknown) => {
				server = undefined;
				throw error;
			},
		);
		return server;
	};

	const isMariadb = async (): Promise<boolean> => /mariadb/i.test(String((await ask())["version"]));

	const isGalera = async (): Promise<boolean> => (await ask())["wsrep_on"] === "ON";

	/** Whether the app has begun a transaction. MySQL does not tell. */
	const isInTransaction = async (): Promise<boolean> => {
		if (!isConnection || !(await isMariadb())) return false;
		const [row] = await select<{ active: unknown }>(
			"SELECT @@in_transaction OR NOT @@autocommit AS active",
		);
		return Number(row?.active) === 1;
	};

	return { selectOnce, select, change, isRolledBack, isMariadb, isGalera, isInTransaction };
};

type Runner = ReturnType<typeof toRunner>;

/** The operations on one key. */
const oneKey = (
	{ select, change, isMariadb }: Runner,
	statements: Statements,
): Required<
	Pick<KeyStore, "get" | "consume" | "delete" | "consumeAndDelete" | "consumeAndRevoke">
> => {
	// A statement on one key, and its values.
	const ofKey = (sql: string, id: string, userId?: string): [sql: string, ...values: string[]] =>
		userId === undefined ? [sql, id, id] : [sql + statements.andOfUser, id, id, userId];

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

	return {
		get,
		delete: remove,

		async consume(id, userId) {
			if (await isMariadb()) {
				const [sql, ...values] = ofKey(statements.delete, id, userId);
				return firstKey(await select(sql + statements.returning, ...values));
			}
			const seen = await get(id, userId);
			return seen && deleteSeen(seen);
		},

		async consumeAndRevoke(id, userId, prefixes, now) {
			const own = await get(id, userId);
			if (!own) return null;
			const values = [String(now), ...prefixes, id, id, own.userId, String(own.expires)];
			const deleted = await change(statements.consumeAndRevoke(prefixes.length), ...values);
			return deleted === 0 ? null : own;
		},

		async consumeAndDelete(key, attemptId) {
			const { id, userId, expires } = key;
			if (await isMariadb()) {
				const ids = [id, id, String(expires), attemptId, attemptId];
				const rows = await select(statements.deleteBoth, ...ids, userId);
				return firstKey(rows.filter((row) => row.id === id));
			}
			const consumed = await deleteSeen(key);
			// An error here would report a used token as unused.
			if (consumed) await remove(attemptId, userId).catch(() => {});
			return consumed;
		},
	};
};

const takeAttempts = async (
	{ selectOnce, isMariadb, isGalera, isRolledBack }: Runner,
	statements: Statements,
	store: KeyStore,
	guess: Guess,
): Promise<StoredKey[]> => {
	try {
		// A node of Galera crashes if another one's write meets this statement (MariaDB 10.11.19).
		if ((await isMariadb()) && !(await isGalera())) {
			const rows = await orNothing(
				selectOnce(statements.takeAttempts, takeValues(guess)),
				isNotInColumn,
				[],
			);
			return rows.map(toStoredKey);
		}
	} catch (error) {
		// A call on another server may have taken the number. And InnoDB scans a table that is small or has no
		// index, and locks the rows of other users, too, so guesses deadlock. One by one, only inserts lock.
		if (!isRolledBack(error) && !isErrno(error, DUPLICATE, PARSE_ERROR)) throw error;
	}
	return takeOneByOne(store, guess);
};

/**
 * A store on MySQL or MariaDB with `mysql2` or `mariadb`. It keeps tokens in the `auth_key` table of Lucia's adapter,
 * and runs one statement for each operation.
 *
 * A connection to MariaDB is asked by a statement of its own whether it is in a transaction. There, handlers
 * with `maxAttempts` or `minInterval` throw an `Error`, because a rollback forgets what was counted. MySQL
 * does not tell.
 *
 * MySQL cannot return the row that it changes, so validation takes more statements there. The store queries
 * the version of the server once.
 *
 * @param pool the pool of `mysql2/promise` that you pass to Lucia's adapter, or one of `mariadb`
 * @param options `tables`: the names of tables of your own
 * @returns the store; pass it to `idToken()` or `passwordToken()` in place of `auth`
 * @throws TypeError `pool` is not a pool or connection of `mysql2/promise` or `mariadb`, a name in `tables` is
 * missing, or an option is unknown
 * @throws RangeError a name in `tables` is not a valid table name
 *
 * @example
 * const pool = createPool(process.env.DATABASE_URL);
 * const magicLink = idToken(mysql2(pool), "magic-link", { expiresIn: 60 * 10 });
 */
export const mysql2 = (pool: Mysql2Pool, options?: Mysql2Options): KeyStore => {
	checkDriver(
		pool,
		"pool must be a pool or connection of mysql2/promise or mariadb",
		["execute"],
		// Nothing else tells its pools from those with promises.
		pool?.execute?.length > 2 ? [...MISTAKES, WITH_CALLBACKS] : MISTAKES,
	);
	const { tables } = ownOptions(options, ["tables"]);
	const statements = toStatements(toTableNames(tables as Tables | undefined, "`"));
	const runner = toRunner(pool);
	const { select, change } = runner;

	const store: KeyStore = {
		...oneKey(runner, statements),

		async insert({ id, userId, expires }) {
			const values = [id, String(expires), userId, userId];
			const inserted = await change(statements.insert, ...values).catch((error: unknown) => {
				// Without a cause: the message of ER_DUP_ENTRY contains the id, and so the token.
				if (isErrno(error, DUPLICATE)) throw new LuciaTokenError("DUPLICATE_TOKEN");
				// The user was deleted while the statement ran.
				if (isErrno(error, ...NO_REFERENCED_ROW)) throw new LuciaTokenError("INVALID_USER_ID");
				throw error;
			});
			if (inserted === 0) throw new LuciaTokenError("INVALID_USER_ID");
		},

		async getAllByUser(userId, prefix, orPrefix = prefix) {
			const values = [userId, userId, prefix, orPrefix, userId, userId];
			return keysOfUser(await select<KeyRow | { id: null }>(statements.list, ...values));
		},

		async deleteAllByUser(userId, prefix) {
			await change(statements.deleteAll, userId, userId, prefix);
		},

		async deleteExpiredByUser(userId, prefix, now) {
			const values = [userId, userId, ...expiredValues(prefix, now)];
			await change(statements.deleteExpiredOfUser, ...values);
		},

		async deleteExpired(prefix, now, after) {
			const values = [...expiredValues(prefix, now), after];
			const [batch] = await select<BatchRow>(statements.readBatch, ...values);
			return sweepBatch(batch, BATCH_SIZE, (last) =>
				change(statements.deleteExpired, ...values, last),
			);
		},

		async deleteOldest(userId, prefix, max, latest) {
			const values = [userId, userId, prefix, String(latest)];
			await change(statements.deleteOldest(max), ...values);
		},

		takeAttempts: (guess) => takeAttempts(runner, statements, store, guess),
		isInTransaction: runner.isInTransaction,
	};
	return store;
};
