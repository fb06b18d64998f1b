import lucia, {
	type Adapter,
	type Auth,
	type KeySchema,
	type LuciaErrorConstructor,
} from "lucia-auth";
import type { KeyStore } from "../../src/index.js";
import { toKeyStore } from "../../src/stores/lucia.js";
import type { Tables } from "../../src/stores/sql.js";
import { keyStoreCases, type KeyStoreHarness } from "../../src/testing.js";

/** A schema or database of the suite's own, and the stores on it. */
export interface Database {
	/** Lucia on its adapter: the default store. */
	readonly defaultSource: Auth;
	readonly nativeSource: KeyStore;
	/** The name of the schema or database. */
	readonly name: string;
	/** The native store on tables of an app's own. */
	createStore(tables: Tables): KeyStore;
	/** The names of such tables, as SQL quotes them. */
	readonly ownTables: Tables;
	/** Every statement of a store since the last `statements.length = 0`. */
	readonly statements: string[];
	/** Runs a statement directly, without a store. It has `?` for each value. */
	sql(text: string, values?: unknown[]): Promise<unknown[]>;
	keys(): Promise<KeySchema[]>;
	/** Drops what was made. */
	close(): Promise<void>;
}

export const createAuth = (adapter: (error: LuciaErrorConstructor) => Adapter): Auth =>
	lucia({ adapter, env: "DEV" }) as Auth;

/** The store that a handler makes of its first argument. */
export const toStore = (source: Auth | KeyStore): KeyStore => toKeyStore(source);

/** The default store, a store of one's own on Lucia's tables, and one on tables for tokens alone. */
export type StoreKind = "default" | "native" | "own tables";

// To save a call, consumeAndDelete of the default store relies on what its caller has just read.
const NOT_BY_DEFAULT = /^consumeAndDelete (keeps|deletes no other)/;

/** The exported cases that a store passes. */
export const casesOf = (kind: StoreKind): typeof keyStoreCases =>
	keyStoreCases.filter(({ name }) => kind !== "default" || !NOT_BY_DEFAULT.test(name));

/** The harness that the exported cases need. */
export const toHarness = (
	{ sql, keys }: Pick<Database, "sql" | "keys">,
	source: Auth | KeyStore,
): KeyStoreHarness => ({
	store: toStore(source),
	createUser: async (id) => {
		await sql("INSERT INTO auth_user (id) VALUES (?)", [id]);
	},
	insertRow: async ({ id, user_id, primary_key, hashed_password, expires }) => {
		// Every database accepts TRUE and FALSE in SQL, but not every driver accepts a boolean.
		await sql(
			`INSERT INTO auth_key (id, user_id, primary_key, hashed_password, expires)
			VALUES (?, ?, ${primary_key}, ?, ?)`,
			[id, user_id, hashed_password, expires],
		);
	},
	getRows: async (userId) => (await keys()).filter((row) => row.user_id === userId),
});

/** The harness that the exported cases need, on an app's own tables. */
export const toOwnHarness = (
	{ sql, ownTables: { user, key } }: Pick<Database, "sql" | "ownTables">,
	store: KeyStore,
): KeyStoreHarness => ({
	store,
	hasLoginKeys: false,
	createUser: async (id) => {
		await sql(`INSERT INTO ${user} (id) VALUES (?)`, [id]);
	},
	insertRow: async ({ id, user_id, primary_key, hashed_password, expires }) => {
		if (primary_key || hashed_password !== null) throw new Error("the table has no such columns");
		await sql(`INSERT INTO ${key} (id, user_id, expires) VALUES (?, ?, ?)`, [id, user_id, expires]);
	},
	getRows: async (userId) =>
		((await sql(`SELECT * FROM ${key}`)) as { id: string; user_id: string; expires: unknown }[])
			.filter(({ user_id }) => user_id === userId)
			.map(({ expires, ...row }) => ({
				...row,
				primary_key: false,
				hashed_password: null,
				expires: Number(expires),
			})),
});
