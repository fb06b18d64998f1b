import { check, ownOptions } from "../check.js";

/** The names of tables of your own. A name may include a schema: `"auth.user_token"`. */
export interface Tables {
	/** The table of users. Its column `id` holds the `userId` that you pass to handlers. */
	readonly user: string;
	/** A table for tokens alone, with the columns `id`, `user_id`, and `expires`. */
	readonly key: string;
}

/** The option that the native stores share. */
export interface TablesOption {
	/**
	 * The names of tables of your own, in place of those of Lucia v1.
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
