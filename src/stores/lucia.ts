import type { Adapter, KeySchema } from "lucia-auth";
import { isExpired, now } from "../clock.js";
import { LuciaTokenError } from "../error.js";
import { type KeyStore, MARK, type StoredKey } from "../key-store.js";
import { MAX_KEY_ID_LENGTH } from "../value/bounds.js";
import type { SingleUseKey } from "../token.js";
import { markedBefore } from "./row.js";

/**
 * An initialized Lucia v1 `Auth`, known by its methods for keys. It is not the class itself, so that
 * these types compile where another store is used and `lucia-auth` is not installed.
 */
export interface LuciaAuth {
	createKey(
		userId: string,
		keyData: {
			type: "single_use";
			providerId: string;
			providerUserId: string;
			password: string | null;
			expiresIn: number;
		},
	): Promise<SingleUseKey>;
	deleteKey(providerId: string, providerUserId: string): Promise<void>;
}

// What revoking many tokens leaves of a connection pool for everyone else.
const MAX_CONCURRENT_DELETES = 8;

// What adapters pass on as it comes: Prisma's error on PostgreSQL, in whose message adapter-prisma looks
// for the field in vain, PostgreSQL's own where its messages are not in English, and those of MySQL and
// SQLite where the id is unique and not the primary key. None is kept as a cause: they hold the id, and
// with it the token.
const DUPLICATE_CODES: readonly unknown[] = [
	"P2002",
	"23505",
	"ER_DUP_ENTRY",
	"SQLITE_CONSTRAINT_UNIQUE",
];

// How long an expired key is claimed at most, in milliseconds.
const LEASE = 60 * 1000;

const keepData = async (): Promise<boolean> => false;

const toStoredKey = ({
	id,
	user_id,
	primary_key,
	hashed_password,
	expires,
}: KeySchema): StoredKey | null =>
	expires === null || primary_key || hashed_password !== null
		? null
		: { id, userId: user_id, expires };

// Cut to what the column holds: two tokens that differ in the 255th character alone would share a
// claim, which at worst tells one of two simultaneous calls that its token is invalid.
const claimId = (id: string): string => (MARK + id).slice(0, MAX_KEY_ID_LENGTH);

// That of a marked key, whose mark it shares.
const minuteClaimId = (id: string, minute: number): string => {
	const end = ` ${minute}`;
	return id.slice(0, MAX_KEY_ID_LENGTH - end.length) + end;
};

/**
 * The default store: single-use keys through the adapter of a Lucia v1 `Auth`.
 *
 * It goes to the adapter and not to the methods of `Auth`, because those hide whether a single-use
 * key is primary (Lucia would then not delete it) and set the expiry themselves.
 *
 * Adapters neither tell who deleted a key nor look at letter case more closely than their database
 * does. So each key is read before it is deleted, and `consume` holds a claim while it does both.
 */
export const luciaStore = (auth: LuciaAuth): KeyStore => {
	// Private in Lucia's types, and in every release of 1.x.
	const { adapter } = auth as unknown as { adapter: Adapter };

	const get = async (id: string, userId?: string): Promise<StoredKey | null> => {
		const row = await adapter.getKey(id, keepData);
		const key = row && toStoredKey(row);
		// A collation that ignores case finds `ABC` for `abc`.
		if (key?.id !== id) return null;
		return userId === undefined || key.userId === userId ? key : null;
	};

	const insert = async ({ id, userId, expires }: StoredKey): Promise<void> => {
		try {
			await adapter.setKey({
				id,
				user_id: userId,
				primary_key: false,
				hashed_password: null,
				expires,
			});
		} catch (cause) {
			const { message, code } = Object(cause) as { message?: unknown; code?: unknown };
			if (message === "AUTH_INVALID_USER_ID")
				throw new LuciaTokenError("INVALID_USER_ID", { cause });
			if (message === "AUTH_DUPLICATE_KEY_ID")
				throw new LuciaTokenError("DUPLICATE_TOKEN", { cause });
			if (DUPLICATE_CODES.includes(code)) throw new LuciaTokenError("DUPLICATE_TOKEN");
			throw cause;
		}
	};

	// A collation that ignores case finds the rows of `ABC` for `abc`.
	const getRows = async (userId: string): Promise<KeySchema[]> =>
		(await adapter.getKeysByUserId(userId)).filter(({ user_id }) => user_id === userId);

	const toKeys = (rows: readonly KeySchema[], ...prefixes: string[]): StoredKey[] =>
		rows
			.map(toStoredKey)
			.filter((key) => key !== null)
			.filter(({ id }) => prefixes.some((prefix) => id.startsWith(prefix)));

	// In batches, each of which ends before an error is thrown: nothing goes on behind it.
	const deleteAll = async (keys: readonly StoredKey[]): Promise<void> => {
		for (let start = 0; start < keys.length; start += MAX_CONCURRENT_DELETES) {
			const batch = keys.slice(start, start + MAX_CONCURRENT_DELETES);
			const results = await Promise.allSettled(
				batch.map(({ id }) => adapter.deleteNonPrimaryKey(id)),
			);
			for (const result of results) if (result.status === "rejected") throw result.reason;
		}
	};

	// The claim is the lock: inserting an id is the one atomic step of every adapter that tells the
	// caller who won. Null where another call holds it, or where the user is gone and the key with it.
	const claim = async (key: StoredKey, id: string): Promise<string | null> => {
		try {
			// An expired key's expires as of now, so that no sweep takes it from its holder.
			await insert({ ...key, id, expires: Math.max(key.expires, now()) });
			return id;
		} catch (error) {
			// Any other error leaves unknown whose the claim is, so that only its owner may delete it.
			if (error instanceof LuciaTokenError) return null;
			throw error;
		}
	};

	// A claim that stays behind keeps its token from being used, and a sweep clears it. To throw would
	// report a token as not used that was, or hide the error that matters.
	const release = (id: string): Promise<void> => adapter.deleteNonPrimaryKey(id).catch(() => {});

	// Once more: a call that has just won may have deleted the key and released its claim between the
	// first look and this claim.
	const deleteClaimed = async (
		id: string,
		userId: string | undefined,
		expiredAt = Infinity,
	): Promise<StoredKey | null> => {
		const key = await get(id, userId);
		if (!key || !isExpired(key.expires, expiredAt)) return null;
		await adapter.deleteNonPrimaryKey(id);
		return key;
	};

	// Nothing may hold up a marked key for good, such as a claim that a crash has left. So each minute has
	// a claim of its own, and a call that meets the claim of the minute before or after gives way: of two
	// concurrent calls, the later to look sees the other's.
	const consumeExpired = async (key: StoredKey, expiredAt: number): Promise<StoredKey | null> => {
		const minute = Math.trunc(now() / LEASE);
		const own = await claim(key, minuteClaimId(key.id, minute));
		if (own === null) return null;
		try {
			for (const other of [minute - 1, minute + 1]) {
				if (await get(minuteClaimId(key.id, other))) return null;
			}
			return await deleteClaimed(key.id, key.userId, expiredAt);
		} finally {
			await release(own);
		}
	};

	const consume: KeyStore["consume"] = async (id, userId, expiredAt) => {
		const seen = await get(id, userId);
		if (!seen) return null;
		if (expiredAt !== undefined) {
			return isExpired(seen.expires, expiredAt) ? consumeExpired(seen, expiredAt) : null;
		}
		const own = await claim(seen, claimId(seen.id));
		if (own === null) return null;
		try {
			return await deleteClaimed(id, userId);
		} finally {
			await release(own);
		}
	};

	return {
		insert,
		get,
		consume,

		async delete(id, userId) {
			if (await get(id, userId)) await adapter.deleteNonPrimaryKey(id);
		},

		async getAllByUser(userId, prefix, orPrefix = prefix) {
			const rows = await getRows(userId);
			// Whoever has a key exists.
			if (rows.length === 0 && (await adapter.getUser(userId))?.id !== userId) {
				throw new LuciaTokenError("INVALID_USER_ID");
			}
			return toKeys(rows, prefix, orPrefix);
		},

		async deleteAllByUser(userId, prefix) {
			await deleteAll(toKeys(await getRows(userId), prefix));
		},

		async deleteExpiredByUser(userId, prefix, at) {
			const rows = await getRows(userId);
			await deleteAll(toKeys(rows, prefix).filter(({ expires }) => isExpired(expires, at)));
			// Not at once: such an id may have been stored anew since it was listed.
			const before = markedBefore(at);
			for (const key of toKeys(rows, MARK + prefix)) {
				if (isExpired(key.expires, before)) await consumeExpired(key, before);
			}
		},
	};
};
