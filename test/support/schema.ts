import type { Tables } from "../../src/stores/sql.js";

/** How a database writes types and names. */
export interface Dialect {
	readonly text: string;
	readonly boolean: string;
	readonly quote: string;
}

export const SQLITE: Dialect = { text: "TEXT", boolean: "INTEGER", quote: '"' };
export const POSTGRES: Dialect = { text: "VARCHAR(255)", boolean: "BOOLEAN", quote: '"' };
export const MYSQL: Dialect = { text: "VARCHAR(255)", boolean: "TINYINT(1)", quote: "`" };

export interface SchemaOptions {
	/** Whether the schema has foreign keys. @default true */
	readonly foreignKeys?: boolean;
	/** The type of user ids. @default the type of all text */
	readonly userId?: string;
}

/** Tables of an app's own: a word that PostgreSQL reserves, and one whose case counts. */
export const OWN_TABLES = { user: "user", key: "userToken" };

export const quoteOwnTables = ({ quote }: Dialect): Tables => ({
	user: quote + OWN_TABLES.user + quote,
	key: quote + OWN_TABLES.key + quote,
});

/** Lucia's tables with the index that the README adds, and tables of an app's own. */
export const schema = (
	dialect: Dialect,
	{ foreignKeys = true, userId = dialect.text }: SchemaOptions = {},
): string[] => {
	const { text, boolean } = dialect;
	const own = quoteOwnTables(dialect);
	const references = (user: string): string =>
		foreignKeys ? `, FOREIGN KEY (user_id) REFERENCES ${user} (id)` : "";
	return [
		// A user's attributes may be named as the columns of a key.
		`CREATE TABLE auth_user (
			id ${userId} NOT NULL PRIMARY KEY,
			username ${text}, user_id ${text}, hashed_password ${text}, primary_key ${boolean}, expires BIGINT
		)`,
		`CREATE TABLE auth_session (
			id ${text} NOT NULL PRIMARY KEY, user_id ${userId} NOT NULL,
			active_expires BIGINT NOT NULL, idle_expires BIGINT NOT NULL ${references("auth_user")}
		)`,
		`CREATE TABLE auth_key (
			id ${text} NOT NULL PRIMARY KEY, user_id ${userId} NOT NULL,
			primary_key ${boolean} NOT NULL, hashed_password ${text}, expires BIGINT ${references("auth_user")}
		)`,
		"CREATE INDEX auth_key_user_id ON auth_key (user_id)",
		`CREATE TABLE ${own.user} (id ${userId} NOT NULL PRIMARY KEY, user_id ${text}, expires BIGINT)`,
		`CREATE TABLE ${own.key} (
			id ${text} NOT NULL PRIMARY KEY, user_id ${userId} NOT NULL, expires BIGINT NOT NULL
			${references(own.user)}
		)`,
	];
};
