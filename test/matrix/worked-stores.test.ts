import { describe, inject } from "vitest";
import type { KeyStore } from "../../src/index.js";
import { type Database, toHarness } from "../support/database.js";
import { openPostgres, openSqliteDb, type SqliteDb } from "../support/databases.js";
import { behaviour, type Contender } from "./behaviour.js";
import { importHeavy, isInstalled } from "./heavy.js";

const toContender = (database: Database, source: KeyStore): Contender => ({
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

describe.skipIf(!isInstalled("drizzle-orm") || inject("postgres") === "")("Drizzle", () => {
	behaviour("examples/stores/drizzle.ts", openDrizzle);
});

describe.skipIf(!isInstalled("kysely") || !isInstalled("better-sqlite3"))("Kysely", () => {
	behaviour("examples/stores/kysely.ts", openKysely);
});
