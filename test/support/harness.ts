import type { Auth } from "lucia-auth";
import type { KeyStore } from "../../src/index.js";
import { toKeyStore } from "../../src/stores/lucia.js";
import { type KeyStoreCase, keyStoreCases, type KeyStoreHarness } from "../../src/testing.js";
import type { Database } from "./database.js";

// To save a call, consumeAndDelete of the default store relies on what its caller has just read.
const NOT_BY_DEFAULT = /^consumeAndDelete (keeps|deletes no other)/;

/** The exported cases that a store passes. */
export const casesOf = (kind: "default" | "native"): readonly KeyStoreCase[] =>
	keyStoreCases.filter(({ name }) => kind !== "default" || !NOT_BY_DEFAULT.test(name));

/** A store on a database of its own. */
export type OpenHarness = KeyStoreHarness & Pick<Database, "close">;

/** The harness that the exported cases need. */
export const toHarness = (
	{ sql, keys, close }: Pick<Database, "sql" | "keys" | "close">,
	source: Auth | KeyStore,
): OpenHarness => ({
	close,
	store: toKeyStore(source),
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
	insertRow: async ({ id, user_id, expires }) => {
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

/** Runs exported cases on a store one after the other, all by default. */
export const passCases = async (
	harness: KeyStoreHarness,
	cases: readonly KeyStoreCase[] = keyStoreCases,
): Promise<void> => {
	for (const { run } of cases) await run(harness);
};
