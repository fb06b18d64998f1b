import { inspect } from "node:util";
import { describe, expect, inject, test } from "vitest";
import type { KeyStore } from "../../src/index.js";
import { type Database, toHarness } from "../support/database.js";
import { openPostgres, openSqliteDb, type SqliteDb } from "../support/databases.js";
import {
	openPrismaOnPostgres,
	openPrismaOnSqlite,
	type PrismaDatabase,
} from "../support/prisma.js";
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
const importStore = async <Name extends string, Db>(
	file: string,
): Promise<Record<Name, (db: Db) => KeyStore>> =>
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
