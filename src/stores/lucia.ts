import type { Adapter, KeySchema } from "lucia-auth";
import { isExpired, now } from "../clock.js";
import { LuciaTokenError } from "../error.js";
import { type KeyStore, MARK, type StoredKey } from "../key-store.js";
import { MAX_KEY_ID_LENGTH } from "../value/bounds.js";
import type { SingleUseKey } from "../token.js";
import { markedBefore } from "./row.js";

/**
 * An initialized Lucia v1 `Auth`. Only its methods for keys are declared, so that these types compile
 * without `lucia-auth`, for apps on another store.
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

// Limits the deletes in flight, so that revoking many tokens leaves connections for everyone else.
const MAX_CONCURRENT_DELETES = 8;

// Errors of a duplicate id that adapters pass on unchanged. None becomes a cause: they contain the id, and
// so the token.
const DUPLICATE_CODES: readonly unknown[] = [
	"P2002", // Prisma on PostgreSQL: adapter-prisma does not find the field in the message
	"23505", // PostgreSQL, if its messages are not in English
	"ER_DUP_ENTRY", // MySQL, if the id is unique but not the primary key
	"SQLITE_CONSTRAINT_UNIQUE", // the same on SQLite
];

// The period that one claim on an expired marked key covers, in milliseconds.
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

// Cut to the width of the column. Two ids that differ in the 255th character alone share a claim: at
// worst, one of two concurrent calls is told that its token is invalid.
const claimId = (id: string): string => (MARK + id).slice(0, MAX_KEY_ID_LENGTH);

// The claim of a marked key, whose id already begins with the mark.
const minuteClaimId = (id: string, minute: number): string => {
	const end = ` ${minute}`;
	return id.slice(0, MAX_KEY_ID_LENGTH - end.length) + end;
};

/**
 * The default store: single-use keys through the adapter of a Lucia v1 `Auth`.
 *
 * It calls the adapter, because the methods of `Auth` set the expiry themselves and hide whether a
 * single-use key is primary. (Lucia does not delete one that is.)
 *
 * Adapters do not tell which call deleted a key, and their database may ignore letter case. So each key
 * is read before it is deleted, and `consume` holds a claim while it does both.
 */
export const luciaStore = (auth: LuciaAuth): KeyStore => {
	// The adapter is private in Lucia's types, but every release of 1.x has it.
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

	// A collation that ignores case finds the rows of user `ABC` for `abc`.
	const getRows = async (userId: string): Promise<KeySchema[]> =>
		(await adapter.getKeysByUserId(userId)).filter(({ user_id }) => user_id === userId);

	const toKeys = (rows: readonly KeySchema[], ...prefixes: string[]): StoredKey[] =>
		rows
			.map(toStoredKey)
			.filter((key) => key !== null)
			.filter(({ id }) => prefixes.some((prefix) => id.startsWith(prefix)));

	// Each batch ends before its error is thrown, so that no delete runs on after the call.
	const deleteAll = async (keys: readonly StoredKey[]): Promise<void> => {
		for (let start = 0; start < keys.length; start += MAX_CONCURRENT_DELETES) {
			const batch = keys.slice(start, start + MAX_CONCURRENT_DELETES);
			const results = await Promise.allSettled(
				batch.map(({ id }) => adapter.deleteNonPrimaryKey(id)),
			);
			for (const result of results) if (result.status === "rejected") throw result.reason;
		}
	};

	// The claim is the lock: an insert is the only atomic step of adapters that tells the caller who won.
	// Returns false if another call holds the claim, or if the user is gone and the key with it.
	const claim = async (key: StoredKey, id: string): Promise<boolean> => {
		try {
			// The claim of an expired key expires now, so that no sweep takes it from its holder.
			await insert({ ...key, id, expires: Math.max(key.expires, now()) });
			return true;
		} catch (error) {
			// After any other error the claim may be another call's, so this call must not delete it.
			if (error instanceof LuciaTokenError) return false;
			throw error;
		}
	};

	// A claim that cannot be deleted blocks its token until a sweep. An error here would report a used
	// token as unused, or hide the error that matters.
	const release = (id: string): Promise<void> => adapter.deleteNonPrimaryKey(id).catch(() => {});

	// Consumes a key under a claim, and then deletes the claim. If it got the key, also deletes the key with
	// the other id.
	const underClaim = async (
		key: StoredKey,
		id: string,
		consume: () => Promise<StoredKey | null>,
		...otherId: string[]
	): Promise<StoredKey | null> => {
		if (!(await claim(key, id))) return null;
		let consumed: StoredKey | null = null;
		try {
			consumed = await consume();
			return consumed;
		} finally {
			await Promise.all([id, ...(consumed ? otherId : [])].map(release));
		}
	};

	// Reads the key again: another call may have deleted it and released its claim between the first read
	// and this claim.
	const deleteClaimed = async (
		id: string,
		userId: string | undefined,
		isWanted: (key: StoredKey) => boolean = () => true,
	): Promise<StoredKey | null> => {
		const key = await get(id, userId);
		if (!key || !isWanted(key)) return null;
		await adapter.deleteNonPrimaryKey(id);
		return key;
	};

	// A claim left by a crash must not block a marked key forever. So each minute has its own claim. A call
	// that finds the claim of the minute before or after gives up. Of two concurrent calls, the one that
	// reads later finds the other's claim.
	const consumeExpired = async (key: StoredKey, expiredAt: number): Promise<StoredKey | null> => {
		const minute = Math.trunc(now() / LEASE);
		return underClaim(key, minuteClaimId(key.id, minute), async () => {
			for (const other of [minute - 1, minute + 1]) {
				if (await get(minuteClaimId(key.id, other))) return null;
			}
			return deleteClaimed(key.id, key.userId, ({ expires }) => isExpired(expires, expiredAt));
		});
	};

	const consume: KeyStore["consume"] = async (id, userId, expiredAt) => {
		const seen = await get(id, userId);
		if (!seen) return null;
		if (expiredAt !== undefined) {
			return isExpired(seen.expires, expiredAt) ? consumeExpired(seen, expiredAt) : null;
		}
		return underClaim(seen, claimId(id), () => deleteClaimed(id, userId));
	};

	return {
		insert,
		get,
		consume,

		consumeAndDelete(key, otherId) {
			const isSame = ({ expires }: StoredKey) => expires === key.expires;
			const consume = () => deleteClaimed(key.id, key.userId, isSame);
			return underClaim(key, claimId(key.id), consume, otherId);
		},

		async delete(id, userId) {
			if (await get(id, userId)) await adapter.deleteNonPrimaryKey(id);
		},

		async getAllByUser(userId, prefix, orPrefix = prefix) {
			const rows = await getRows(userId);
			// A user who has a key exists.
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
			// One by one, under a claim: a key may have been stored under the same id since the list was read.
			const before = markedBefore(at);
			for (const key of toKeys(rows, MARK + prefix)) {
				if (isExpired(key.expires, before)) await consumeExpired(key, before);
			}
		},
	};
};
