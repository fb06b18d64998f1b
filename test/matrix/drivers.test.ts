import { inspect } from "node:util";
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from "vitest";
import { idToken, type KeyStore, passwordToken } from "../../src/index.js";
import { libsql } from "../../src/stores/libsql.js";
import { mysql2 } from "../../src/stores/mysql2.js";
import { pg } from "../../src/stores/pg.js";
import { casesOf, toHarness, toOwnHarness } from "../support/database.js";
import { openPostgres, OWN_TABLES, postgres } from "../support/databases.js";
import {
	type DriverDb,
	openLibsqlClient,
	openMariadb,
	openPglite,
	openPostgresJs,
} from "../support/drivers.js";
import { tokenError } from "../support/errors.js";
import { readPage, runBlock } from "../support/page.js";
import { importHeavy, isInstalled } from "./heavy.js";

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

const key = { id: "n:a", userId: "u", expires: 4_000_000_000_000 };

describe.each(DRIVERS)("%s", (_name, isThere, open) => {
	if (!isThere) {
		test.skip("is not there", () => {});
		return;
	}
	let db: DriverDb;
	beforeAll(async () => {
		db = await open();
		await db.sql("INSERT INTO auth_user (id) VALUES ('u')");
	});
	afterAll(() => db.close());

	test("passes every case", async () => {
		for (const { run } of casesOf("native")) await run(toHarness(db, db.nativeSource));
		const own = db.createStore(OWN_TABLES);
		for (const { run } of casesOf("own tables")) await run(toOwnHarness(db, own));
	});

	test("one of ten concurrent calls gets a token, and its expiry is a number", async () => {
		const store = db.nativeSource;
		for (let round = 0; round < 20; round++) {
			await store.insert(key);
			expect(await store.get(key.id)).toEqual(key);
			const got = await Promise.all(Array.from({ length: 10 }, () => store.consume(key.id)));
			expect(got.filter((one) => one !== null)).toEqual([key]);
		}
	});

	test("in a transaction of the app's, links work and limits refuse to answer", async () => {
		const links = idToken(db.nativeSource, "link", { expiresIn: 60 });
		const codes = passwordToken(db.nativeSource, "code", { expiresIn: 60 });
		const [link, code] = [await links.issue("u"), await codes.issue("u")];
		expect(await db.nativeSource.isInTransaction?.()).toBe(false);
		await db.rolledBack(async (store) => {
			expect(await store.isInTransaction?.()).toBe(true);
			const inside = passwordToken(store, "code");
			await expect(inside.validate(code, "u")).rejects.toThrow(/^maxAttempts .*transaction/);
			const linked = idToken(store, "link");
			expect((await linked.validate(link)).userId).toBe("u");
			await expect(linked.validate(link)).rejects.toEqual(tokenError("INVALID_TOKEN"));
		});
		expect((await links.validate(link)).userId).toBe("u");
		expect((await codes.validate(code, "u")).userId).toBe("u");
		expect(await db.nativeSource.isInTransaction?.()).toBe(false);
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

test.skipIf(!isInstalled("@electric-sql/pglite"))(
	"in a transaction of PGlite's that failed, its error reaches the caller",
	async () => {
		const db = await openPglite();
		onTestFinished(() => db.close());
		await db.rolledBack(async (store) => {
			await expect(store.insert({ ...key, expires: 1.5 })).rejects.toThrow();
			await expect(store.isInTransaction?.()).rejects.toHaveProperty("code", "25P02");
		});
	},
);

/** What an app that has an ORM writes, with the names that it has in docs/stores.md. */
interface Orm {
	readonly package: string;
	readonly isThere: boolean;
	/** Makes the ORM on a pool or, with the URL and the schema, on a pool of its own. */
	readonly open: (pool: postgres.Pool, url: string, schema: string) => Promise<OpenOrm>;
}

interface OpenOrm {
	readonly names: Readonly<Record<string, unknown>>;
	/** The ORM itself, and what `pg()` says of it. */
	readonly refused: readonly [orm: unknown, message: string];
	readonly close?: () => Promise<unknown>;
}

interface Drizzle {
	readonly drizzle: (client: unknown) => object;
}

const ORMS: readonly (readonly [string, Orm])[] = [
	[
		"Drizzle",
		{
			package: "drizzle-orm",
			isThere: postgresUrl !== "",
			open: async (pool) => {
				const { drizzle } = await importHeavy<Drizzle>("drizzle-orm/node-postgres");
				const db = drizzle(pool);
				return { names: { db }, refused: [db, "a database of Drizzle: pass its $client"] };
			},
		},
	],
	[
		"Drizzle on postgres.js",
		{
			package: "drizzle-orm",
			isThere: isPostgresJs,
			open: async (_pool, url, schema) => {
				const { default: postgres } = await importHeavy<{
					default: (url: string, config: object) => { end(): Promise<void> };
				}>("postgres");
				const { drizzle } = await importHeavy<Drizzle>("drizzle-orm/postgres-js");
				const sql = postgres(url, { connection: { search_path: schema } });
				const db = drizzle(sql);
				return {
					names: { db },
					refused: [db, "a database of Drizzle: pass its $client"],
					close: () => sql.end(),
				};
			},
		},
	],
	[
		"Kysely",
		{
			package: "kysely",
			isThere: postgresUrl !== "",
			open: async (pool) => {
				const { Kysely, PostgresDialect } =
					await importHeavy<Record<"Kysely" | "PostgresDialect", new (options: object) => object>>(
						"kysely",
					);
				const db = new Kysely({ dialect: new PostgresDialect({ pool }) });
				return { names: { pool }, refused: [db, "a Kysely: pass the Pool"] };
			},
		},
	],
	[
		"Knex",
		{
			package: "knex",
			isThere: postgresUrl !== "",
			open: async (_pool, connectionString, schema) => {
				const { default: createKnex } = await importHeavy<{
					default: (config: object) => { destroy(): Promise<void> };
				}>("knex");
				const options = `-c search_path=${schema}`;
				const knex = createKnex({ client: "pg", connection: { connectionString, options } });
				const pools: postgres.Pool[] = [];
				class Pool extends postgres.Pool {
					constructor(config: postgres.PoolConfig) {
						super(config);
						pools.push(this);
					}
				}
				return {
					names: { knex, Pool },
					refused: [knex, "a Knex: create a Pool"],
					close: () => Promise.all([knex.destroy(), ...pools.map((pool) => pool.end())]),
				};
			},
		},
	],
	[
		"TypeORM",
		{
			package: "typeorm",
			isThere: postgresUrl !== "",
			open: async (_pool, url, schema) => {
				const { DataSource } = await importHeavy<{
					DataSource: new (
						options: object,
					) => Record<"initialize" | "destroy", () => Promise<void>>;
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
		},
	],
];

describe.each(ORMS)("an app with %s", (name, { package: heavy, isThere, open }) => {
	test.skipIf(!isThere || !isInstalled(heavy))("passes what docs/stores.md says", async () => {
		const [, code = ""] = new RegExp(`^\\| ${name.split(" ")[0]} [^|]*\\| \`(.*?)\``, "m").exec(
			readPage("docs/stores.md"),
		) ?? [""];
		const db = await openPostgres(postgresUrl);
		const orm = await open(db.pool, postgresUrl, db.name);
		onTestFinished(async () => {
			await orm.close?.();
			await db.close();
		});
		const block = await runBlock(`export const store = ${code};`, {}, { pg, ...orm.names });
		const store = block["store"] as KeyStore;
		for (const { run } of casesOf("native")) await run(toHarness(db, store));
		expect(await store.isInTransaction?.()).toBe(false);
		const [wrong, message] = orm.refused;
		expect(() => pg(wrong as never)).toThrow(message);
	});
});

test.skipIf(!isMariadb)("mysql2() refuses the mariadb connector with callbacks", async () => {
	const callback =
		await importHeavy<
			Record<"createPool" | "createConnection", (url: object) => { end(): unknown }>
		>("mariadb/callback");
	const { hostname: host, username: user } = new URL(mysqlUrl);
	for (const create of ["createPool", "createConnection"] as const) {
		const driver = callback[create]({ host, user });
		expect(() => mysql2(driver as never)).toThrow(
			"one of mariadb/callback: create it with mariadb",
		);
		driver.end();
	}
});

test("the stores name each other's drivers", async () => {
	const client = isLibsql && (await openLibsqlClient());
	const sql = isPostgresJs && (await openPostgresJs(postgresUrl));
	const pool = isMariadb && (await openMariadb(mysqlUrl));
	const refused = [
		client && [mysql2, client.raw, "one of @libsql/client: pass that to libsql()"],
		client && [pg, client.raw, "an object without query()"],
		sql && [mysql2, sql.raw, "an object without execute()"],
		pool && [pg, pool.raw, "one of MySQL or MariaDB: pass that to mysql2()"],
		pool && [libsql, pool.raw, "one of MariaDB: pass that to mysql2()"],
	] as const satisfies readonly (false | readonly [unknown, unknown, string])[];
	for (const one of refused) {
		if (!one) continue;
		const [create, driver, message] = one;
		expect(() => create(driver as never)).toThrow(message);
	}
	for (const db of [client, sql, pool]) if (db) await db.close();
});
