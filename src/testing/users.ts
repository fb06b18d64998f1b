import type { SweptBatch } from "../key-store.js";
import {
	createKeys,
	createLogins,
	EARLIER,
	equal,
	type KeyStoreCase,
	type KeyStoreHarness,
	LATER,
	lookalikes,
	NOW,
	rejects,
	toRow,
	unique,
} from "./harness.js";

const HOUR = 60 * 60 * 1000;

// Characters that LIKE or a pattern would misread, and ones that JavaScript counts as two.
const AWKWARD = ["a.b", "a:b", `a'b"c`, "100%", "a_b", "a\\b", "$1?{}", "é", "𝄞𝄞"];

/** Runs all batches of a sweep. Returns how many rows they deleted; `undefined` without such a sweep. */
const sweepAll = async ({ store }: KeyStoreHarness, prefix: string) => {
	if (!store.deleteExpired) return undefined;
	let after: string | undefined = "";
	let deleted = 0;
	while (after !== undefined) {
		const batch: SweptBatch = await store.deleteExpired(prefix, NOW, after);
		deleted += batch.deleted;
		after = batch.next;
	}
	return deleted;
};

/** The cases on all keys of a user. */
export const userCases: readonly KeyStoreCase[] = [
	{
		name: "getAllByUser lists a user's keys, including expired ones",
		async run(harness) {
			const prefix = `${unique()}:`;
			const { userId, keys } = await createKeys(harness, [`${prefix}a`, LATER], [`${prefix}b`, 1]);
			await createKeys(harness, [`${prefix}c`, LATER]);
			equal(await harness.store.getAllByUser(userId, prefix), keys);
		},
	},
	{
		name: "getAllByUser lists the keys of two prefixes at once",
		async run(harness) {
			const prefix = `${unique()}:`;
			const ids = [`${prefix}a`, `:${prefix} b`, `:${prefix}c`, `::${prefix} d`];
			const { userId, keys } = await createKeys(harness, ...ids.map((id) => [id, LATER] as const));
			const { store } = harness;
			equal(await store.getAllByUser(userId, prefix, `:${prefix} `), keys.slice(0, 2));
			equal(await store.getAllByUser(userId, `:${prefix} `, prefix), keys.slice(0, 2));
			equal(await store.getAllByUser(userId, `${prefix}x`, `${prefix}y`), []);
		},
	},
	{
		name: "getAllByUser tells an unknown user from one without keys",
		async run({ store, createUser }) {
			const userId = unique();
			await rejects(store.getAllByUser(userId, "a:"), "INVALID_USER_ID", userId);
			await createUser(userId);
			equal(await store.getAllByUser(userId, "a:"), []);
			for (const lookalike of lookalikes(userId)) {
				await rejects(store.getAllByUser(lookalike, "a:"), "INVALID_USER_ID", lookalike);
			}
		},
	},
	{
		name: "getAllByUser and deleteAllByUser compare prefixes byte for byte",
		async run(harness) {
			for (const part of AWKWARD) {
				const prefix = `${unique()}_%${part}:`;
				const { userId, keys } = await createKeys(
					harness,
					[`${prefix}a`, LATER],
					[`${prefix.toUpperCase()}b`, LATER],
					[`${prefix.replace("_%", "xy")}c`, LATER],
					[`x${prefix}d`, LATER],
					[`${prefix.slice(0, -1)}-e`, LATER],
				);
				const [mine, ...others] = keys;
				equal(await harness.store.getAllByUser(userId, prefix), [mine]);
				await harness.store.deleteAllByUser(userId, prefix);
				equal(await harness.getRows(userId), others.map(toRow));
			}
		},
	},
	{
		name: "compares user ids byte for byte, with any character",
		async run({ store, createUser, getRows }) {
			for (const part of AWKWARD) {
				const userId = `${part}${unique()}`;
				const prefix = `${unique()}:${userId}.`;
				const key = { id: `${prefix}1`, userId, expires: EARLIER };
				await createUser(userId);
				await createUser(`${userId}2`);
				await store.insert(key);
				equal(await store.getAllByUser(userId, prefix), [key]);
				equal(await store.getAllByUser(`${userId}2`, prefix), []);
				await store.deleteAllByUser(`${userId}2`, prefix);
				await store.deleteExpiredByUser(`${userId}2`, prefix, NOW);
				equal(await store.get(key.id, userId), key);
				await store.deleteExpiredByUser(userId, prefix, NOW);
				equal(await getRows(userId), []);
			}
		},
	},
	{
		name: "deleteAllByUser keeps other users' keys, and does nothing for an unknown user",
		async run(harness) {
			const prefix = `${unique()}:`;
			const mine = await createKeys(harness, [`${prefix}a`, LATER], [`${prefix}b`, EARLIER]);
			const others = await createKeys(harness, [`${prefix}c`, LATER]);
			await harness.store.deleteAllByUser(unique(), prefix);
			for (const lookalike of lookalikes(mine.userId)) {
				await harness.store.deleteAllByUser(lookalike, prefix);
				await harness.store.deleteExpiredByUser(lookalike, prefix, NOW);
			}
			equal(await harness.getRows(mine.userId), mine.keys.map(toRow));
			await harness.store.deleteAllByUser(mine.userId, prefix);
			equal(await harness.getRows(mine.userId), []);
			equal(await harness.getRows(others.userId), others.keys.map(toRow));
		},
	},
	{
		name: "never returns or deletes a key that is persistent, is primary, or has a password",
		async run(harness) {
			const { store, getRows } = harness;
			const prefix = `${unique()}:`;
			const { userId } = await createKeys(harness);
			const rows = await createLogins(harness, { id: prefix, userId, expires: 1 });
			for (const { id } of rows) {
				equal(await store.get(id), null);
				equal(await store.consume(id), null);
				equal(await store.consume(id, userId), null);
				await store.delete(id);
				await store.delete(id, userId);
				const key = { id, userId, expires: LATER };
				await rejects(store.insert(key), "DUPLICATE_TOKEN", id);
			}
			// Without login keys, this is a user who has no key at all.
			equal(await store.getAllByUser(userId, prefix), []);
			await store.deleteAllByUser(userId, prefix);
			await store.deleteExpiredByUser(userId, prefix, NOW);
			await store.deleteOldest?.(userId, prefix, 0, LATER);
			await sweepAll(harness, prefix);
			equal(await getRows(userId), rows);
		},
	},
	{
		// deleteOldest is optional: handlers then list the keys and delete one by one.
		name: "deleteOldest keeps a user's newest keys",
		async run(harness) {
			const { store } = harness;
			const prefix = `${unique()}:`;
			const { userId, keys } = await createKeys(
				harness,
				[`${prefix}newest`, LATER],
				[`${prefix}b`, NOW],
				[`${prefix}a`, NOW],
				[`${prefix}Z`, NOW],
				[`${prefix}expired`, 1],
				[`${prefix}beyond latest`, LATER + 1],
				[`:${prefix}internal`, 1],
				[`${prefix.toUpperCase()}case`, 1],
			);
			const other = await createKeys(harness, [`${prefix}others`, 1]);
			for (const [max, left] of [
				[9, keys],
				[3, [...keys.slice(0, 3), ...keys.slice(6)]],
				[2, [...keys.slice(0, 2), ...keys.slice(6)]],
			] as const) {
				for (const one of [...lookalikes(userId), userId]) {
					await store.deleteOldest?.(one, prefix, max, LATER);
				}
				equal(await harness.getRows(userId), (store.deleteOldest ? left : keys).map(toRow));
			}
			equal(await harness.getRows(other.userId), other.keys.map(toRow));
		},
	},
	...[false, true].map((ofAll): KeyStoreCase => ({
		name: `deleteExpired${ofAll ? "" : "ByUser"} deletes expired keys, and internal ones an hour later`,
		async run(harness) {
			const prefix = `${unique()}_:`;
			const { userId, keys } = await createKeys(
				harness,
				[`${prefix}now`, NOW],
				[`${prefix}later`, LATER],
				[`:${prefix}internal`, NOW - HOUR],
				[`${prefix.replace("_", "x")}other`, 1],
				[`${prefix.toUpperCase()}case`, 1],
				[`-:${prefix}other`, 1],
				[`${prefix}expired`, EARLIER],
				[`:${prefix}old internal`, EARLIER - HOUR],
			);
			const other = await createKeys(harness, [`${prefix}others`, EARLIER]);
			// Without deleteExpired, this tests the other sweep once more.
			const deleted = ofAll ? await sweepAll(harness, prefix) : undefined;
			if (deleted === undefined) await harness.store.deleteExpiredByUser(userId, prefix, NOW);
			else equal(deleted, 3);
			equal(await harness.getRows(userId), keys.slice(0, 6).map(toRow));
			equal(await harness.getRows(other.userId), deleted ? [] : other.keys.map(toRow));
			await harness.store.deleteExpiredByUser(unique(), prefix, NOW);
		},
	})),
];
