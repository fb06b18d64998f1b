import { inspect } from "node:util";
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from "vitest";
import type { KeyStore } from "../../src/index.js";
import { libsql } from "../../src/stores/libsql.js";
import { mysql2 } from "../../src/stores/mysql2.js";
import { pg } from "../../src/stores/pg.js";
import { openPostgres, postgres } from "../support/database.js";
import { type DriverDb, DRIVERS, openPglite } from "../support/drivers.js";
import { passCases, toHarness, toOwnHarness } from "../support/harness.js";
import { readPage, runBlock } from "../support/page.js";
import { OWN_TABLES } from "../support/schema.js";
import { importHeavy, isInstalled } from "./heavy.js";
import { key, withUser } from "./matrix.js";

const postgresUrl = inject("postgres");

const isPostgresJs = DRIVERS["postgres.js"].isThere;
const { camel, pascal, kebab } = isPostgresJs
	? await importHeavy<Record<string, object>>("postgres")
	: {};

const toBigint = { to: 20, from: [20], parse: BigInt, serialize: String };

const OTHER_SHAPES = {
	...{ rowsAsArray: true, nestTables: true, namedPlaceholders: true, bigIntAsNumber: true },
};

const CONFIGURED: readonly [driver: keyof typeof DRIVERS, what: string, config?: object][] = [
	["postgres.js", "by default"],
	["postgres.js", "without prepared statements", { prepare: false }],
	["postgres.js", "without the types of arrays", { fetch_types: false }],
	["postgres.js", "with BigInts", { types: { bigint: toBigint } }],
	["postgres.js", "with names in camelCase", { transform: camel }],
	["postgres.js", "with names in PascalCase", { transform: pascal }],
	["postgres.js", "with names in kebab-case", { transform: kebab }],
	["PGlite", "by default"],
	["mariadb", "by default"],
	["mariadb", "with rows of another shape", OTHER_SHAPES],
	["@libsql/client", "by default", {}],
	["@libsql/client", "with BigInts", { intMode: "bigint" }],
	["@libsql/client", "with strings", { intMode: "string" }],
	["@libsql/client", "in memory", { url: ":memory:" }],
];

for (const [driver, what, config] of CONFIGURED) {
	describe.skipIf(!DRIVERS[driver].isThere)(`${driver} ${what}`, () => {
		let db: DriverDb;
		beforeAll(async () => {
			db = await DRIVERS[driver].open({}, config);
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

test.skipIf(!DRIVERS.PGlite.isThere)(
	"in a transaction of PGlite's that failed, its error reaches the caller",
	async () => {
		const db = await withUser(openPglite());
		await db.transact("ROLLBACK", async (store) => {
			await expect(store.insert({ ...key, expires: 1.5 })).rejects.toThrow();
			await expect(store.isInTransaction?.()).rejects.toHaveProperty("code", "25P02");
		});
	},
);

/** An ORM on a database, until the test ends. */
type OpenOrm = (db: Awaited<ReturnType<typeof openPostgres>>) => Promise<{
	/** What the code in docs/stores.md uses, by name. */
	readonly names: Readonly<Record<string, unknown>>;
	/** The ORM itself, and what `pg()` says of it. */
	readonly refused: readonly [orm: unknown, message: string];
}>;

const BY_CLIENT = "a database of Drizzle: pass its $client";

const importDrizzle = (driver: string) =>
	importHeavy<{ drizzle: (client: unknown) => object }>(`drizzle-orm/${driver}`);

const ORMS: readonly (readonly [name: string, heavy: string, open: OpenOrm])[] = [
	[
		"Drizzle",
		"drizzle-orm",
		async ({ pool }) => {
			const { drizzle } = await importDrizzle("node-postgres");
			const db = drizzle(pool);
			return { names: { db }, refused: [db, BY_CLIENT] };
		},
	],
	[
		"Drizzle on postgres.js",
		"drizzle-orm",
		async ({ name }) => {
			const { default: postgres } = await importHeavy<{
				default: (url: string, config: object) => { end(): Promise<void> };
			}>("postgres");
			const { drizzle } = await importDrizzle("postgres-js");
			const sql = postgres(postgresUrl, { connection: { search_path: name } });
			onTestFinished(() => sql.end());
			const db = drizzle(sql);
			return { names: { db }, refused: [db, BY_CLIENT] };
		},
	],
	[
		"Kysely",
		"kysely",
		async ({ pool }) => {
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
		async ({ name }) => {
			const { default: createKnex } = await importHeavy<{
				default: (config: object) => { destroy(): Promise<void> };
			}>("knex");
			const connection = {
				connectionString: postgresUrl,
				options: `-c search_path=${name}`,
			};
			const knex = createKnex({ client: "pg", connection });
			onTestFinished(() => knex.destroy());
			// The idle connections of the second pool close by themselves.
			return {
				names: { knex, Pool: postgres.Pool },
				refused: [knex, "a Knex: create a Pool"],
			};
		},
	],
	[
		"TypeORM",
		"typeorm",
		async ({ name }) => {
			const { DataSource } = await importHeavy<{
				DataSource: new (options: object) => Record<"initialize" | "destroy", () => Promise<void>>;
			}>("typeorm");
			const extra = { options: `-c search_path=${name}` };
			const dataSource = new DataSource({ type: "postgres", url: postgresUrl, extra });
			await dataSource.initialize();
			onTestFinished(() => dataSource.destroy());
			return {
				names: { dataSource },
				refused: [dataSource, "a DataSource of TypeORM: pass the Pool of its driver"],
			};
		},
	],
];

for (const [name, heavy, open] of ORMS) {
	const isThere = isPostgresJs && isInstalled(heavy);

	test.skipIf(!isThere)(`an app with ${name} passes what docs/stores.md says`, async () => {
		const row = new RegExp(`^\\| ${name.split(" ")[0]} [^|]*\\| \`(.*?)\``, "m");
		const [, code = ""] = row.exec(readPage("docs/stores.md")) ?? [];
		const db = await withUser(openPostgres(postgresUrl));
		const { names, refused } = await open(db);
		const block = await runBlock(`export const store = ${code};`, {}, { pg, ...names });
		const store = block["store"] as KeyStore;
		await passCases(toHarness(db, store));
		expect(await store.isInTransaction?.()).toBe(false);
		const [wrong, message] = refused;
		expect(() => pg(wrong as never)).toThrow(message);
	});
}

// The fakes of arguments.test.ts are as these are.
describe("a store says which other store a driver belongs to", () => {
	const REFUSED: readonly [keyof typeof DRIVERS, create: (driver: never) => unknown, string][] = [
		["@libsql/client", mysql2, "one of @libsql/client: pass that to libsql()"],
		["@libsql/client", pg, "an object without query()"],
		["postgres.js", mysql2, "an object without execute()"],
		["mariadb", pg, "one of MySQL or MariaDB: pass that to mysql2()"],
		["mariadb", libsql, "one of MariaDB: pass that to mysql2()"],
	];

	test.each(REFUSED.filter(([driver]) => DRIVERS[driver].isThere))(
		"%s, %o: %s",
		async (driver, create, message) => {
			const { raw } = await withUser(DRIVERS[driver].open());
			expect(() => create(raw as never)).toThrow(message);
		},
	);

	test.skipIf(!DRIVERS.mariadb.isThere)("a store refuses a pool of mariadb/callback", async () => {
		const { createPool } = await importHeavy<{
			createPool: (config: object) => { end(): void };
		}>("mariadb/callback");
		const pool = createPool({});
		onTestFinished(() => pool.end());
		const message = "one of mariadb/callback: create it with mariadb";
		expect(() => mysql2(pool as never)).toThrow(message);
	});
});
