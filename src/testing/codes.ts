import { attemptPrefix } from "../key-id.js";
import { type KeyStore, MAX_CODES, type StoredKey } from "../key-store.js";
import { takeOneByOne } from "../limits/attempts.js";
import {
	createKeys,
	createKeysOf,
	createLogins,
	EARLIER,
	equal,
	getKeyRows,
	type KeyStoreCase,
	type KeyStoreHarness,
	LATER,
	lookalikes,
	NOW,
	toRow,
	unique,
} from "./harness.js";

const MAX_ATTEMPTS = 5;

// takeAttempts is optional. Without it, its cases test the list and the inserts of handlers.
const take = async (
	store: KeyStore,
	userId: string,
	prefix: string,
	id = `${prefix}wrong`,
	maxAttempts = MAX_ATTEMPTS,
): Promise<readonly StoredKey[]> => {
	const guess = { userId, prefix, id, maxAttempts, now: NOW };
	return store.takeAttempts?.(guess) ?? takeOneByOne(store, guess);
};

const attempt = (code: StoredKey | undefined, number: number): StoredKey => {
	const key = code as StoredKey;
	return { ...key, id: `${attemptPrefix(key)}${number}` };
};

/** Creates a user with outstanding codes, the earliest to expire first. */
const createCodes = async (harness: KeyStoreHarness, count: number, userId = unique()) => {
	const prefix = `${unique()}:${userId}.`;
	const ids = Array.from({ length: count }, (_, n) => [`${prefix}c${n}`, NOW + n] as const);
	return { prefix, ...(await createKeysOf(userId, harness, ...ids)) };
};

// consumeAndDelete is optional. Without it, its cases test consume and delete.
const consumeAndDelete = async (store: KeyStore, key: StoredKey, attemptId: string) => {
	if (store.consumeAndDelete) return store.consumeAndDelete(key, attemptId);
	const consumed = await store.consume(key.id, key.userId);
	if (consumed) await store.delete(attemptId, key.userId);
	return consumed;
};

/** The cases on attempts at codes. */
const attemptCases: readonly KeyStoreCase[] = [
	{
		name: "takes an attempt of each good code for a wrong one, and of no other key",
		async run(harness) {
			const { store, getRows } = harness;
			const { prefix, userId, keys } = await createCodes(harness, 3, `é𝄞${unique()}`);
			const others = [
				[`${prefix}expired`, EARLIER],
				[`${prefix.toUpperCase()}case`, LATER],
				[`x${prefix}`, LATER],
				[`:${prefix} after 1`, LATER],
			] as const;
			for (const [id, expires] of others) {
				await harness.insertRow(toRow({ id, userId, expires }));
			}
			const { keys: ofOther } = await createKeys(harness, [`${prefix}other`, LATER]);
			const before = await getRows(userId);
			for (const number of [1, 2]) {
				equal(
					await take(store, userId, prefix),
					keys.map((key) => attempt(key, number)),
				);
			}
			equal(await getRows(userId), [
				...before,
				...keys.flatMap((key) => [1, 2].map((number) => toRow(attempt(key, number)))),
			]);
			equal(await getRows(String(ofOther[0]?.userId)), ofOther.map(toRow));
		},
	},
	{
		name: "takes an attempt of the right code only",
		async run(harness) {
			const { prefix, userId, keys } = await createCodes(harness, 3);
			const taken = [attempt(keys[1], 1)];
			equal(await take(harness.store, userId, prefix, keys[1]?.id), taken);
			equal(await harness.getRows(userId), [...keys, ...taken].map(toRow));
		},
	},
	{
		name: "takes nothing of a code whose attempts were all taken, whatever their numbers",
		async run(harness) {
			const { store, insertRow } = harness;
			const { prefix, userId, keys } = await createCodes(harness, 3);
			const [tried, left] = keys;
			for (const taken of [attempt(tried, 8), attempt(tried, 9), attempt(left, 9)]) {
				await insertRow(toRow(taken));
			}
			equal(await take(store, userId, prefix, tried?.id, 1), [attempt(keys[2], 1)]);
			equal(await take(store, userId, prefix, tried?.id, 2), [
				attempt(left, 1),
				attempt(keys[2], 2),
			]);
			equal(await take(store, userId, prefix, undefined, 2), []);
			equal(await take(store, userId, prefix, left?.id, 2), []);
		},
	},
	{
		name: `takes attempts of the ${MAX_CODES} newest codes, including those that have none left`,
		async run(harness) {
			const { store } = harness;
			const { prefix, userId, keys } = await createCodes(harness, MAX_CODES + 2);
			const newest = keys.slice(2).map((key) => attempt(key, 1));
			equal(await take(store, userId, prefix, keys[1]?.id, 1), newest);
			equal(await take(store, userId, prefix, undefined, 1), []);
			equal(await take(store, userId, prefix, keys[2]?.id, 2), [attempt(keys[2], 2)]);
		},
	},
	{
		name: "takes an attempt of an expired code if it is the guessed one",
		async run(harness) {
			const { store, insertRow } = harness;
			const { prefix, userId, keys } = await createCodes(harness, 1);
			const expired = { id: `${prefix}expired`, userId, expires: EARLIER };
			await insertRow(toRow(expired));
			equal(await take(store, userId, prefix, expired.id, 2), [attempt(expired, 1)]);
			equal(await take(store, userId, prefix, undefined, 2), [attempt(keys[0], 1)]);
			equal(await take(store, userId, prefix, expired.id, 2), [attempt(expired, 2)]);
		},
	},
	{
		name: "takes nothing of a key that is persistent, is primary, or has a password",
		async run(harness) {
			const { prefix, userId, keys } = await createCodes(harness, 1);
			const rows = await createLogins(harness, keys[0] as StoredKey);
			const guesses = [...rows.map(({ id }) => id), `${prefix}wrong`];
			const taken = guesses.map((_, index) => attempt(keys[0], index + 1));
			for (const [index, id] of guesses.entries()) {
				equal(await take(harness.store, userId, prefix, id), taken.slice(index, index + 1));
			}
			equal(await harness.getRows(userId), [...rows, ...[...keys, ...taken].map(toRow)]);
		},
	},
	{
		name: "takes as many attempts for ten concurrent guesses as there are",
		async run(harness) {
			const { prefix, userId, keys } = await createCodes(harness, 2);
			const taken = await Promise.all(
				Array.from({ length: 10 }, () => take(harness.store, userId, prefix)),
			);
			const all = keys.flatMap((key) => [1, 2, 3, 4, 5].map((number) => attempt(key, number)));
			equal(taken.flat(), all);
			equal(await harness.getRows(userId), [...keys, ...all].map(toRow));
		},
	},
	{
		name: "takes nothing of an unknown user, and compares users, prefixes, and ids byte for byte",
		async run(harness) {
			const { store } = harness;
			const { userId: other } = await createKeys(harness);
			const userId = `a_%${unique()}`;
			const { prefix, keys } = await createCodes(harness, 1, userId);
			const id = String(keys[0]?.id);
			for (const wrong of [other, unique(), ...lookalikes(userId)]) {
				equal(await take(store, wrong, prefix, id), []);
			}
			const wrongPrefixes = [prefix.replace("_%", "xy"), `${prefix}x`, `x${prefix}`];
			for (const wrong of [...lookalikes(prefix), ...wrongPrefixes]) {
				equal(await take(store, userId, wrong), []);
			}
			equal(await harness.getRows(userId), keys.map(toRow));
			// A look-alike of the right code is a wrong one.
			const second = { id: `${prefix}d`, userId, expires: LATER };
			await harness.insertRow(toRow(second));
			equal(await take(store, userId, prefix, id.toUpperCase()), [
				attempt(keys[0], 1),
				attempt(second, 1),
			]);
		},
	},
];

/** The cases on the use of a code. */
const useCases: readonly KeyStoreCase[] = [
	{
		name: "consumeAndDelete returns a code to one of ten concurrent calls, and deletes that call's attempt",
		async run(harness) {
			for (let round = 0; round < 10; round++) {
				const { userId, keys } = await createCodes(harness, 1);
				const [code] = keys as [StoredKey];
				const attempts = Array.from({ length: 10 }, (_, index) => attempt(code, index + 1));
				for (const row of attempts) await harness.insertRow(toRow(row));
				const results = await Promise.all(
					attempts.map(({ id }) => consumeAndDelete(harness.store, code, id)),
				);
				equal(
					results.filter((result) => result !== null),
					[code],
				);
				const left = new Set((await harness.getRows(userId)).map(({ id }) => id));
				const winner = results.findIndex((result) => result !== null);
				const gone = [code, ...attempts.filter((_, index) => index === winner)];
				equal(
					gone.filter(({ id }) => left.has(id)),
					[],
				);
			}
		},
	},
	{
		name: "consumeAndDelete deletes no other key, whether it returns the code or not",
		async run(harness) {
			const { userId, keys } = await createCodes(harness, 2);
			const { userId: other, keys: ofOther } = await createCodes(harness, 1);
			const [first, second] = keys as [StoredKey, StoredKey];
			const wrong = [ofOther[0]?.id, ...lookalikes(second.id)];
			for (const [index, attemptId] of wrong.entries()) {
				const code = { id: `${first.id}${index}`, userId, expires: LATER };
				await harness.insertRow(toRow(code));
				equal(await consumeAndDelete(harness.store, code, String(attemptId)), code);
				equal(await getKeyRows(harness, userId), keys.map(toRow));
			}
			equal(await harness.getRows(other), ofOther.map(toRow));
		},
	},
	{
		name: "consumeAndDelete keeps a key of another user, id, or expiry than the code that was read",
		async run(harness) {
			const { store } = harness;
			const { userId, keys } = await createCodes(harness, 1);
			const { userId: other } = await createKeys(harness);
			const [code] = keys as [StoredKey];
			for (const wrong of [
				...[other, ...lookalikes(userId)].map((userId) => ({ ...code, userId })),
				...lookalikes(code.id).map((id) => ({ ...code, id })),
				// Without consumeAndDelete, nothing reads the expiry again.
				...(store.consumeAndDelete ? [{ ...code, expires: code.expires + 1 }] : []),
			]) {
				equal(await consumeAndDelete(store, wrong, `${code.id}none`), null);
			}
			equal(await harness.getRows(userId), keys.map(toRow));
			equal(await harness.getRows(other), []);
		},
	},
	{
		name: "consumeAndDelete keeps a key that is persistent, is primary, or has a password",
		async run(harness) {
			const { userId, keys } = await createCodes(harness, 1);
			const [code] = keys as [StoredKey];
			const rows = await createLogins(harness, code);
			for (const { id } of rows) {
				equal(await consumeAndDelete(harness.store, { ...code, id }, `${id}none`), null);
			}
			equal(await consumeAndDelete(harness.store, code, String(rows[0]?.id)), code);
			equal(await getKeyRows(harness, userId), rows);
		},
	},
];

/** The cases on a user's codes. */
export const codeCases: readonly KeyStoreCase[] = [
	...attemptCases.map(({ name, run }) => ({
		name: `takeAttempts (or, without it, a list and inserts) ${name}`,
		run,
	})),
	...useCases,
];
