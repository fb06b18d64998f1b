import { LuciaTokenError, type LuciaTokenErrorMessage } from "../error.js";
import { INTERNAL, type KeyStore, type StoredKey } from "../key-store.js";

/** A row of `auth_key`, of any kind. */
export interface KeyStoreRow {
	readonly id: string;
	readonly user_id: string;
	readonly primary_key: boolean;
	readonly hashed_password: string | null;
	readonly expires: number | null;
}

/** A store under test, and functions that reach its database without it. */
export interface KeyStoreHarness {
	readonly store: KeyStore;
	/**
	 * Whether the database can hold login keys beside the tokens: rows that are primary, have a password, or
	 * have no expiry. With `false`, `insertRow` gets no such row, and the cases on them run without. A table of
	 * tokens alone cannot hold them, nor can Redis.
	 *
	 * @default true
	 */
	readonly hasLoginKeys?: boolean;
	readonly createUser: (id: string) => Promise<void>;
	readonly insertRow: (row: KeyStoreRow) => Promise<void>;
	/** @returns the user's rows, in any order */
	readonly getRows: (userId: string) => Promise<readonly KeyStoreRow[]>;
}

/** One behavior of every store. */
export interface KeyStoreCase {
	/** The behavior, as a sentence. */
	readonly name: string;
	/** @throws Error the store behaves differently */
	readonly run: (harness: KeyStoreHarness) => Promise<void>;
}

/** The time that the cases pass as the current time. */
export const NOW = 2_000_000_000_000;
export const LATER = NOW + 1;
export const EARLIER = NOW - 1;

/**
 * A new random name, because cases share a database with each other and with earlier runs. It has a
 * letter, so that its upper case is another name.
 */
export const unique = (): string => `a${crypto.randomUUID().slice(0, 18)}`;

export const toRow = ({ id, userId, expires }: StoredKey): KeyStoreRow => ({
	id,
	user_id: userId,
	primary_key: false,
	hashed_password: null,
	expires,
});

/**
 * Stores a key's login keys: rows that a store must leave alone. None where the database cannot hold any.
 *
 * @returns the rows; their ids begin with the key's
 */
export const createLogins = async (
	{ hasLoginKeys = true, insertRow }: KeyStoreHarness,
	key: StoredKey,
): Promise<KeyStoreRow[]> => {
	const row = toRow(key);
	const logins = [
		{ ...row, id: `${key.id}persistent`, expires: null },
		{ ...row, id: `${key.id}primary`, primary_key: true },
		{ ...row, id: `${key.id}login`, primary_key: true, expires: null },
		{ ...row, id: `${key.id}password`, hashed_password: "s2:a" },
	].filter(() => hasLoginKeys);
	for (const login of logins) await insertRow(login);
	return logins;
};

/** Spellings that collations may take for the same: another case, a trailing space, an accent. */
export const lookalikes = (id: string): string[] => [
	id.toUpperCase(),
	`${id} `,
	id.replace("a", "á"),
	id.replace("a", "a\u0301"),
];

/** Creates a user with single-use keys of the given ids and expiries. */
export const createKeys = async (
	harness: KeyStoreHarness,
	...expiries: readonly (readonly [id: string, expires: number])[]
): Promise<{ userId: string; keys: StoredKey[] }> => createKeysOf(unique(), harness, ...expiries);

/** Creates a user who has this id, with single-use keys. */
export const createKeysOf = async (
	userId: string,
	{ createUser, insertRow }: KeyStoreHarness,
	...expiries: readonly (readonly [id: string, expires: number])[]
): Promise<{ userId: string; keys: StoredKey[] }> => {
	await createUser(userId);
	const keys = expiries.map(([id, expires]) => ({ id, userId, expires }));
	for (const key of keys) await insertRow(toRow(key));
	return { userId, keys };
};

/** A user's rows without internal ones: a store may leave those, such as spent rows, when it uses a key. */
export const getKeyRows = async (
	{ getRows }: KeyStoreHarness,
	userId: string,
): Promise<KeyStoreRow[]> => (await getRows(userId)).filter(({ id }) => !id.startsWith(INTERNAL));

// Returns the same string for equal values, whatever the order of properties and list items.
const toText = (value: unknown): string => {
	if (Array.isArray(value)) return `[${value.map(toText).sort().join(", ")}]`;
	return JSON.stringify(
		typeof value === "object" && value !== null ? Object.entries(value).sort() : value,
	);
};

/** @throws Error the values differ; the order of lists does not count */
export const equal = (actual: unknown, expected: unknown): void => {
	const [seen, wanted] = [toText(actual), toText(expected)];
	if (seen !== wanted) throw new Error(`expected ${wanted}, but got ${seen}`);
};

const everythingIn = (error: unknown): unknown[] =>
	error instanceof Error
		? Object.getOwnPropertyNames(error)
				.map((name) => (error as unknown as Record<string, unknown>)[name])
				.flatMap(everythingIn)
		: [error];

/** @throws Error the promise does not reject with this error, or the error contains the secret */
export const rejects = async (
	promise: Promise<unknown>,
	message: LuciaTokenErrorMessage,
	secret: string,
): Promise<void> => {
	const error: unknown = await promise.then(
		() => undefined,
		(reason: unknown) => reason,
	);
	if (!(error instanceof LuciaTokenError)) {
		throw new Error(`expected LuciaTokenError ${message}, but got ${String(error)}`);
	}
	equal(error.message, message);
	if (toText(everythingIn(error)).includes(secret)) throw new Error("the error contains the id");
};
