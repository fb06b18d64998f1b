import { inspect } from "node:util";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { idToken, type KeyStore, passwordToken } from "../../src/index.js";
import { type Database, toHarness } from "../support/database.js";
import { openPostgres, openSqliteDb, type SqliteDb } from "../support/databases.js";
import { tokenError } from "../support/errors.js";
import {
	openPrismaOnPostgres,
	openPrismaOnSqlite,
	type PrismaDatabase,
} from "../support/prisma.js";
import { openRedis, type RedisConnection, type RedisOptions } from "../support/redis.js";
import { behavior, type Contender } from "./behavior.js";
import { importHeavy, isInstalled } from "./heavy.js";

const toContender = (
	database: Pick<Database, "sql" | "keys" | "close">,
	source: KeyStore,
): Contender => ({
	...toHarness(database, source),
	source,
	close: () => database.close(),
});

// By name, so that this file needs no types of packages that may not be installed.
const importStore = async <Name extends string, Db, Options = never>(
	file: string,
): Promise<Record<Name, (db: Db, options?: Options) => KeyStore>> =>
	(await import(`../../examples/stores/${file}.ts`)) as Record<Name, (db: Db) => KeyStore>;

const openDrizzle = async (): Promise<Contender> => {
	const { drizzle } = await importHeavy<{ readonly drizzle: (pool: object) => object }>(
		"drizzle-orm/node-postgres",
	);
	const { drizzleStore } = await importStore<"drizzleStore", object>("drizzle");
	const database = await openPostgres(inject("postgres"));
	return toContender(database, drizzleStore(drizzle(database.pool)));
};

const openKysely = async (): Promise<Contender> => {
	const { Kysely, SqliteDialect } = await importHeavy<{
		readonly Kysely: new (config: { dialect: object }) => object;
		readonly SqliteDialect: new (config: { database: SqliteDb }) => object;
	}>("kysely");
	const { default: Sqlite } = await importHeavy<{
		readonly default: new (file: string) => SqliteDb;
	}>("better-sqlite3");
	const { kyselyStore } = await importStore<"kyselyStore", object>("kysely");
	const db = new Sqlite(":memory:");
	const dialect = new SqliteDialect({ database: db });
	return toContender(await openSqliteDb(db), kyselyStore(new Kysely({ dialect })));
};

const openPrisma = async (opening: Promise<PrismaDatabase>): Promise<Contender> => {
	const { prismaStore } = await importStore<"prismaStore", object>("prisma");
	const database = await opening;
	return toContender(database, prismaStore(database.client));
};

describe.skipIf(!isInstalled("drizzle-orm") || inject("postgres") === "")("Drizzle", () => {
	behavior("examples/stores/drizzle.ts", openDrizzle);
});

describe.skipIf(!isInstalled("kysely") || !isInstalled("better-sqlite3"))("Kysely", () => {
	behavior("examples/stores/kysely.ts", openKysely);
});

// Prisma tells the arguments where they do not fit the schema, and PostgreSQL the row that it refuses.
const tellsNoToken = (open: () => Promise<PrismaDatabase>, check?: string): void => {
	test("a Prisma error includes its code and no token", async () => {
		const database = await open();
		const contender = await openPrisma(Promise.resolve(database));
		const { store } = contender;
		const key = { id: "n:secret", userId: "u", expires: 1 };
		const errorOf = async (call: Promise<unknown>): Promise<Error> => {
			const error: unknown = await call.catch((reason: unknown) => reason);
			expect(error).toBeInstanceOf(Error);
			expect(inspect(error, { depth: null, showHidden: true })).not.toContain("secret");
			return error as Error;
		};
		try {
			await contender.createUser("u");
			const misfit = await errorOf(store.insert({ ...key, userId: 1 as never }));
			expect(misfit.message).toBe("PrismaClientValidationError");
			if (check !== undefined) {
				await database.sql(check);
				const { message } = await errorOf(store.insert(key));
				expect(message).toBe("PrismaClientKnownRequestError P2039");
			}
			await database.sql("DROP TABLE auth_key");
			for (const call of [
				() => store.insert(key),
				() => store.get(key.id),
				() => store.consume(key.id),
				() => store.delete(key.id),
				() => store.getAllByUser("u", key.id),
				() => store.deleteAllByUser("u", key.id),
				() => store.deleteExpiredByUser("u", key.id, 2),
			]) {
				const { message } = await errorOf(call());
				expect(message).toBe("PrismaClientKnownRequestError P2021");
			}
		} finally {
			await contender.close();
		}
	});
};

describe.skipIf(!isInstalled("prisma"))("Prisma on SQLite", () => {
	behavior("examples/stores/prisma.ts", () => openPrisma(openPrismaOnSqlite()));
	tellsNoToken(openPrismaOnSqlite);
});

describe.skipIf(!isInstalled("prisma") || inject("postgres") === "")("Prisma on PostgreSQL", () => {
	const open = () => openPrismaOnPostgres(inject("postgres"));
	behavior("examples/stores/prisma.ts", () => openPrisma(open()));
	tellsNoToken(open, "ALTER TABLE auth_key ADD CHECK (expires > 1)");
});

describe.skipIf(inject("redis") === "")("Redis", () => {
	const open = async () => {
		const { redisStore } = await importStore<"redisStore", RedisConnection, RedisOptions>("redis");
		const opened = await openRedis(inject("redis"), redisStore);
		return { ...opened, source: opened.store, withoutUsers: redisStore(opened.client) };
	};
	behavior("examples/stores/redis.ts", open, "own tables");

	describe("examples/stores/redis.ts", () => {
		const HOUR = 60 * 60 * 1000;
		const LIVE = { expiresIn: 60 };
		let redis: Awaited<ReturnType<typeof open>>;
		let stores: KeyStore[];
		beforeAll(async () => {
			redis = await open();
			stores = [redis.store, await redis.connect(), await redis.connect(), await redis.connect()];
		});
		afterAll(() => redis.close());

		const createUser = async (): Promise<string> => {
			const userId = crypto.randomUUID();
			await redis.createUser(userId);
			return userId;
		};

		/** Runs concurrent calls, spread over several connections. Counts what came of them. */
		const race = async (
			count: number,
			call: (store: KeyStore, at: number) => Promise<unknown>,
		): Promise<Record<string, number>> => {
			const calls = Array.from({ length: count }, (_, at) =>
				call(stores[at % stores.length] as KeyStore, at).then(
					() => "fulfilled",
					({ message }: Error) => message,
				),
			);
			const counts: Record<string, number> = {};
			for (const outcome of await Promise.all(calls)) counts[outcome] = (counts[outcome] ?? 0) + 1;
			return counts;
		};

		test("a link is used by one of 400 concurrent calls on four connections", async () => {
			const userId = await createUser();
			for (let round = 0; round < 5; round++) {
				const token = `${await idToken(redis.store, "link", LIVE).issue(userId)}`;
				const counts = await race(400, (store) => idToken(store, "link").validate(token));
				expect(counts).toEqual({ fulfilled: 1, INVALID_TOKEN: 399 });
			}
		});

		test("a code counts five of 1,000 concurrent wrong guesses on four connections", async () => {
			const userId = await createUser();
			const code = passwordToken(redis.store, "code", { ...LIVE, maxAttempts: 5 });
			const token = `${await code.issue(userId)}`;
			const counts = await race(1000, (store) =>
				passwordToken(store, "code", { maxAttempts: 5 }).validate("wrong", userId),
			);
			expect(counts).toEqual({ INVALID_TOKEN: 1000 });
			expect(await redis.store.getAllByUser(userId, ":code:")).toHaveLength(5);
			await expect(code.validate(token, userId)).rejects.toEqual(tokenError("INVALID_TOKEN"));
		});

		test("of a link and a code that revoke each other, one of 200 concurrent calls succeeds", async () => {
			const userId = await createUser();
			const revoke = { revoke: ["link", "code"] };
			for (let round = 0; round < 5; round++) {
				const link = `${await idToken(redis.store, "link", LIVE).issue(userId)}`;
				const code = `${await passwordToken(redis.store, "code", LIVE).issue(userId)}`;
				const counts = await race(200, (store, at) =>
					at % 8 < 4
						? idToken(store, "link").validate(link, revoke)
						: passwordToken(store, "code").validate(code, userId, revoke),
				);
				expect(counts).toEqual({ fulfilled: 1, INVALID_TOKEN: 199 });
			}
		});

		test("minInterval lets one of 100 concurrent calls on four connections issue", async () => {
			const userId = await createUser();
			const counts = await race(100, (store) =>
				idToken(store, "link", { ...LIVE, minInterval: 60 }).issue(userId),
			);
			expect(counts).toEqual({ fulfilled: 1, ISSUED_RECENTLY: 99 });
		});

		test("Redis deletes a key a day after it expires, and a user's set with the last one", async () => {
			const userId = await createUser();
			const expires = Date.now() + 30 * HOUR;
			const expiry = async (name: string): Promise<number> =>
				Number(await redis.client.pExpireTime(name));
			for (const [id, at] of [
				["n:a", expires],
				["n:b", expires - HOUR],
			] as const) {
				await redis.store.insert({ id: `${id}${userId}`, userId, expires: at });
				expect(await expiry(redis.keyName(`${id}${userId}`))).toBe(at + 24 * HOUR);
				expect(await expiry(redis.userName(userId))).toBe(expires + 24 * HOUR);
			}
			const guess = { userId, prefix: "n:a", id: "n:a", maxAttempts: 5, now: 0 };
			const [attempt] = (await redis.store.takeAttempts?.(guess)) ?? [];
			expect(await expiry(redis.keyName(String(attempt?.id)))).toBe(expires + 24 * HOUR);
			expect(await expiry(redis.userName(userId))).toBe(expires + 24 * HOUR);
		});

		test("a key that Redis has deleted is not listed, and the next sweep forgets its id", async () => {
			const [userId, other] = [await createUser(), await createUser()];
			const expires = Date.now();
			const [gone, taken] = [`n:gone${userId}`, `n:taken${userId}`];
			for (const id of [gone, taken]) {
				await redis.store.insert({ id, userId, expires });
				await redis.client.del(redis.keyName(id));
			}
			const key = { id: taken, userId: other, expires };
			await redis.store.insert(key);
			expect(await redis.store.getAllByUser(userId, "n:")).toEqual([]);
			await redis.store.deleteAllByUser(userId, "n:");
			await redis.store.deleteExpiredByUser(userId, "m:", expires + 1);
			expect(await redis.client.exists(redis.userName(userId))).toBe(0);
			expect(await redis.store.getAllByUser(other, "n:")).toEqual([key]);
		});

		test("without isUser, every id is a user's", async () => {
			const userId = crypto.randomUUID();
			const link = idToken(redis.withoutUsers, "link", LIVE);
			expect(await link.getAllUserTokens(userId)).toEqual([]);
			expect((await link.validate(await link.issue(userId))).userId).toBe(userId);
		});

		test("an error of Redis reaches the caller and includes no token", async () => {
			const userId = await createUser();
			const id = `n:secret${userId}`;
			await redis.client.set(redis.userName(userId), "no sorted set");
			try {
				const key = { id, userId, expires: Date.now() };
				await redis.client.set(redis.keyName(id), `${key.expires} ${userId}`);
				for (const call of [
					() => redis.store.insert({ ...key, id: `${id}2` }),
					() => redis.store.consume(id),
					() => redis.store.getAllByUser(userId, id),
				]) {
					const error: unknown = await call().catch((reason: unknown) => reason);
					expect(error).toMatchObject({ message: expect.stringContaining("WRONGTYPE") as string });
					expect(inspect(error, { depth: null, showHidden: true })).not.toContain("secret");
				}
			} finally {
				const names = [redis.userName(userId), redis.keyName(id), redis.keyName(`${id}2`)];
				await redis.client.del(names);
			}
		});
	});
});
