import type { Auth } from "lucia-auth";
import type { KeyStore } from "../../src/index.js";
import type { Database, Opened } from "../support/database.js";

/** What handlers are made of, for a store on a database. */
export const sourceOn = (
	{ defaultSource, nativeSource }: Pick<Database, "defaultSource" | "nativeSource">,
	store: "default" | "native",
): Auth | KeyStore => (store === "native" ? nativeSource : defaultSource);

/** What all tokens of the races are stored under. */
export const NAME = "race";

/** How long they are valid, in seconds. */
export const EXPIRES_IN = 600;

export const options = { expiresIn: EXPIRES_IN };

export const createUser = async ({ sql }: Pick<Opened, "sql">, userId: string): Promise<void> => {
	await sql(`INSERT INTO auth_user (id) VALUES ('${userId}')`);
};

export const keyId = (token: string): string => `${NAME}:${token}`;

/** Stores keys past all stores. */
export const insertRows = async (
	{ sql }: Pick<Opened, "sql">,
	ids: readonly string[],
	userId: string,
	expires: number,
): Promise<void> => {
	const rows = ids.map((id) => `('${id}', '${userId}', FALSE, NULL, ${expires})`);
	await sql(
		`INSERT INTO auth_key (id, user_id, primary_key, hashed_password, expires)
		VALUES ${rows.join(", ")}`,
	);
};

/** Stores tokens past all stores. Returns their values. */
export const storeTokens = async (
	db: Pick<Opened, "sql">,
	userId: string,
	count: number,
): Promise<string[]> => {
	const tokens = Array.from({ length: count }, (_, index) => `${userId}-${index}`);
	await insertRows(db, tokens.map(keyId), userId, Date.now() + EXPIRES_IN * 1000);
	return tokens;
};

// `:`, the token's id, a space, and its expiry.
const SPENT = /^:(.*) \d+$/;

/** Reads the ids of the tokens that are stored, and of those that have a spent row. */
export const rowsOf = async ({ keys }: Pick<Opened, "keys">) => {
	const ids = (await keys()).map(({ id }) => id);
	return {
		tokens: new Set(ids.filter((id) => !id.startsWith(":"))),
		spent: new Set(ids.flatMap((id) => SPENT.exec(id)?.[1] ?? [])),
	};
};
