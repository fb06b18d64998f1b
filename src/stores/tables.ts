import { check } from "../check.js";

/** The names of tables of your own. A schema goes before its table, as in `"auth.user_token"`. */
export interface Tables {
	/** The table of users. Its column `id` holds what handlers call `userId`. */
	readonly user: string;
	/** A table for tokens alone, with the columns `id`, `user_id` and `expires`. */
	readonly key: string;
}

/** The option that the native stores share. */
export interface TablesOption {
	/**
	 * Tables of your own, where you have none of Lucia v1.
	 *
	 * @default `auth_user` and `auth_key`, the tables of Lucia v1
	 */
	readonly tables?: Tables | undefined;
}

/** Tables as statements name them. */
export interface TableNames {
	readonly user: string;
	readonly key: string;
	/** Whether the key table is Lucia's, which holds logins too. */
	readonly hasLogins: boolean;
}

const LUCIA: TableNames = { user: "auth_user", key: "auth_key", hasLogins: true };

const NAME = /^[\p{L}\p{N}_$-]+(\.[\p{L}\p{N}_$-]+)?$/u;

/**
 * @param quote what the database puts around a name
 * @throws TypeError a name is missing or not a string
 * @throws RangeError a name has other characters than those of a table's name
 */
export const toTableNames = (tables: Tables | undefined, quote: '"' | "`"): TableNames => {
	if (tables === undefined) return LUCIA;
	const quoted = (table: keyof Tables): string => {
		const { [table]: name } = Object(tables) as Partial<Tables>;
		check(
			`tables.${table}`,
			name,
			"string",
			(name) => NAME.test(name),
			'the name of a table, in letters, digits, "_", "$" and "-", with its schema and a dot before it if need be',
		);
		return quote + name.replace(".", `${quote}.${quote}`) + quote;
	};
	return { user: quoted("user"), key: quoted("key"), hasLogins: false };
};
