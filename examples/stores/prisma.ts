// A store of your own on SQLite or PostgreSQL with Prisma. test/matrix/worked-stores.test.ts tests it.
import { type KeyStore, LuciaTokenError, type StoredKey } from "@lucia-auth/tokens";

interface Row {
	id: string;
	user_id: string;
	primary_key: boolean;
	hashed_password: string | null;
	expires: bigint | null;
}

interface Where {
	id?: string | { in: string[] };
	user_id?: string;
	primary_key: false;
	hashed_password: null;
	expires: { not: null } | { equals: number } | { lt: number };
}

/** What the store uses of a `PrismaClient` whose schema has Lucia's models. */
export interface LuciaClient {
	authUser: {
		findUnique(args: {
			where: { id: string };
			select: { id: true };
		}): Promise<{ id: string } | null>;
	};
	authKey: {
		createMany(args: { data: (Omit<Row, "expires"> & { expires: number })[] }): Promise<unknown>;
		findMany(args: { where: Where }): Promise<Row[]>;
		deleteMany(args: { where: Where }): Promise<{ count: number }>;
	};
}

const HOUR = 60 * 60 * 1000;

// Single-use keys. A store must leave all other rows alone: Lucia keeps logins in the same table.
const SINGLE_USE = { primary_key: false, hashed_password: null, expires: { not: null } } as const;

const toStoredKey = ({ id, user_id, expires }: Row): StoredKey => ({
	id,
	userId: user_id,
	expires: Number(expires),
});

// Prisma's error may contain the arguments or the row, and so the token. To see it, turn on Prisma's log.
const withoutArguments = ({ name, code }: Error & { code?: string }): never => {
	throw Object.assign(new Error(code === undefined ? name : `${name} ${code}`), { code });
};

export const prismaStore = ({ authUser, authKey }: LuciaClient): KeyStore => {
	// JavaScript compares the ids. Prisma's startsWith is LIKE, which ignores case and reads _ and % as
	// patterns, and MySQL's equality ignores case, too.
	const find = async (
		where: Partial<Where>,
		isAsked: (key: StoredKey) => boolean,
	): Promise<StoredKey[]> => {
		const rows = await authKey
			.findMany({ where: { ...SINGLE_USE, ...where } })
			.catch(withoutArguments);
		return rows.map(toStoredKey).filter(isAsked);
	};

	const get = async (id: string, userId?: string): Promise<StoredKey | null> => {
		const isKey = (key: StoredKey) =>
			key.id === id && (userId === undefined || key.userId === userId);
		return (await find({ id }, isKey))[0] ?? null;
	};

	// Two callers may read a key, but only one of them deletes it and gets a count of 1.
	const consume = async (id: string, userId?: string): Promise<StoredKey | null> => {
		const key = await get(id, userId);
		if (key === null) return null;
		const { userId: user_id, expires } = key;
		const { count } = await authKey
			.deleteMany({ where: { ...SINGLE_USE, id, user_id, expires: { equals: expires } } })
			.catch(withoutArguments);
		return count === 1 ? key : null;
	};

	const deleteAll = async (where: Partial<Where>, isAsked: (key: StoredKey) => boolean) => {
		const ids = (await find(where, isAsked)).map(({ id }) => id);
		const { count } = await authKey
			.deleteMany({ where: { ...SINGLE_USE, ...where, id: { in: ids } } })
			.catch(withoutArguments);
		return count;
	};

	// The ids of internal keys begin with a colon: spent rows, attempts, and intervals. A call in flight may
	// still need one after it expires.
	const deleteExpired = async (prefix: string, now: number, userId?: string) => {
		let deleted = 0;
		for (const [begin, before] of [
			[prefix, now],
			[`:${prefix}`, now - HOUR],
		] as const) {
			deleted += await deleteAll(
				{ ...(userId !== undefined && { user_id: userId }), expires: { lt: before } },
				(key) => key.id.startsWith(begin) && (userId === undefined || key.userId === userId),
			);
		}
		return deleted;
	};

	return {
		async insert({ id, userId, expires }) {
			const row = { id, user_id: userId, primary_key: false, hashed_password: null, expires };
			await authKey
				.createMany({ data: [row] })
				.catch(withoutArguments)
				.catch((error: { code?: string }) => {
					if (error.code === "P2002") throw new LuciaTokenError("DUPLICATE_TOKEN");
					if (error.code === "P2003") throw new LuciaTokenError("INVALID_USER_ID");
					throw error;
				});
		},

		get,

		consume,

		async delete(id, userId) {
			await consume(id, userId);
		},

		async getAllByUser(userId, prefix, orPrefix = prefix) {
			const user = await authUser
				.findUnique({ where: { id: userId }, select: { id: true } })
				.catch(withoutArguments);
			if (user?.id !== userId) throw new LuciaTokenError("INVALID_USER_ID");
			return find(
				{ user_id: userId },
				(key) =>
					key.userId === userId && (key.id.startsWith(prefix) || key.id.startsWith(orPrefix)),
			);
		},

		async deleteAllByUser(userId, prefix) {
			await deleteAll(
				{ user_id: userId },
				(key) => key.userId === userId && key.id.startsWith(prefix),
			);
		},

		async deleteExpiredByUser(userId, prefix, now) {
			await deleteExpired(prefix, now, userId);
		},

		async deleteExpired(prefix, now) {
			return { deleted: await deleteExpired(prefix, now) };
		},
	};
};
