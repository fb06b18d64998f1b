import { inspect } from "node:util";
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from "vitest";
import { idToken, type KeyStore } from "../../src/index.js";
import { openBetterSqlite3, openPostgres, openSqliteDb } from "../support/database.js";
import { casesOf, toHarness } from "../support/harness.js";
import { openPrismaOnPostgres, openPrismaOnSqlite } from "../support/prisma.js";
import { openRedis } from "../support/redis.js";
import { importHeavy, isInstalled } from "./heavy.js";
import { behavior, callsTo, withUser } from "./matrix.js";

const [postgres, redisUrl] = [inject("postgres"), inject("redis")];

// By name, so that this file needs no types of packages that may not be installed.
const importStore = async (name: string) => {
	const module = (await import(`../../examples/stores/${name}.ts`)) as Record<string, unknown>;
	return module[`${name}Store`] as (db: object, options?: object) => KeyStore;
};

describe.skipIf(!isInstalled("drizzle-orm") || postgres === "")("Drizzle", () => {
	behavior("examples/stores/drizzle.ts", async () => {
		const { drizzle } = await importHeavy<{ readonly drizzle: (pool: object) => object }>(
			"drizzle-orm/node-postgres",
		);
		const db = await openPostgres(postgres);
		return toHarness(db, (await importStore("drizzle"))(drizzle(db.pool)));
	});
});

describe.skipIf(!isInstalled("kysely") || !isInstalled("better-sqlite3"))("Kysely", () => {
	behavior("examples/stores/kysely.ts", async () => {
		const { Kysely, SqliteDialect } =
			await importHeavy<Record<"Kysely" | "SqliteDialect", new (config: object) => object>>(
				"kysely",
			);
		const database = await openBetterSqlite3(":memory:");
		const kysely = new Kysely({ dialect: new SqliteDialect({ database }) });
		return toHarness(await openSqliteDb(database), (await importStore("kysely"))(kysely));
	});
});

// Prisma tells the arguments where they do not fit the schema, and PostgreSQL the row that it refuses.
const PRISMA = [
	{ on: "SQLite", isThere: true, open: openPrismaOnSqlite, check: undefined },
	{
		on: "PostgreSQL",
		isThere: postgres !== "",
		open: () => openPrismaOnPostgres(postgres),
		check: "ALTER TABLE auth_key ADD CHECK (expires > 1)",
	},
];

for (const { on, isThere, open, check } of PRISMA) {
	describe.skipIf(!isThere || !isInstalled("prisma"))(`Prisma on ${on}`, () => {
		const openDefault = async () => {
			const db = await open();
			return toHarness(db, db.defaultSource);
		};
		behavior("defaultSource", openDefault, casesOf("default"));

		behavior("examples/stores/prisma.ts", async () => {
			const db = await open();
			return toHarness(db, (await importStore("prisma"))(db.client));
		});

		test("a Prisma error includes its code and no token", async () => {
			const db = await withUser(open());
			const store = (await importStore("prisma"))(db.client);
			const secret = { id: "n:secret", userId: "u", expires: 1 };
			const messageOf = async (call: Promise<unknown>): Promise<string> => {
				const error: unknown = await call.catch((reason: unknown) => reason);
				expect(inspect(error, { depth: null, showHidden: true })).not.toContain("secret");
				return (error as Error).message;
			};
			const misfit = store.insert({ ...secret, userId: 1 as never });
			expect(await messageOf(misfit)).toBe("PrismaClientValidationError");
			if (check !== undefined) {
				await db.sql(check);
				expect(await messageOf(store.insert(secret))).toBe("PrismaClientKnownRequestError P2039");
			}
			await db.sql("DROP TABLE auth_key");
			const { onKey, onUser } = callsTo(store, secret.id);
			for (const call of [...onKey, ...onUser]) {
				expect(await messageOf(call())).toBe("PrismaClientKnownRequestError P2021");
			}
		});
	});
}

describe.skipIf(redisUrl === "")("Redis", () => {
	const HOUR = 60 * 60 * 1000;
	const LIVE = { expiresIn: 60 };

	const open = async () => {
		const redisStore = await importStore("redis");
		const opened = await openRedis(redisUrl, redisStore);
		return { ...opened, withoutUsers: redisStore(opened.client) };
	};
	behavior("examples/stores/redis.ts", open);

	describe("examples/stores/redis.ts", () => {
		let redis: Awaited<ReturnType<typeof open>>;
		beforeAll(async () => {
			redis = await open();
		});
		afterAll(() => redis.close());

		const createUser = async (): Promise<string> => {
			const userId = crypto.randomUUID();
			await redis.createUser(userId);
			return userId;
		};

		test("Redis deletes a key a day after it expires, and a user's set with the last one", async () => {
			const userId = await createUser();
			const expires = Date.now() + 30 * HOUR;
			const expiries = async (id: string): Promise<number[]> =>
				Promise.all(
					[redis.keyName(id), redis.userName(userId)].map((name) => redis.client.pExpireTime(name)),
				);
			for (const [id, at] of [
				[`n:a${userId}`, expires],
				[`n:b${userId}`, expires - HOUR],
			] as const) {
				await redis.store.insert({ id, userId, expires: at });
				expect(await expiries(id)).toEqual([at + 24 * HOUR, expires + 24 * HOUR]);
			}
			const guess = { userId, prefix: "n:a", id: "n:a", maxAttempts: 5, now: 0 };
			const [attempt] = (await redis.store.takeAttempts?.(guess)) ?? [];
			expect(await expiries(String(attempt?.id))).toEqual(Array(2).fill(expires + 24 * HOUR));
		});

		test("a key that Redis has deleted is not listed, and the next sweep forgets its id", async () => {
			const [userId, other] = [await createUser(), await createUser()];
			const expires = Date.now();
			const [gone, taken] = [`n:gone${userId}`, `n:taken${userId}`];
			for (const id of [gone, taken]) {
				await redis.store.insert({ id, userId, expires });
				await redis.client.del(redis.keyName(id));
			}
			const again = { id: taken, userId: other, expires };
			await redis.store.insert(again);
			expect(await redis.store.getAllByUser(userId, "n:")).toEqual([]);
			await redis.store.deleteAllByUser(userId, "n:");
			await redis.store.deleteExpiredByUser(userId, "m:", expires + 1);
			expect(await redis.client.exists(redis.userName(userId))).toBe(0);
			expect(await redis.store.getAllByUser(other, "n:")).toEqual([again]);
		});

		test("without isUser, every id is a user's", async () => {
			const userId = crypto.randomUUID();
			const link = idToken(redis.withoutUsers, "link", LIVE);
			expect(await link.getAllUserTokens(userId)).toEqual([]);
			expect((await link.validate(await link.issue(userId))).userId).toBe(userId);
		});

		test("an error of Redis reaches the caller and includes no token", async () => {
			const userId = await createUser();
			const [id, other] = [`n:secret${userId}`, `n:secret2${userId}`];
			const now = Date.now();
			await redis.client.set(redis.userName(userId), "no sorted set");
			await redis.client.set(redis.keyName(id), `${now} ${userId}`);
			onTestFinished(async () => {
				await redis.client.del([redis.userName(userId), ...[id, other].map(redis.keyName)]);
			});
			for (const call of [
				() => redis.store.insert({ id: other, userId, expires: now }),
				() => redis.store.consume(id),
				() => redis.store.getAllByUser(userId, id),
			]) {
				const error: unknown = await call().catch((reason: unknown) => reason);
				expect(error).toMatchObject({ message: expect.stringContaining("WRONGTYPE") as string });
				expect(inspect(error, { depth: null, showHidden: true })).not.toContain("secret");
			}
		});
	});
});
