// A store of your own on PostgreSQL with Drizzle. test/matrix/worked-stores.test.ts tests it.
import { type KeyStore, LuciaTokenError, type StoredKey } from "@lucia-auth/tokens";
import { and, DrizzleQueryError, eq, isNotNull, isNull, lt, or, type SQL, sql } from "drizzle-orm";
import type { NodePgDatabase } from "drizzle-orm/node-postgres";
import { bigint, boolean, pgTable, text } from "drizzle-orm/pg-core";

export const authUser = pgTable("auth_user", {
	id: text("id").primaryKey(),
});

export const authKey = pgTable("auth_key", {
	id: text("id").primaryKey(),
	userId: text("user_id")
		.notNull()
		.references(() => authUser.id),
	primaryKey: boolean("primary_key").notNull(),
	hashedPassword: text("hashed_password"),
	expires: bigint("expires", { mode: "number" }),
});

const HOUR = 60 * 60 * 1000;

// Single-use keys. A store must leave all other rows alone: Lucia keeps logins in the same table.
const singleUse = and(
	isNotNull(authKey.expires),
	eq(authKey.primaryKey, false),
	isNull(authKey.hashedPassword),
);

const columns = {
	id: authKey.id,
	userId: authKey.userId,
	expires: sql<number>`expires`.mapWith(Number),
};

const begins = (prefix: string): SQL => sql`starts_with(${authKey.id}, ${prefix})`;

const isKey = (id: string, userId?: string): SQL | undefined =>
	and(eq(authKey.id, id), userId === undefined ? undefined : eq(authKey.userId, userId), singleUse);

// The ids of internal keys begin with a colon: spent rows, attempts, and intervals. A call in flight may
// still need one after it expires.
const isExpired = (prefix: string, now: number): SQL | undefined =>
	or(
		and(begins(prefix), lt(authKey.expires, now)),
		and(begins(`:${prefix}`), lt(authKey.expires, now - HOUR)),
	);

// The message of Drizzle's error contains the parameters, and one of them is the token.
const withoutParameters = (error: unknown): never => {
	throw error instanceof DrizzleQueryError ? error.cause : error;
};

export const drizzleStore = (db: NodePgDatabase): KeyStore => ({
	async insert({ id, userId, expires }) {
		const inserted = await db
			.insert(authKey)
			.values({ id, userId, primaryKey: false, hashedPassword: null, expires })
			.onConflictDoNothing()
			.returning({ id: authKey.id })
			.catch(withoutParameters)
			.catch((error: { code?: string }) => {
				if (error.code === "23503") throw new LuciaTokenError("INVALID_USER_ID");
				throw error;
			});
		if (inserted.length === 0) throw new LuciaTokenError("DUPLICATE_TOKEN");
	},

	async get(id, userId) {
		const [key] = await db
			.select(columns)
			.from(authKey)
			.where(isKey(id, userId))
			.catch(withoutParameters);
		return key ?? null;
	},

	// One statement deletes and returns the row, so the database gives it to only one of two callers.
	async consume(id, userId) {
		const [key] = await db
			.delete(authKey)
			.where(isKey(id, userId))
			.returning(columns)
			.catch(withoutParameters);
		return key ?? null;
	},

	async delete(id, userId) {
		await db.delete(authKey).where(isKey(id, userId)).catch(withoutParameters);
	},

	async getAllByUser(userId, prefix, orPrefix = prefix) {
		const isAsked = or(begins(prefix), begins(orPrefix));
		const rows = await db
			.select({ key: authKey })
			.from(authUser)
			.leftJoin(authKey, and(eq(authKey.userId, authUser.id), singleUse, isAsked))
			.where(eq(authUser.id, userId));
		if (rows.length === 0) throw new LuciaTokenError("INVALID_USER_ID");
		return rows.flatMap(({ key }): StoredKey[] =>
			key?.expires != null ? [{ id: key.id, userId: key.userId, expires: key.expires }] : [],
		);
	},

	async deleteAllByUser(userId, prefix) {
		await db.delete(authKey).where(and(eq(authKey.userId, userId), singleUse, begins(prefix)));
	},

	async deleteExpiredByUser(userId, prefix, now) {
		await db
			.delete(authKey)
			.where(and(eq(authKey.userId, userId), singleUse, isExpired(prefix, now)));
	},

	async deleteExpired(prefix, now) {
		const { rowCount } = await db.delete(authKey).where(and(singleUse, isExpired(prefix, now)));
		return { deleted: rowCount ?? 0 };
	},
});
