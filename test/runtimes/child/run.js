import { keyStoreCases } from "@lucia-auth/tokens/testing";
import { story } from "./story.js";

const DEFAULT_STORE = "default store";

/** The cases to run on a store: the exported ones ask for a `KeyStore`, which Lucia's `Auth` is not. */
export const casesOf = (storeName) =>
	storeName === DEFAULT_STORE ? story : [...story, ...keyStoreCases];

/**
 * Runs all cases on all stores of a database, and gives the result of each.
 *
 * @param database what databases/ opens
 * @param inspect how the runtime logs an object
 */
export async function* run({ sql, stores }, inspect) {
	for (const [storeName, store] of Object.entries(stores)) {
		const harness = {
			store,
			isNative: storeName !== DEFAULT_STORE,
			sql,
			inspect,
			createUser: (id) => sql("INSERT INTO auth_user (id) VALUES (?)", [id]),
			insertRow: (row) =>
				sql("INSERT INTO auth_key VALUES (?, ?, ?, ?, ?)", [
					row.id,
					row.user_id,
					Number(row.primary_key),
					row.hashed_password,
					row.expires,
				]),
			getRows: async (userId) =>
				(await sql("SELECT * FROM auth_key WHERE user_id = ?", [userId])).map((row) => ({
					...row,
					primary_key: Boolean(row.primary_key),
				})),
		};
		for (const { name, run } of casesOf(storeName)) {
			const error = await run(harness).then(
				() => null,
				(reason) => String(reason?.stack ?? reason),
			);
			yield { store: storeName, name, error };
		}
	}
}
