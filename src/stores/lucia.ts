import type { Adapter, KeySchema } from "lucia-auth";
import { isExpired, now } from "../clock.js";
import { LuciaTokenError } from "../error.js";
import { spentId } from "../key-id.js";
import { INTERNAL, type KeyStore, MAX_DELAY, type StoredKey } from "../key-store.js";
import type { SingleUseKey } from "../token.js";
import { internalBefore, type KeyRow, orNothing, toStoredKey, toUserId } from "./row.js";

/**
 * An initialized Lucia v1 `Auth`. Only what tells its type from that of other versions is declared, so that
 * these types compile without `lucia-auth`, for apps on another store.
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

// Errors of an id that the column's type, or its character set, cannot hold. Nobody has such an id.
const NO_ID_CODES: readonly unknown[] = [
	"22P02", // PostgreSQL: no UUID, no number
	"22003", // PostgreSQL: a number out of range
	"P2023", // Prisma: no UUID
	"ER_CANT_AGGREGATE_2COLLATIONS", // MySQL, MariaDB: letters that utf8mb3 or latin1 lacks
	"ER_TRUNCATED_WRONG_VALUE", // MySQL, MariaDB: no number
	"ER_TRUNCATED_WRONG_VALUE_FOR_FIELD", // MySQL, MariaDB: letters, in an INSERT
	"ER_WARN_DATA_OUT_OF_RANGE", // MySQL, MariaDB: a number out of range
];

const ASCII = /^\p{ASCII}*$/u;

const codeOf = (error: unknown): unknown => (Object(error) as { code?: unknown }).code;

const isNoId = (error: unknown): boolean => NO_ID_CODES.includes(codeOf(error));

const keepData = async (): Promise<boolean> => false;

const isSingleUse = ({ expires, primary_key, hashed_password }: KeySchema): boolean =>
	expires !== null && !primary_key && hashed_password === null;

const toKey = (row: KeySchema): StoredKey => toStoredKey(row as KeyRow);

// A spent key whose deletion failed is no key any more.
const withoutSpent = async (
	keys: readonly StoredKey[],
	rows: readonly KeySchema[],
): Promise<StoredKey[]> => {
	const ids = new Set(rows.map(({ id }) => id));
	const spent = await Promise.all(keys.map(spentId));
	return keys.filter((_, index) => !ids.has(String(spent[index])));
};

// Returns anything but a duplicate id or an unknown user unchanged.
const toInsertError = (cause: unknown): unknown => {
	const { message } = Object(cause) as { message?: unknown };
	if (message === "AUTH_INVALID_USER_ID") return new LuciaTokenError("INVALID_USER_ID", { cause });
	if (message === "AUTH_DUPLICATE_KEY_ID") return new LuciaTokenError("DUPLICATE_TOKEN", { cause });
	return DUPLICATE_CODES.includes(codeOf(cause)) ? new LuciaTokenError("DUPLICATE_TOKEN") : cause;
};

/** What the store asks of an adapter: users and keys are those that are spelled exactly as asked. */
const toRows = (adapter: Adapter) => {
	const get = async (id: string, userId?: string): Promise<StoredKey | null> => {
		const row = await orNothing(adapter.getKey(id, keepData), isNoId, null);
		// A collation that ignores case finds `ABC` for `abc`.
		if (row?.id !== id || !isSingleUse(row)) return null;
		const key = toKey(row);
		return userId === undefined || key.userId === userId ? key : null;
	};

	const isUser = async (userId: string): Promise<boolean> => {
		const user = await orNothing(adapter.getUser(userId), isNoId, null);
		return user !== null && toUserId(user.id) === userId;
	};

	const insert: KeyStore["insert"] = async ({ id, userId, expires }, isKnownUser = false) => {
		if (!isKnownUser && !(await isUser(userId))) throw new LuciaTokenError("INVALID_USER_ID");
		try {
			await adapter.setKey({
				id,
				user_id: userId,
				primary_key: false,
				hashed_password: null,
				expires,
			});
		} catch (cause) {
			throw toInsertError(cause);
		}
	};

	// Rows of any kind; none for an unknown user.
	const getRows = async (userId: string): Promise<KeySchema[]> => {
		// adapter-mysql 1.1.1 ends the process if this list fails, as it does for letters that the column's
		// character set lacks.
		if (!ASCII.test(userId) && !(await isUser(userId))) return [];
		const found = await orNothing(adapter.getKeysByUserId(userId), isNoId, []);
		// A collation that ignores case finds the rows of user `ABC` for `abc`.
		return found.filter(({ user_id }) => toUserId(user_id) === userId);
	};

	// Each batch ends before its error is thrown, so that no delete runs on after the call.
	const deleteAll = async (ids: readonly string[]): Promise<void> => {
		for (let start = 0; start < ids.length; start += MAX_CONCURRENT_DELETES) {
			const batch = ids.slice(start, start + MAX_CONCURRENT_DELETES);
			const results = await Promise.allSettled(batch.map((id) => adapter.deleteNonPrimaryKey(id)));
			for (const result of results) if (result.status === "rejected") throw result.reason;
		}
	};

	return { get, isUser, insert, getRows, deleteAll };
};

/**
 * The default store: single-use keys through the adapter of a Lucia v1 `Auth`.
 *
 * It calls the adapter, because the methods of `Auth` set the expiry themselves and hide whether a
 * single-use key is primary. (Lucia does not delete one that is.)
 *
 * Adapters do not tell which call deleted a key. The one atomic step that tells who won is an insert of an
 * id that only one call can have. So a key is used by inserting its spent row, which is never released.
 */
const luciaStore = (adapter: Adapter): KeyStore => {
	const { get, isUser, insert, getRows, deleteAll } = toRows(adapter);

	// Another call has used the key, or the user is gone, and the key with it.
	const insertSpent = async (key: StoredKey, expires = key.expires): Promise<boolean> => {
		try {
			await insert({ ...key, id: await spentId(key), expires }, true);
			return true;
		} catch (error) {
			if (error instanceof LuciaTokenError) return false;
			throw error;
		}
	};

	// The call that inserts the spent row has used the key, for good. That a later delete fails changes
	// nothing, and an error would report a used token as unused.
	const deleteSpent = async (...ids: string[]): Promise<void> => {
		for (const id of ids) await adapter.deleteNonPrimaryKey(id).catch(() => {});
	};

	const spend = async (key: StoredKey, ...otherIds: string[]): Promise<StoredKey | null> => {
		if (!(await insertSpent(key))) return null;
		await deleteSpent(key.id, ...otherIds);
		return key;
	};

	// The spent row of a revoked key expires later than the key. That tells it from that of a used one.
	const isRevoked = async (key: StoredKey): Promise<boolean> => {
		const spent = await get(await spentId(key));
		// A read that lags may not see it yet.
		return spent === null || spent.expires !== key.expires;
	};

	/**
	 * Spends a key and those that it revokes, all in one order. Of calls that revoke each other's keys, the one
	 * that gets all of them has used its own.
	 *
	 * @param keys those keys, `own` among them
	 */
	const spendAll = async (
		own: StoredKey,
		keys: readonly StoredKey[],
	): Promise<StoredKey | null> => {
		const spent: string[] = [];
		let isLost = false;
		for (const key of [...keys].sort((a, b) => (a.id < b.id ? -1 : 1))) {
			if (await insertSpent(key, key.expires + 1)) spent.push(key.id);
			else isLost = key === own || (await isRevoked(key));
			if (isLost) break;
		}
		await deleteSpent(...spent);
		return isLost ? null : own;
	};

	return {
		insert,
		get,

		async consume(id, userId) {
			const key = await get(id, userId);
			return key && spend(key);
		},

		consumeAndDelete: spend,

		async consumeAndRevoke(id, userId, prefixes, at) {
			const own = await get(id, userId);
			if (!own || isExpired(own.expires, at)) return own && spend(own);
			const rows = await getRows(own.userId);
			const listed = rows
				.filter(isSingleUse)
				.filter((row) => row.id === id || prefixes.some((prefix) => row.id.startsWith(prefix)));
			const keys = await withoutSpent(listed.map(toKey), rows);
			// It may be deleted since. Then calls that list the others' keys do not list it, and would not spend it.
			const key = keys.find((key) => key.id === id && key.expires === own.expires);
			const spent = key ? await spendAll(key, keys) : null;
			// A call that used so much time may have missed spent rows of the others, as in the handler.
			return isExpired(at + MAX_DELAY, now()) ? null : spent;
		},

		async delete(id, userId) {
			// An internal row is known to be one, and a read that lags may not see it yet.
			if (!id.startsWith(INTERNAL) && !(await get(id, userId))) return;
			await adapter.deleteNonPrimaryKey(id);
		},

		async getAllByUser(userId, prefix, orPrefix = prefix) {
			const rows = await getRows(userId);
			// A user who has a key exists.
			if (rows.length === 0 && !(await isUser(userId))) {
				throw new LuciaTokenError("INVALID_USER_ID");
			}
			const listed = rows
				.filter(isSingleUse)
				.filter(({ id }) => id.startsWith(prefix) || id.startsWith(orPrefix));
			return withoutSpent(listed.map(toKey), rows);
		},

		async deleteAllByUser(userId, prefix) {
			const rows = (await getRows(userId)).filter(isSingleUse);
			await deleteAll(rows.map(({ id }) => id).filter((id) => id.startsWith(prefix)));
		},

		async deleteExpiredByUser(userId, prefix, at) {
			const keys = (await getRows(userId))
				.filter(isSingleUse)
				.filter(({ id }) => id.startsWith(prefix) || id.startsWith(INTERNAL))
				.map(toKey)
				// Internal rows of every name may go: no internal id is used twice.
				.filter(({ id, expires }) =>
					isExpired(expires, id.startsWith(INTERNAL) ? internalBefore(at) : at),
				);
			await deleteAll(keys.map(({ id }) => id));
		},
	};
};

const METHODS = [
	"insert",
	"get",
	"consume",
	"delete",
	"getAllByUser",
	"deleteAllByUser",
	"deleteExpiredByUser",
];
const ADAPTER_METHODS = ["getKey", "getKeysByUserId", "getUser", "setKey", "deleteNonPrimaryKey"];

const missing = (source: unknown, methods: readonly string[]): string[] =>
	methods.filter(
		(method) => typeof (Object(source) as Record<string, unknown>)[method] !== "function",
	);

/**
 * Turns the first argument of `idToken()` or `passwordToken()` into a store.
 *
 * @throws TypeError the argument is neither a `KeyStore` nor an initialized `Auth` of Lucia v1
 */
export const toKeyStore = (source: LuciaAuth | KeyStore): KeyStore => {
	// A store may have an `adapter`, too; an `Auth` has no `consume`.
	if (missing(source, ["consume"]).length === 0) {
		const methods = missing(source, METHODS);
		if (methods.length === 0) return source as KeyStore;
		throw new TypeError(`auth must be a KeyStore, but it has no ${methods.join(", no ")}`);
	}
	// The adapter is private in Lucia's types, but every release of 1.x has it.
	const { adapter } = Object(source) as { adapter?: Adapter };
	if (!adapter) throw new TypeError("auth must be an initialized Lucia Auth or a KeyStore");
	if (missing(adapter, ADAPTER_METHODS).length === 0) return luciaStore(adapter);
	throw new TypeError(
		"auth must be an Auth of Lucia v1: with Lucia 2 or 3, pass a store of your database, such as pg(pool)",
	);
};
