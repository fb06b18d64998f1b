import { ownOptions } from "../check.js";
import { LuciaTokenError } from "../error.js";
import { type Guess, INTERNAL, type KeyStore, MAX_CODES, type StoredKey } from "../key-store.js";
import {
	type PgDriver,
	type Pglite,
	type PgPool,
	type PostgresSql,
	toPgDriver,
} from "./pg-driver.js";
import {
	firstKey,
	internalBefore,
	type KeyRow,
	keysOfUser,
	orNothing,
	toStoredKey,
} from "./row.js";
import {
	BATCH_SIZE,
	type BatchRow,
	isSingleUse,
	newKey,
	retry,
	sweepBatch,
	type TableNames,
	type Tables,
	type TablesOption,
	toTableNames,
} from "./sql.js";

export type { Pglite, PgPool, PostgresSql };

/** The options of `pg()`. */
export interface PgOptions extends TablesOption {
	/**
	 * Whether to prepare each statement once per connection. Behind a pooler that assigns connections per
	 * transaction and does not support prepared statements, such as PgBouncer before 1.21, the first statements
	 * fail: the store sends them again without a name, and prepares nothing from then on. Turn this off to
	 * save these failures. In a transaction of yours they would end it, so a client prepares nothing by default.
	 *
	 * @default true for a pool, false for a client
	 */
	readonly prepare?: boolean | undefined;
}

// The string in the database. A cast would strip the padding of a CHAR.
const text = (userId: string): string => `concat(${userId})`;

const isText = (userId: string, parameter: string): string =>
	`${text(userId)} COLLATE "C" = ${parameter}::text`;

// The first comparison uses the index, in the type and collation of the column. The second compares byte
// for byte, because that type or collation may take another string for the same id.
const isKeyId = (column: string, parameter: string): string =>
	`${column} = ${parameter} AND ${column}::text COLLATE "C" = ${parameter}::text`;

// A parameter has one type: the column's, perhaps UUID, or text. So a user's id is passed twice.
const isUser = (column: string): string => `${column} = $1 AND ${isText(column, "$2")}`;

const begins = (prefix: string, id: string): string =>
	`starts_with(${id}::text COLLATE "C", ${prefix})`;

const toStatements = (tables: TableNames) => {
	const { user, key } = tables;
	const id = `${key}.id`;
	const singleUse = isSingleUse(tables, "false");
	const columns = `${id}, ${text(`${key}.user_id`)} AS user_id, ${key}.expires`;

	const isKey = `${isKeyId(id, "$1")} AND ${singleUse}
		AND ($2::text IS NULL OR ${isText(`${key}.user_id`, "$2")})`;

	const isOfUser = `${isUser(`${key}.user_id`)} AND ${singleUse}`;

	const expired = (prefix: string, now: string, internalBefore: string): string =>
		`((${begins(`${prefix}::text`, id)} AND ${key}.expires < ${now}::bigint)
		OR (${begins(`'${INTERNAL}' || ${prefix}::text`, id)} AND ${key}.expires < ${internalBefore}::bigint))`;

	// The user id is copied from the table of users, so it may be of any type, such as UUID.
	const [into, values] = newKey(tables, "false", "$3::text", "id", "$4::bigint");

	return {
		insert: `INSERT INTO ${key} (${into}) SELECT ${values} FROM ${user} WHERE ${isUser("id")}
			ON CONFLICT (id) DO NOTHING`,
		"find-user": `SELECT 1 FROM ${user} WHERE ${isUser("id")}`,
		get: `SELECT ${columns} FROM ${key} WHERE ${isKey}`,
		consume: `DELETE FROM ${key} WHERE ${isKey} RETURNING ${columns}`,
		// Two statements with an index each. For an OR of both ids, the planner may read the whole table, which
		// conflicts with every other transaction if they are serializable.
		"consume-and-delete": `WITH consumed AS (
				DELETE FROM ${key} WHERE ${isKey} AND ${key}.expires = $4::bigint RETURNING ${columns}
			), other AS (
				DELETE FROM ${key} WHERE ${isKeyId(id, "$3")} AND ${singleUse}
					AND ${isText(`${key}.user_id`, "$2")} AND EXISTS (SELECT FROM consumed)
			) SELECT id, user_id, expires FROM consumed`,
		// All calls lock the rows in one order, so they do not deadlock. A call that waited finds what is left.
		"consume-and-revoke": `WITH own AS MATERIALIZED (
				SELECT ${id}, ${key}.user_id, ${key}.expires FROM ${key} WHERE ${isKey}
			), locked AS MATERIALIZED (
				SELECT ${id} FROM ${key} JOIN own ON ${key}.user_id = own.user_id
					AND ${text(`${key}.user_id`)} COLLATE "C" = ${text("own.user_id")} COLLATE "C"
				WHERE ${singleUse} AND (${id} = own.id OR (own.expires >= $3::bigint
					AND EXISTS (SELECT FROM unnest($4::text[]) AS prefix WHERE ${begins("prefix", id)})))
				ORDER BY ${id}::text COLLATE "C" FOR UPDATE OF ${key.replace(/.*\./, "")}
			), deleted AS (
				DELETE FROM ${key} WHERE id IN (SELECT id FROM locked)
					AND EXISTS (SELECT FROM locked JOIN own ON locked.id = own.id)
				RETURNING ${columns}
			) SELECT deleted.* FROM deleted JOIN own ON deleted.id = own.id`,
		list: `SELECT ${columns} FROM ${user}
			LEFT JOIN ${key} ON ${key}.user_id = ${user}.id AND ${singleUse}
				AND (${begins("$3", id)} OR ${begins("$4", id)})
			WHERE ${isUser(`${user}.id`)}`,
		"take-attempts": toTakeAttempts(tables),
		"delete-all": `DELETE FROM ${key} WHERE ${isOfUser} AND ${begins("$3", id)}`,
		"delete-expired-of-user": `DELETE FROM ${key} WHERE ${isOfUser} AND ${expired("$3", "$4", "$5")}`,
		// The order of the primary key, so that no batch reads what another one has read.
		"read-batch": `SELECT max(id)::text AS last, count(*) AS size, count(*) FILTER (WHERE expired) AS expired FROM (
				SELECT ${id}, ${singleUse} AND ${expired("$1", "$2", "$3")} AS expired
				FROM ${key} WHERE ${id} > $4 ORDER BY ${id} LIMIT ${BATCH_SIZE}
			) AS batch`,
		"delete-expired": `DELETE FROM ${key}
			WHERE ${singleUse} AND ${expired("$1", "$2", "$3")} AND id > $4 AND id <= $5`,
		"delete-oldest": `DELETE FROM ${key} WHERE id IN (
				SELECT ${id} FROM ${key} WHERE ${isOfUser} AND ${begins("$3", id)}
				ORDER BY ${key}.expires > $4::bigint, ${key}.expires DESC, ${id}::text COLLATE "C" DESC
				OFFSET $5::int
			)`,
	};
};

/**
 * The statement that takes the attempts of a guess: `$3` is the prefix, `$4` the guessed id, `$5` the time,
 * `$6` the number of attempts. A call that runs it again passes in `$7` what the ids begin with of the
 * attempts that it has taken, and the whole ids of those that it has lost to other calls, and in `$8` the
 * number to start at, from 0.
 *
 * - `mine`: the user's keys. Only this reads the table.
 * - `code`: the newest outstanding codes, and the guessed one if it has expired
 * - `named`: what their attempts' ids begin with
 * - `counted`: the attempts that calls have taken
 * - `good`: the codes that have one left
 * - `wanted`: the first free attempt of each code that must pay
 * - `inserted`: those that no other call has taken. All calls insert them in the order of the codes, so they
 *   do not deadlock.
 */
const toTakeAttempts = (tables: TableNames): string => {
	const { key } = tables;
	const id = `${key}.id`;
	const [into, values] = newKey(tables, "false", "id", "user_id", "expires");

	return `WITH mine AS MATERIALIZED (
			SELECT ${id}::text COLLATE "C" AS id, user_id, expires FROM ${key}
			WHERE ${isUser("user_id")} AND ${isSingleUse(tables, "false")}
				AND (${begins("$3::text", id)} OR ${begins(`'${INTERNAL}' || $3::text`, id)})
		), code AS (
			(SELECT * FROM mine WHERE starts_with(id, $3::text) AND expires >= $5::bigint
				ORDER BY expires DESC, id DESC LIMIT ${MAX_CODES})
			UNION ALL SELECT * FROM mine WHERE id = $4::text AND expires < $5::bigint
		), named AS (
			SELECT *, id = $4::text AS is_guess, '${INTERNAL}' || id || ' ' || expires::bigint || ' ' AS begin FROM code
		), counted AS (
			SELECT *, ARRAY(SELECT id FROM mine WHERE starts_with(id, begin)) AS taken FROM named
		), good AS (
			SELECT *, bool_or(is_guess) OVER () AS is_hit FROM counted WHERE cardinality(taken) < $6::int
		), wanted AS (
			SELECT user_id, expires, (
				SELECT begin || number
				FROM (SELECT ($8::int + generate_series(0, $6::int - 1)) % $6::int + 1 AS number) AS numbers
				WHERE begin || number <> ALL (taken || $7::text[]) LIMIT 1
			) AS id
			FROM good WHERE is_guess = is_hit AND begin <> ALL ($7::text[])
		), inserted AS (
			INSERT INTO ${key} (${into}) SELECT ${values} FROM wanted WHERE id IS NOT NULL
			ON CONFLICT (id) DO NOTHING RETURNING ${id}::text COLLATE "C" AS id
		)
		SELECT id, ${text("user_id")} AS user_id, expires, id IN (SELECT id FROM inserted) AS is_taken
		FROM wanted WHERE id IS NOT NULL`;
};

/** An attempt that a statement wanted to take. */
interface AttemptRow extends KeyRow {
	readonly is_taken: boolean;
}

const isCode = (error: unknown, ...codes: unknown[]): boolean =>
	error instanceof Error && "code" in error && codes.includes(error.code);

// A serialization failure or a deadlock. PostgreSQL's documentation says to try again.
const isRolledBack = (error: unknown): boolean => isCode(error, "40001", "40P01");

// A pooler sent the statement to a connection on which it was not prepared (26000), or another client has
// (42P05), or a migration changed what it returns (0A000). PostgreSQL says so before it runs anything.
const isUnprepared = (error: unknown): boolean => isCode(error, "42P05", "26000", "0A000");

// A Client may be in the caller's transaction, which rejects every statement after a failed one.
const isAborted = (error: unknown): boolean => isCode(error, "25P02");

// The user was deleted while the statement ran.
const USER_GONE = "23503";

// What PostgreSQL says of an id that a column cannot hold or parse: a string that is no UUID, number, or date,
// a number that is too large, or letters that its encoding lacks.
const NOT_IN_COLUMN = ["22P02", "22003", "22007", "22008", "22021", "22P05"];

const isNotInColumn = (error: unknown): boolean => isCode(error, ...NOT_IN_COLUMN);

/**
 * When the transaction began, and whether that was with this statement. A statement that is sent in
 * several messages always begins later, so a client that does so must ask twice.
 */
const IN_TRANSACTION = `SELECT now()::text AS began, now() = statement_timestamp() AS is_first`;

/** Tells strings apart (FNV-1a), where nobody gains from a collision. */
const hash = (text: string): number => {
	let hash = 0x811c9dc5;
	for (const char of text) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193);
	return hash >>> 0;
};

/** Runs statements on a pool. */
const toRunner = (
	pool: PgDriver,
	statements: ReturnType<typeof toStatements>,
	prepare: boolean,
) => {
	// The name depends on the statement, because pg rejects a second statement under one name. Stores on other tables,
	// or of other versions of this library, may share the pool.
	const names = Object.fromEntries(
		Object.entries(statements).map(([operation, text]) => [
			operation,
			`lucia-tokens-${operation}-${hash(text)}`,
		]),
	) as Record<keyof typeof statements, string>;

	let naming = prepare;

	const send = async (text: string, values: unknown[], name = "") => {
		let named = false;
		const result = await retry(
			() => {
				named = naming && name !== "";
				return pool.query(named ? { name, text, values } : { text, values });
			},
			(error) => {
				if (!named || !isUnprepared(error)) return isRolledBack(error);
				naming = false;
				return true;
			},
			isAborted,
		);
		if (Array.isArray(result?.rows)) return result;
		throw new TypeError(
			"query() must return what that of pg does: an object with an array of rows",
		);
	};

	const run = (operation: keyof typeof statements, ...values: unknown[]) =>
		send(statements[operation], values, names[operation]);

	const query = async <Row = KeyRow>(...statement: Parameters<typeof run>): Promise<Row[]> =>
		orNothing(
			run(...statement).then(({ rows }) => rows as Row[]),
			isNotInColumn,
			[],
		);

	const readTransaction = async (): Promise<{ began: string; is_first: boolean } | undefined> => {
		const { rows } = await send(IN_TRANSACTION, []);
		return (rows as { began: string; is_first: boolean }[])[0];
	};

	/** Whether the app has begun a transaction. A pool's statements run outside of any. */
	const isInTransaction = async (): Promise<boolean> => {
		if (pool.isPool) return false;
		if (pool.isInTransaction) return pool.isInTransaction();
		const first = await readTransaction();
		if (!first || first.is_first) return false;
		return first.began === (await readTransaction())?.began;
	};

	return { run, query, isInTransaction };
};

const takeAttempts = async (
	{ query }: Pick<ReturnType<typeof toRunner>, "query">,
	guess: Guess,
): Promise<StoredKey[]> => {
	const { userId, prefix, id, maxAttempts, now } = guess;
	const values = [userId, userId, prefix, id, now, maxAttempts];
	const taken: StoredKey[] = [];
	const tried: string[] = [];
	// It ends, because a call wants no attempt twice.
	for (;;) {
		// Calls that lost start at different numbers.
		const start = tried.length === 0 ? 0 : Math.floor(Math.random() * maxAttempts);
		const rows = await orNothing(
			query<AttemptRow>("take-attempts", ...values, [...tried], start),
			(error) => isCode(error, USER_GONE),
			[],
		);
		taken.push(...rows.filter((row) => row.is_taken).map(toStoredKey));
		if (rows.every((row) => row.is_taken)) return taken;
		tried.push(...rows.map(({ id, is_taken }) => (is_taken ? id.replace(/\d+$/, "") : id)));
	}
};

/**
 * A store on PostgreSQL with `pg`, postgres.js, or PGlite. It keeps tokens in the `auth_key` table of Lucia's
 * adapter, and runs one statement for each operation. If a token cannot be stored, a second statement finds out
 * why. If concurrent guesses at a code take the same attempt, all but one of them run their statement again. A
 * client is asked by a statement of its own, or two, whether it is in a transaction, and so is a PGlite. There,
 * handlers with `maxAttempts` or `minInterval` throw an `Error`, because a rollback forgets what was counted.
 *
 * @param pool the `Pool` that you pass to Lucia's adapter, the `sql` of postgres.js, or a `PGlite`
 * @param options `prepare`: false behind a pooler that does not support prepared statements; `tables`:
 * the names of tables of your own
 * @returns the store; pass it to `idToken()` or `passwordToken()` in place of `auth`
 * @throws TypeError `pool` is none of these, nor a client or transaction of one, a name in `tables` is missing,
 * `prepare` is not a boolean, or an option is unknown
 * @throws RangeError a name in `tables` is not a valid table name
 *
 * @example
 * const pool = new Pool({ connectionString: process.env.DATABASE_URL });
 * const magicLink = idToken(pg(pool), "magic-link", { expiresIn: 60 * 10 });
 */
export const pg = (pool: PgPool | PostgresSql | Pglite, options?: PgOptions): KeyStore => {
	const driver = toPgDriver(pool);
	const { prepare = driver.isPool, tables } = ownOptions(options, ["prepare", "tables"]);
	if (typeof prepare !== "boolean") throw new TypeError("prepare must be a boolean");
	const statements = toStatements(toTableNames(tables as Tables | undefined, '"'));
	const runner = toRunner(driver, statements, prepare);
	const { run, query, isInTransaction } = runner;

	const isKnownUser = async (userId: string): Promise<boolean> =>
		(await query("find-user", userId, userId)).length > 0;

	return {
		async insert({ id, userId, expires }) {
			const { rowCount } = await run("insert", userId, userId, id, expires).catch(
				async (error: unknown) => {
					// Of a known user, it is the key's id or expiry: a mistake in the schema, which must be seen.
					const isKnown = isNotInColumn(error) && (await isKnownUser(userId).catch(() => false));
					const isUnknown = isCode(error, USER_GONE) || (isNotInColumn(error) && !isKnown);
					throw isUnknown ? new LuciaTokenError("INVALID_USER_ID") : error;
				},
			);
			if (rowCount === 1) return;
			// Finding the cause in the first statement would slow down every insert.
			const isKnown = await isKnownUser(userId);
			throw new LuciaTokenError(isKnown ? "DUPLICATE_TOKEN" : "INVALID_USER_ID");
		},

		get: async (id, userId) => firstKey(await query("get", id, userId)),

		consume: async (id, userId) => firstKey(await query("consume", id, userId)),

		consumeAndRevoke: async (id, userId, prefixes, now) =>
			firstKey(await query("consume-and-revoke", id, userId, now, prefixes)),

		consumeAndDelete: async ({ id, userId, expires }, attemptId) =>
			firstKey(await query("consume-and-delete", id, userId, attemptId, expires)),

		async delete(id, userId) {
			await query("consume", id, userId);
		},

		async getAllByUser(userId, prefix, orPrefix = prefix) {
			const values = [userId, userId, prefix, orPrefix];
			return keysOfUser(await query<KeyRow | { id: null }>("list", ...values));
		},

		async deleteAllByUser(userId, prefix) {
			await query("delete-all", userId, userId, prefix);
		},

		async deleteExpiredByUser(userId, prefix, now) {
			const values = [userId, userId, prefix, now, internalBefore(now)];
			await query("delete-expired-of-user", ...values);
		},

		async deleteExpired(prefix, now, after) {
			const values = [prefix, now, internalBefore(now), after];
			const [batch] = await query<BatchRow>("read-batch", ...values);
			return sweepBatch(batch, BATCH_SIZE, async (last) =>
				Number((await run("delete-expired", ...values, last)).rowCount),
			);
		},

		async deleteOldest(userId, prefix, max, latest) {
			await query("delete-oldest", userId, userId, prefix, latest, max);
		},

		takeAttempts: (guess) => takeAttempts(runner, guess),

		isInTransaction,
	};
};
