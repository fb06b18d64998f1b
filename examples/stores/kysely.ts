// A store of your own on SQLite with Kysely. test/matrix/worked-stores.test.ts tests it.
import { type KeyStore, LuciaTokenError, type StoredKey } from "@lucia-auth/tokens";
import { type ExpressionBuilder, type Kysely, sql } from "kysely";

export interface Database {
	auth_user: { id: string };
	auth_key: {
		id: string;
		user_id: string;
		primary_key: number;
		hashed_password: string | null;
		expires: number | null;
	};
}

type Where = ExpressionBuilder<Database, "auth_key">;

const HOUR = 60 * 60 * 1000;

// Single-use keys. A store must leave all other rows alone: Lucia keeps logins in the same table.
const singleUse = (where: Where) =>
	where.and([
		where("auth_key.expires", "is not", null),
		where("auth_key.primary_key", "=", 0),
		where("auth_key.hashed_password", "is", null),
	]);

// Not LIKE, which ignores case and reads _ and % as patterns.
const begins = (prefix: string) => sql<boolean>`instr(auth_key.id, ${prefix}) = 1`;

const isKey = (id: string, userId?: string) => (where: Where) =>
	where.and([
		singleUse(where),
		where("auth_key.id", "=", id),
		...(userId === undefined ? [] : [where("auth_key.user_id", "=", userId)]),
	]);

// The ids of internal keys begin with a colon: spent rows, attempts, and intervals. A call in flight may
// still need one after it expires.
const isExpired = (prefix: string, now: number) => (where: Where) =>
	where.and([
		singleUse(where),
		where.or([
			where.and([begins(prefix), where("auth_key.expires", "<", now)]),
			where.and([begins(`:${prefix}`), where("auth_key.expires", "<", now - HOUR)]),
		]),
	]);

const toStoredKey = (row: {
	id: string | null;
	user_id: string | null;
	expires: number | null;
}): StoredKey[] =>
	row.id !== null && row.user_id !== null && row.expires !== null
		? [{ id: row.id, userId: row.user_id, expires: row.expires }]
		: [];

export const kyselyStore = (db: Kysely<Database>): KeyStore => ({
	async insert({ id, userId, expires }) {
		const row = { id, user_id: userId, primary_key: 0, hashed_password: null, expires };
		const inserted = await db
			.insertInto("auth_key")
			.values(row)
			.onConflict((conflict) => conflict.doNothing())
			.returning("id")
			.execute()
			.catch((cause: { code?: string }) => {
				if (cause.code !== "SQLITE_CONSTRAINT_FOREIGNKEY") throw cause;
				throw new LuciaTokenError("INVALID_USER_ID", { cause });
			});
		if (inserted.length === 0) throw new LuciaTokenError("DUPLICATE_TOKEN");
	},

	async get(id, userId) {
		const rows = await db
			.selectFrom("auth_key")
			.select(["id", "user_id", "expires"])
			.where(isKey(id, userId))
			.execute();
		return rows.flatMap(toStoredKey)[0] ?? null;
	},

	// One statement deletes and returns the row, so the database gives it to only one of two callers.
	async consume(id, userId) {
		const rows = await db
			.deleteFrom("auth_key")
			.where(isKey(id, userId))
			.returning(["id", "user_id", "expires"])
			.execute();
		return rows.flatMap(toStoredKey)[0] ?? null;
	},

	async delete(id, userId) {
		await db.deleteFrom("auth_key").where(isKey(id, userId)).execute();
	},

	async getAllByUser(userId, prefix, orPrefix = prefix) {
		const rows = await db
			.selectFrom("auth_user")
			.leftJoin("auth_key", (join) =>
				join
					.onRef("auth_key.user_id", "=", "auth_user.id")
					.on("auth_key.expires", "is not", null)
					.on("auth_key.primary_key", "=", 0)
					.on("auth_key.hashed_password", "is", null)
					.on((on) => on.or([begins(prefix), begins(orPrefix)])),
			)
			.select(["auth_key.id", "auth_key.user_id", "auth_key.expires"])
			.where("auth_user.id", "=", userId)
			.execute();
		if (rows.length === 0) throw new LuciaTokenError("INVALID_USER_ID");
		return rows.flatMap(toStoredKey);
	},

	async deleteAllByUser(userId, prefix) {
		await db
			.deleteFrom("auth_key")
			.where("user_id", "=", userId)
			.where(singleUse)
			.where(begins(prefix))
			.execute();
	},

	async deleteExpiredByUser(userId, prefix, now) {
		await db
			.deleteFrom("auth_key")
			.where("user_id", "=", userId)
			.where(isExpired(prefix, now))
			.execute();
	},

	async deleteExpired(prefix, now) {
		const expired = db.deleteFrom("auth_key").where(isExpired(prefix, now));
		return { deleted: Number((await expired.executeTakeFirst()).numDeletedRows) };
	},
});
