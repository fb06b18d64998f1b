import type { Opened } from "./contenders.js";

/** What all tokens of the races are stored under. */
export const NAME = "race";

/** How long they are valid, in seconds. */
export const EXPIRES_IN = 600;

export const options = { expiresIn: EXPIRES_IN };

export const createUser = async ({ sql }: Opened, userId: string): Promise<void> => {
	await sql(`INSERT INTO auth_user (id) VALUES ('${userId}')`);
};

/** Stores many tokens past all stores. Returns their values. */
export const storeTokens = async (
	{ sql }: Opened,
	userId: string,
	count: number,
): Promise<string[]> => {
	const tokens = Array.from({ length: count }, (_, index) => `${userId}-${index}`);
	const expires = Date.now() + EXPIRES_IN * 1000;
	for (let start = 0; start < count; start += 500) {
		const rows = tokens
			.slice(start, start + 500)
			.map((token) => `('${NAME}:${token}', '${userId}', FALSE, NULL, ${expires})`);
		await sql(
			`INSERT INTO auth_key (id, user_id, primary_key, hashed_password, expires)
			VALUES ${rows.join(", ")}`,
		);
	}
	return tokens;
};
