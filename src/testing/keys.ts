import { LuciaTokenError } from "../error.js";
import type { StoredKey } from "../key-store.js";
import {
	createKeys,
	EARLIER,
	equal,
	getKeyRows,
	type KeyStoreCase,
	LATER,
	lookalikes,
	NOW,
	rejects,
	toRow,
	unique,
} from "./harness.js";

/** The cases on one key. */
export const keyCases: readonly KeyStoreCase[] = [
	{
		name: "insert stores a single-use key byte for byte",
		async run(harness) {
			const { userId } = await createKeys(harness);
			const key = { id: `${unique()}:A.b-_~%'"\\`, userId, expires: LATER };
			await harness.store.insert(key);
			equal(await harness.getRows(userId), [toRow(key)]);
			equal(await harness.store.get(key.id), key);
		},
	},
	{
		name: "insert takes ids of 255 characters, and any Unicode character",
		async run(harness) {
			const { userId } = await createKeys(harness);
			const key = { id: `${unique()}é𝄞:`.padEnd(255, "x"), userId, expires: LATER };
			await harness.store.insert(key);
			equal(await harness.store.get(key.id), key);
			equal(await harness.store.getAllByUser(userId, key.id.slice(0, 30)), [key]);
			equal(await harness.store.consume(key.id), key);
		},
	},
	{
		name: "insert rejects an id that any user has, and the error does not contain it",
		async run(harness) {
			const id = `${unique()}:a`;
			const { userId: other } = await createKeys(harness);
			const { userId, keys } = await createKeys(harness, [id, NOW]);
			const again = harness.store.insert({ id, userId: other, expires: LATER });
			await rejects(again, "DUPLICATE_TOKEN", id);
			equal(await harness.getRows(userId), keys.map(toRow));
			equal(await harness.getRows(other), []);
		},
	},
	{
		name: "insert succeeds for one of ten concurrent calls with one id",
		async run({ store, createUser, getRows }) {
			const userId = unique();
			await createUser(userId);
			const key = { id: `${unique()}:a`, userId, expires: LATER };
			const results = await Promise.allSettled(Array.from({ length: 10 }, () => store.insert(key)));
			equal(results.filter(({ status }) => status === "fulfilled").length, 1);
			await rejects(store.insert(key), "DUPLICATE_TOKEN", key.id);
			for (const result of results) {
				if (result.status === "fulfilled") continue;
				const { message } = result.reason as Error;
				equal(message, "DUPLICATE_TOKEN");
			}
			equal(await getRows(userId), [toRow(key)]);
		},
	},
	{
		name: "insert rejects an unknown user and stores nothing",
		async run({ store, getRows }) {
			const key = { id: `${unique()}:a`, userId: unique(), expires: LATER };
			await rejects(store.insert(key), "INVALID_USER_ID", key.id);
			equal(await getRows(key.userId), []);
			equal(await store.get(key.id), null);
		},
	},
	{
		name: "insert rejects other spellings of a user's id",
		async run(harness) {
			const { userId } = await createKeys(harness);
			const id = `${unique()}:a`;
			for (const lookalike of lookalikes(userId)) {
				const key = { id, userId: lookalike, expires: LATER };
				await rejects(harness.store.insert(key), "INVALID_USER_ID", id);
			}
			equal(await harness.getRows(userId), []);
			equal(await harness.store.get(id), null);
		},
	},
	{
		name: "insert for a known user does the same, and rejects a user who is gone",
		async run(harness) {
			const { userId } = await createKeys(harness);
			const key = { id: `${unique()}:a`, userId, expires: LATER };
			await harness.store.insert(key, true);
			await rejects(harness.store.insert(key, true), "DUPLICATE_TOKEN", key.id);
			equal(await harness.getRows(userId), [toRow(key)]);
			const gone = { id: `${unique()}:b`, userId: unique(), expires: LATER };
			await rejects(harness.store.insert(gone, true), "INVALID_USER_ID", gone.id);
			equal(await harness.store.get(gone.id), null);
		},
	},
	{
		name: "get returns a key of the given user, expired or not",
		async run(harness) {
			const [a, b] = [`${unique()}:a`, `${unique()}:b`];
			const { userId, keys } = await createKeys(harness, [a, LATER], [b, 1]);
			const { userId: other } = await createKeys(harness);
			equal(await harness.store.get(a), keys[0]);
			equal(await harness.store.get(b, userId), keys[1]);
			equal(await harness.store.get(a, other), null);
			equal(await harness.store.get(a, userId.toUpperCase()), null);
			equal(await harness.store.get(`${unique()}:a`), null);
		},
	},
	{
		name: "consume returns a key once and deletes it",
		async run(harness) {
			const id = `${unique()}:a`;
			const { userId, keys } = await createKeys(harness, [id, NOW]);
			equal(await harness.store.consume(id, userId), keys[0]);
			equal(await harness.store.consume(id), null);
			equal(await getKeyRows(harness, userId), []);
		},
	},
	{
		name: "consume returns an expired key once and deletes it",
		async run(harness) {
			const id = `${unique()}:a`;
			const { userId, keys } = await createKeys(harness, [id, EARLIER]);
			equal(await harness.store.consume(id), keys[0]);
			equal(await harness.store.consume(id), null);
			equal(await getKeyRows(harness, userId), []);
		},
	},
	{
		name: "consume returns a key to one of ten concurrent calls",
		async run(harness) {
			for (let round = 0; round < 10; round++) {
				const id = `${unique()}:a`;
				const { userId, keys } = await createKeys(harness, [id, LATER]);
				const calls = Array.from({ length: 10 }, () => harness.store.consume(id));
				const won = (await Promise.all(calls)).filter((key) => key !== null);
				equal(won, keys);
				equal(await getKeyRows(harness, userId), []);
			}
		},
	},
	// consumeAndRevoke is optional: without it, validate() cannot revoke other tokens.
	{
		name: "consumeAndRevoke consumes a key together with its user's keys of the prefixes",
		async run(harness) {
			const { store } = harness;
			if (!store.consumeAndRevoke) return;
			const [one, two] = [`${unique()}:`, `${unique()}_:`];
			const { userId, keys } = await createKeys(
				harness,
				[`${unique()}:own`, NOW],
				[`${one}a`, LATER],
				[`${two}b`, LATER],
				[`${two}expired`, 1],
				[`${unique()}:c`, LATER],
				[`-${one}d`, LATER],
				[`${one.toUpperCase()}e`, LATER],
				[`${two.replace("_", "x")}f`, LATER],
			);
			const own = keys[0] as StoredKey;
			const other = await createKeys(harness, [`${one}other`, LATER]);
			for (const id of [...lookalikes(own.id), `${unique()}:none`]) {
				equal(await store.consumeAndRevoke(id, userId, [one, two], NOW), null);
			}
			for (const wrong of [other.userId, ...lookalikes(userId)]) {
				equal(await store.consumeAndRevoke(own.id, wrong, [one, two], NOW), null);
			}
			equal(await harness.getRows(userId), keys.map(toRow));
			equal(await store.consumeAndRevoke(own.id, undefined, [one, two], NOW), own);
			equal(await store.consumeAndRevoke(own.id, userId, [one, two], NOW), null);
			equal(await getKeyRows(harness, userId), keys.slice(4).map(toRow));
			equal(await harness.getRows(other.userId), other.keys.map(toRow));
		},
	},
	{
		name: "consumeAndRevoke consumes an expired key alone",
		async run(harness) {
			const { store } = harness;
			if (!store.consumeAndRevoke) return;
			const prefix = `${unique()}:`;
			const { userId, keys } = await createKeys(
				harness,
				[`${prefix}own`, EARLIER],
				[`${prefix}other`, LATER],
			);
			equal(await store.consumeAndRevoke(`${prefix}own`, userId, [prefix], NOW), keys[0]);
			equal(await getKeyRows(harness, userId), keys.slice(1).map(toRow));
			equal(await store.consumeAndRevoke(`${prefix}other`, userId, [], NOW), keys[1]);
			equal(await getKeyRows(harness, userId), []);
		},
	},
	{
		name: "consumeAndRevoke returns one of a user's keys to one of twelve concurrent calls",
		async run(harness) {
			const revoke = harness.store.consumeAndRevoke?.bind(harness.store);
			if (!revoke) return;
			for (let round = 0; round < 10; round++) {
				const prefixes = [`${unique()}:`, `${unique()}:`];
				const { userId, keys } = await createKeys(
					harness,
					...prefixes.flatMap((prefix) => [
						[`${prefix}a`, LATER] as const,
						[`${prefix}b`, LATER] as const,
					]),
				);
				const calls = [...keys, ...keys, ...keys].map(({ id }) =>
					revoke(id, userId, prefixes, NOW),
				);
				equal((await Promise.all(calls)).filter((key) => key !== null).length, 1);
				equal(await getKeyRows(harness, userId), []);
			}
		},
	},
	{
		name: "consume and delete keep another user's key",
		async run(harness) {
			const id = `${unique()}:a`;
			const { userId, keys } = await createKeys(harness, [id, LATER]);
			const { userId: other } = await createKeys(harness);
			for (const wrong of [other, userId.toUpperCase(), ""]) {
				equal(await harness.store.consume(id, wrong), null);
				await harness.store.delete(id, wrong);
			}
			equal(await harness.getRows(userId), keys.map(toRow));
		},
	},
	{
		name: "get, consume, and delete compare ids byte for byte",
		async run({ store, getRows, ...harness }) {
			const id = `${unique()}:a`;
			const { userId, keys } = await createKeys({ store, getRows, ...harness }, [id, LATER]);
			for (const lookalike of lookalikes(id)) {
				equal(await store.get(lookalike), null);
				equal(await store.consume(lookalike), null);
				equal(await store.consume(lookalike, userId), null);
				await store.delete(lookalike);
				await store.delete(lookalike, userId);
			}
			equal(await getRows(userId), keys.map(toRow));
			equal(await store.consume(id), keys[0]);
		},
	},
	{
		name: "delete deletes a key if there is one",
		async run(harness) {
			const [a, b] = [`${unique()}:a`, `${unique()}:b`];
			const { userId } = await createKeys(harness, [a, LATER], [b, EARLIER]);
			await harness.store.delete(a);
			await harness.store.delete(b, userId);
			await harness.store.delete(a);
			equal(await harness.getRows(userId), []);
		},
	},
	{
		name: "isInTransaction is false outside of a transaction",
		async run({ store }) {
			equal((await store.isInTransaction?.()) ?? false, false);
		},
	},
	{
		name: "errors are LuciaTokenErrors of this library",
		async run({ store }) {
			const error = await store.getAllByUser(unique(), "a:").catch((reason: unknown) => reason);
			equal(error instanceof LuciaTokenError, true);
		},
	},
];
