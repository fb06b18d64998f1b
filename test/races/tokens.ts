import type { Opened } from "./contenders.js";

/** What all tokens of the races are stored under. */
export const NAME = "race";

/** How long they are valid, in seconds. */
export const EXPIRES_IN = 600;

export const options = { expiresIn: EXPIRES_IN };

export const createUser = async ({ sql }: Pick<Opened, "sql">, userId: string): Promise<void> => {
	await sql(`INSERT INTO auth_user (id) VALUES ('${userId}')`);
};

export const keyId = (token: string): string => `${NAME}:${token}`;

/** Stores a key past all stores. */
export const insertRow = async (
	{ sql }: Pick<Opened, "sql">,
	id: string,
	userId: string,
	expires: number,
): Promise<void> => {
	await sql(
		`INSERT INTO auth_key (id, user_id, primary_key, hashed_password, expires)
		VALUES ('${id}', '${userId}', FALSE, NULL, ${expires})`,
	);
};

/** Stores many tokens past all stores. Returns their values. */
export const storeTokens = async (
	{ sql }: Pick<Opened, "sql">,
	userId: string,
	count: number,
): Promise<string[]> => {
	const tokens = Array.from({ length: count }, (_, index) => `${userId}-${index}`);
	const expires = Date.now() + EXPIRES_IN * 1000;
	for (let start = 0; start < count; start += 500) {
		const rows = tokens
			.slice(start, start + 500)
			.map((token) => `('${keyId(token)}', '${userId}', FALSE, NULL, ${expires})`);
		await sql(
			`INSERT INTO auth_key (id, user_id, primary_key, hashed_password, expires)
			VALUES ${rows.join(", ")}`,
		);
	}
	return tokens;
};

/** What is stored of id tokens. */
export interface Rows {
	/** The ids of tokens. */
	readonly tokens: ReadonlySet<string>;
	/** The ids of the tokens that have a spent row. */
	readonly spent: ReadonlySet<string>;
}

// `:`, the token's id, a space, and its expiry.
const SPENT = /^:(.*) \d+$/;

/** Reads which tokens are stored, and which are spent. */
export const rowsOf = async ({ keys }: Pick<Opened, "keys">): Promise<Rows> => {
	const ids = (await keys()).map(({ id }) => id);
	return {
		tokens: new Set(ids.filter((id) => !id.startsWith(":"))),
		spent: new Set(ids.flatMap((id) => SPENT.exec(id)?.[1] ?? [])),
	};
};
