import { check, ownOptions } from "../check.js";
import type { SweptBatch } from "../key-store.js";

/**
 * The names of tables of your own. A name may include a schema: `"auth.user_token"`.
 *
 * @inline
 */
export interface Tables {
	/** The table of users. Its column `id` holds the `userId` that you pass to handlers. */
	readonly user: string;
	/** A table for tokens alone, with the columns `id`, `user_id`, and `expires`. */
	readonly key: string;
}

/** The option that the native stores share. */
export interface TablesOption {
	/**
	 * The names of tables of your own, in place of those of Lucia v1: `user` is the table of users, and `key` a
	 * table for tokens alone. A name may include a schema: `"auth.user_token"`.
	 *
	 * @default `auth_user` and `auth_key`, the tables of Lucia v1
	 */
	readonly tables?: Tables | undefined;
}

/** Table names as statements contain them. */
export interface TableNames {
	readonly user: string;
	readonly key: string;
	/** Whether the key table is Lucia's, which also holds logins. */
	readonly hasLogins: boolean;
}

const LUCIA: TableNames = { user: "auth_user", key: "auth_key", hasLogins: true };

const NAME = /^[\p{L}\p{N}_$-]+(\.[\p{L}\p{N}_$-]+)?$/u;

/**
 * Checks and quotes the names of tables.
 *
 * @param quote the database's quotation mark for names
 * @throws TypeError a name is missing or not a string
 * @throws RangeError a name is not a valid table name
 */
export const toTableNames = (tables: Tables | undefined, quote: '"' | "`"): TableNames => {
	if (tables === undefined) return LUCIA;
	const given = ownOptions(tables, ["user", "key"], "tables");
	const quoted = (table: keyof Tables): string => {
		const { [table]: name } = given;
		check(
			`tables.${table}`,
			name,
			"string",
			(name) => NAME.test(name),
			'the name of a table: letters, digits, "_", "$", and "-", optionally after a schema and a dot',
		);
		return quote + name.replace(".", `${quote}.${quote}`) + quote;
	};
	return { user: quoted("user"), key: quoted("key"), hasLogins: false };
};

/** What apps pass by mistake: the properties that tell it, and what to say of it. */
export type Mistake = readonly [properties: readonly string[], what: string];

/**
 * Checks what a store is made of. A wrong driver would only fail at the first token.
 *
 * @param expected what it must be, with the name of the argument
 * @param methods the methods that it must have
 * @param mistakes the first one that fits is named
 * @throws TypeError it lacks a method, or is one of the mistakes
 */
export const checkDriver = (
	driver: unknown,
	expected: string,
	methods: readonly string[],
	mistakes: readonly Mistake[],
): void => {
	const object = Object(driver) as Record<string, unknown>;
	const mistake = mistakes.find(([properties]) =>
		properties.every((property) => property in object),
	);
	const isComplete = methods.every((method) => typeof object[method] === "function");
	if (isComplete && !mistake) return;
	const what =
		object === driver
			? `an object without ${methods.map((method) => `${method}()`).join(" and ")}`
			: String(driver === undefined || driver === null ? driver : `a ${typeof driver}`);
	throw new TypeError(`${expected}, not ${mistake ? mistake[1] : what}`);
};

/**
 * The condition for a single-use key. Columns carry their table's name: the table of users may have a column
 * of the same name.
 *
 * @param no how the database writes false
 */
export const isSingleUse = ({ key, hasLogins }: TableNames, no: string): string =>
	hasLogins
		? `${key}.expires IS NOT NULL AND ${key}.primary_key = ${no} AND ${key}.hashed_password IS NULL`
		: `${key}.expires IS NOT NULL`;

/** The columns of a new key, and what a SELECT must give for them. */
export const newKey = (
	{ hasLogins }: TableNames,
	no: string,
	id: string,
	userId: string,
	expires: string,
): [into: string, values: string] =>
	hasLogins
		? [
				"id, user_id, primary_key, hashed_password, expires",
				`${id}, ${userId}, ${no}, NULL, ${expires}`,
			]
		: ["id, user_id, expires", `${id}, ${userId}, ${expires}`];

/** A condition that holds if it holds for one of so many parameters; `false` for none. */
export const anyOf = (count: number, condition: string): string =>
	Array.from({ length: count }, () => condition).join(" OR ") || "1 = 0";

/** How many rows a batch of a sweep reads: so few that nobody waits long for those that it deletes. */
export const BATCH_SIZE = 1000;

/** What a batch of a sweep reads: the last id, how many rows there are, and how many have expired. */
export interface BatchRow {
	readonly last: string;
	readonly size: number | string | bigint;
	readonly expired: number | string | bigint;
}

/**
 * Deletes what a batch of a sweep has read.
 *
 * @param limit how many rows it may read
 * @param deleteUpTo deletes the batch's expired rows, up to its last id. Returns how many
 */
export const sweepBatch = async (
	batch: BatchRow | undefined,
	limit: number,
	deleteUpTo: (last: string) => Promise<number>,
): Promise<SweptBatch> => {
	// A name that the database cannot hold has no keys.
	if (!batch) return { deleted: 0 };
	const { last, size, expired } = batch;
	const deleted = Number(expired) > 0 ? await deleteUpTo(last) : 0;
	return Number(size) === limit ? { deleted, next: last } : { deleted };
};

const MAX_RETRIES = 10;

/**
 * Runs a statement. If the database rolls it back to let another one proceed, runs it again after a random
 * pause, up to ten times.
 *
 * @param isRolledBack whether an error says that the database rolled the statement back
 * @param isAborted whether an error says that an earlier statement failed in the same transaction. The
 * transaction is then the caller's, and the caller gets the first error
 */
export const retry = async <Result>(
	run: () => Promise<Result>,
	isRolledBack: (error: unknown) => boolean,
	isAborted: (error: unknown) => boolean = () => false,
): Promise<Result> => {
	let first: unknown;
	for (let retries = 0; ; retries++) {
		try {
			return await run();
		} catch (error) {
			if (retries > 0 && isAborted(error)) throw first;
			if (retries === MAX_RETRIES || !isRolledBack(error)) throw error;
			first ??= error;
			await new Promise((resolve) => setTimeout(resolve, Math.random() * 2 ** retries));
		}
	}
};
