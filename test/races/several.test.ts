import type { Auth } from "lucia-auth";
import { describe, expect, onTestFinished, test } from "vitest";
import { idToken, type KeyStore, passwordToken, type StoredKey } from "../../src/index.js";
import { type Contender, SHARED, type Shared } from "./contenders.js";
import { inBatches, report, shuffled } from "./race.js";
import { type Job, type Racer, startRacer } from "./racers.js";
import { createUser, NAME, options, rowsOf } from "./tokens.js";

const PROCESSES = 4;
const USERS = 40;
const CODES = `${NAME}-code`;

type User = Pick<Racer, "useAll">;

const open = async ({ open }: Pick<Contender<Shared>, "open">): Promise<Shared> => {
	const db = await open();
	onTestFinished(() => db.close());
	return db;
};

/** Two links and two codes of each user, all used at once by everyone. */
const race = async (
	name: string,
	db: Shared,
	source: Auth | KeyStore,
	racers: readonly User[],
	users: number,
): Promise<void> => {
	const [links, codes] = [idToken(source, NAME, options), passwordToken(source, CODES, options)];
	const calls = racers.length * 4;
	await inBatches(Array.from({ length: users }), 5, async (_, index) => {
		const userId = `user${index}`;
		await createUser(db, userId);
		const mine = [`${await links.issue(userId)}`, `${await links.issue(userId)}`];
		const typed = [`${await codes.issue(userId)}`, `${await codes.issue(userId)}`];
		const outcomes = await Promise.all(
			racers.map((racer, at) =>
				racer.useAll(userId, shuffled(mine, at + index), shuffled(typed, at + index)),
			),
		);
		const lost = outcomes.flat().filter((outcome) => outcome !== "ok");
		expect(lost).toHaveLength(calls - 1);
		expect(new Set(lost)).toEqual(new Set(["INVALID_TOKEN"]));
	});
	report(`one of several, ${name}`, { users, "calls for each": calls });
	expect((await rowsOf(db)).tokens).toEqual(new Set());
};

describe("four processes use one of two links and two codes of each user", () => {
	for (const contender of SHARED) {
		test.skipIf(!contender.isThere)(`${USERS} users: ${contender.name}`, async () => {
			const { name, store, sourceOf } = contender;
			const db = await open(contender);
			const job: Job = { connection: db.connection, store, version: "current", name: NAME };
			const racers = await Promise.all(Array.from({ length: PROCESSES }, () => startRacer(job)));
			await race(name, db, sourceOf(db), racers, USERS);
		});
	}
});

test("a store that consumes, then deletes the others, fails the race", async () => {
	const inOneProcess = async (change: (store: KeyStore) => Partial<KeyStore>): Promise<void> => {
		const db = await open(SHARED[0] as Contender<Shared>);
		const store = { ...db.nativeSource, ...change(db.nativeSource) };
		const [links, codes] = [idToken(store, NAME, options), passwordToken(store, CODES, options)];
		const revoke = [NAME, CODES];
		const useAll: User["useAll"] = async (userId, mine, typed) => {
			const results = await Promise.allSettled([
				...mine.map((link) => links.validate(link, { revoke })),
				...typed.map((code) => codes.validate(code, userId, { revoke })),
			]);
			return results.map((result) =>
				result.status === "rejected" ? (result.reason as Error).message : "ok",
			);
		};
		await race("in one process", db, store, [{ useAll }], 1);
	};
	await inOneProcess(() => ({}));
	const broken = inOneProcess((store) => ({
		async consumeAndRevoke(id, userId, prefixes) {
			const key = await store.consume(id, userId);
			for (const prefix of key ? prefixes : []) {
				await store.deleteAllByUser((key as StoredKey).userId, prefix);
			}
			return key;
		},
	}));
	await expect(broken).rejects.toThrow("to have a length of 3");
});
