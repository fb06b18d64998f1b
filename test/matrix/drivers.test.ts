import { inspect } from "node:util";
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from "vitest";
import type { KeyStore } from "../../src/index.js";
import { libsql } from "../../src/stores/libsql.js";
import { mysql2 } from "../../src/stores/mysql2.js";
import { pg } from "../../src/stores/pg.js";
import { openPostgres, postgres } from "../support/database.js";
import {
	type DriverDb,
	openLibsqlClient,
	openMariadb,
	openPglite,
	openPostgresJs,
} from "../support/drivers.js";
import { passCases, toHarness, toOwnHarness } from "../support/harness.js";
import { readPage, runBlock } from "../support/page.js";
import { OWN_TABLES } from "../support/schema.js";
import { importHeavy, isInstalled } from "./heavy.js";
import { key, withUser } from "./matrix.js";

const [postgresUrl, mysqlUrl] = [inject("postgres"), inject("mysql")];
const isPostgresJs = postgresUrl !== "" && isInstalled("postgres");
const isMariadb = mysqlUrl !== "" && isInstalled("mariadb");
const isLibsql = isInstalled("@libsql/client");

const onPostgresJs = (config?: object) => () => openPostgresJs(postgresUrl, {}, config);
const onMariadb = (config?: object) => () => openMariadb(mysqlUrl, {}, config);
const onLibsql = (config?: object) => () => openLibsqlClient({}, config);

const transform = async (name: string) =>
	onPostgresJs({ transform: (await importHeavy<Record<string, unknown>>("postgres"))[name] })();

const toBigint = { to: 20, from: [20], parse: BigInt, serialize: String };

const DRIVERS: readonly (readonly [string, isThere: boolean, open: () => Promise<DriverDb>])[] = [
	["postgres.js", isPostgresJs, onPostgresJs()],
	["postgres.js without prepared statements", isPostgresJs, onPostgresJs({ prepare: false })],
	["postgres.js without the types of arrays", isPostgresJs, onPostgresJs({ fetch_types: false })],
	["postgres.js with BigInts", isPostgresJs, onPostgresJs({ types: { bigint: toBigint } })],
	["postgres.js with names in camelCase", isPostgresJs, () => transform("camel")],
	["postgres.js with names in PascalCase", isPostgresJs, () => transform("pascal")],
	["postgres.js with names in kebab-case", isPostgresJs, () => transform("kebab")],
	["PGlite", isInstalled("@electric-sql/pglite"), () => openPglite()],
	["mariadb", isMariadb, onMariadb()],
	[
		"mariadb with rows of another shape",
		isMariadb,
		onMariadb({
			...{ rowsAsArray: true, nestTables: true, namedPlaceholders: true, bigIntAsNumber: true },
		}),
	],
	["@libsql/client", isLibsql, onLibsql()],
	["@libsql/client with BigInts", isLibsql, onLibsql({ intMode: "bigint" })],
	["@libsql/client with strings", isLibsql, onLibsql({ intMode: "string" })],
	["@libsql/client in memory", isLibsql, onLibsql({ url: ":memory:" })],
];

for (const [name, isThere, open] of DRIVERS) {
	describe.skipIf(!isThere)(name, () => {
		let db: DriverDb;
		beforeAll(async () => {
			db = await open();
		});
		afterAll(() => db.close());

		test("passes every case", async () => {
			await passCases(toHarness(db, db.nativeSource));
			await passCases(toOwnHarness(db, db.createStore(OWN_TABLES)));
		});

		test("no error of it holds a token", async () => {
			const secret = { ...key, id: "n:SECRET" };
			await db.sql("ALTER TABLE auth_key RENAME TO other_key");
			onTestFinished(async () => {
				await db.sql("ALTER TABLE other_key RENAME TO auth_key");
			});
			const { nativeSource: store } = db;
			for (const run of [() => store.insert(secret), () => store.consume(secret.id)]) {
				const error: unknown = await run().catch((error: unknown) => error);
				expect(error).toBeInstanceOf(Error);
				expect(inspect(error, { showHidden: true, depth: 9 })).not.toContain("SECRET");
			}
		});
	});
}

test.skipIf(!isInstalled("@electric-sql/pglite"))(
	"in a transaction of PGlite's that failed, its error reaches the caller",
	async () => {
		const db = await withUser(openPglite());
		await db.transact("ROLLBACK", async (store) => {
			await expect(store.insert({ ...key, expires: 1.5 })).rejects.toThrow();
			await expect(store.isInTransaction?.()).rejects.toHaveProperty("code", "25P02");
		});
	},
);

/** An ORM on a pool or, with the URL and the schema, on a pool of its own. */
type OpenOrm = (
	pool: postgres.Pool,
	url: string,
	schema: string,
) => Promise<{
	/** What the code in docs/stores.md uses, by name. */
	readonly names: Readonly<Record<string, unknown>>;
	/** The ORM itself, and what `pg()` says of it. */
	readonly refused: readonly [orm: unknown, message: string];
	readonly close?: () => Promise<unknown>;
}>;

const BY_CLIENT = "a database of Drizzle: pass its $client";

const importDrizzle = (driver: string) =>
	importHeavy<{ drizzle: (client: unknown) => object }>(`drizzle-orm/${driver}`);

const ORMS: readonly (readonly [name: string, heavy: string, open: OpenOrm])[] = [
	[
		"Drizzle",
		"drizzle-orm",
		async (pool) => {
			const { drizzle } = await importDrizzle("node-postgres");
			const db = drizzle(pool);
			return { names: { db }, refused: [db, BY_CLIENT] };
		},
	],
	[
		"Drizzle on postgres.js",
		"drizzle-orm",
		async (_pool, url, search_path) => {
			const { default: postgres } = await importHeavy<{
				default: (url: string, config: object) => { end(): Promise<void> };
			}>("postgres");
			const { drizzle } = await importDrizzle("postgres-js");
			const sql = postgres(url, { connection: { search_path } });
			const db = drizzle(sql);
			return { names: { db }, refused: [db, BY_CLIENT], close: () => sql.end() };
		},
	],
	[
		"Kysely",
		"kysely",
		async (pool) => {
			const { Kysely, PostgresDialect } =
				await importHeavy<Record<"Kysely" | "PostgresDialect", new (options: object) => object>>(
					"kysely",
				);
			const db = new Kysely({ dialect: new PostgresDialect({ pool }) });
			return { names: { pool }, refused: [db, "a Kysely: pass the Pool"] };
		},
	],
	[
		"Knex",
		"knex",
		async (_pool, connectionString, schema) => {
			const { default: createKnex } = await importHeavy<{
				default: (config: object) => { destroy(): Promise<void> };
			}>("knex");
			const options = `-c search_path=${schema}`;
			const knex = createKnex({ client: "pg", connection: { connectionString, options } });
			return {
				// The idle connections of the second pool close by themselves.
				names: { knex, Pool: postgres.Pool },
				refused: [knex, "a Knex: create a Pool"],
				close: () => knex.destroy(),
			};
		},
	],
	[
		"TypeORM",
		"typeorm",
		async (_pool, url, schema) => {
			const { DataSource } = await importHeavy<{
				DataSource: new (options: object) => Record<"initialize" | "destroy", () => Promise<void>>;
			}>("typeorm");
			const extra = { options: `-c search_path=${schema}` };
			const dataSource = new DataSource({ type: "postgres", url, extra });
			await dataSource.initialize();
			return {
				names: { dataSource },
				refused: [dataSource, "a DataSource of TypeORM: pass the Pool of its driver"],
				close: () => dataSource.destroy(),
			};
		},
	],
];

for (const [name, heavy, open] of ORMS) {
	const isThere = postgresUrl !== "" && isInstalled(heavy) && isInstalled("postgres");

	test.skipIf(!isThere)(`an app with ${name} passes what docs/stores.md says`, async () => {
		const row = new RegExp(`^\\| ${name.split(" ")[0]} [^|]*\\| \`(.*?)\``, "m");
		const [, code = ""] = row.exec(readPage("docs/stores.md")) ?? [];
		const db = await openPostgres(postgresUrl);
		const orm = await open(db.pool, postgresUrl, db.name);
		onTestFinished(async () => {
			await orm.close?.();
			await db.close();
		});
		const block = await runBlock(`export const store = ${code};`, {}, { pg, ...orm.names });
		const store = block["store"] as KeyStore;
		await passCases(toHarness(db, store));
		expect(await store.isInTransaction?.()).toBe(false);
		const [wrong, message] = orm.refused;
		expect(() => pg(wrong as never)).toThrow(message);
	});
}

// The fakes of arguments.test.ts are as these are.
test("a store says which other store a driver belongs to", async () => {
	const client = isLibsql && (await openLibsqlClient());
	const sql = isPostgresJs && (await openPostgresJs(postgresUrl));
	const pool = isMariadb && (await openMariadb(mysqlUrl));
	const withCallbacks =
		isMariadb &&
		(
			await importHeavy<{ createPool: (config: object) => { end(): void } }>("mariadb/callback")
		).createPool({});
	const refused = [
		client && [mysql2, client.raw, "one of @libsql/client: pass that to libsql()"],
		client && [pg, client.raw, "an object without query()"],
		sql && [mysql2, sql.raw, "an object without execute()"],
		pool && [pg, pool.raw, "one of MySQL or MariaDB: pass that to mysql2()"],
		pool && [libsql, pool.raw, "one of MariaDB: pass that to mysql2()"],
		withCallbacks && [mysql2, withCallbacks, "one of mariadb/callback: create it with mariadb"],
	] as const satisfies readonly (false | readonly [unknown, unknown, string])[];
	for (const one of refused) {
		if (!one) continue;
		const [create, driver, message] = one;
		expect(() => create(driver as never)).toThrow(message);
	}
	if (withCallbacks) withCallbacks.end();
	for (const db of [client, sql, pool]) if (db) await db.close();
});
