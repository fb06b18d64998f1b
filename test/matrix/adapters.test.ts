import { stripVTControlCharacters } from "node:util";
import { mysql2 } from "@lucia-auth/adapter-mysql";
import { pg } from "@lucia-auth/adapter-postgresql";
import { type Adapter, LuciaError } from "lucia-auth";
import { describe, expect, inject, onTestFinished, test } from "vitest";
import { type AdapterTestRows, runAdapterTest } from "../support/adapter-test.js";
import type { Database } from "../support/database.js";
import { openD1 } from "../support/d1.js";
import { openMysql, openPostgres, openSqliteDb, type SqliteDb } from "../support/databases.js";
import { intercept } from "../support/faults.js";
import { openPrismaOnPostgres, openPrismaOnSqlite } from "../support/prisma.js";
import { importHeavy, isInstalled } from "./heavy.js";

type Opened = Pick<Database, "sql" | "keys" | "close"> & { readonly adapter: Adapter };

const postgres = inject("postgres");
const mysql = inject("mysql");

// Of any database's driver: numbers and booleans into the statement, strings as values.
const rowsOf = ({ sql, keys }: Pick<Database, "sql" | "keys">): AdapterTestRows => {
	const table = (name: string) => ({
		get: async () => (await sql(`SELECT * FROM ${name}`)) as never[],
		insert: async (row: object) => {
			const entries = Object.entries(row) as [string, unknown][];
			const isText = (value: unknown): value is string => typeof value === "string";
			const values = entries.map(([, value]) => (isText(value) ? "?" : String(value)));
			await sql(
				`INSERT INTO ${name} (${entries.map(([column]) => column).join(", ")})
				VALUES (${values.join(", ")})`,
				entries.map(([, value]) => value).filter(isText),
			);
		},
		clear: async () => {
			await sql(`DELETE FROM ${name}`);
		},
	});
	const session = table("auth_session");
	return {
		user: table("auth_user"),
		session: {
			...session,
			get: async () =>
				((await session.get()) as { active_expires: unknown; idle_expires: unknown }[]).map(
					(row) =>
						({
							...row,
							active_expires: Number(row.active_expires),
							idle_expires: Number(row.idle_expires),
						}) as never,
				),
		},
		key: { ...table("auth_key"), get: keys },
	};
};

const adapterOf = ({ defaultSource }: Pick<Database, "defaultSource">): Adapter =>
	(defaultSource as unknown as { adapter: Adapter }).adapter;

// adapter-postgresql and adapter-mysql never release the connection of a transaction, and `pool.end()` would
// wait for it forever.
interface Connection {
	release(): void;
}
const giveBack = () => {
	const taken: Connection[] = [];
	return {
		take: async <Taken extends Connection>(connection: Promise<Taken>): Promise<Taken> => {
			taken.push(await connection);
			return connection;
		},
		all: () => taken.forEach((connection) => connection.release()),
	};
};

interface Tested {
	readonly name: string;
	readonly isThere: boolean;
	readonly open: () => Promise<Opened>;
	/** The tests that it fails by a defect of its own, in their order. */
	readonly defects?: readonly Defect[];
}

interface Defect {
	readonly test: string;
	/** The method that lets the database's error through, and what it should say instead. */
	readonly method: keyof Adapter;
	readonly message: LuciaError["message"];
}

// On PostgreSQL, adapter-prisma does not find the field's name in the message of a P2002.
const P2002: readonly Defect[] = [
	{
		test: "setUser() : Throw AUTH_DUPLICATE_KEY_ID if key already exists",
		method: "setUser",
		message: "AUTH_DUPLICATE_KEY_ID",
	},
	{
		test: "setKey() : Throw AUTH_DUPLICATE_KEY_ID if key already exists",
		method: "setKey",
		message: "AUTH_DUPLICATE_KEY_ID",
	},
	{
		test: "setSession() : Throw AUTH_DUPLICATE_SESSION_ID if session id is already in use",
		method: "setSession",
		message: "AUTH_DUPLICATE_SESSION_ID",
	},
];

const repaired = (adapter: Adapter, defects: readonly Defect[]): Adapter =>
	intercept(adapter, (name, run) =>
		run().catch((error: Error & { code?: unknown }) => {
			const defect = defects.find(({ method }) => method === name);
			throw defect && error.code === "P2002" ? new LuciaError(defect.message) : error;
		}),
	);

// The last that was begun.
const failedTest = async (result: Promise<unknown>): Promise<string | undefined> => {
	const output = await result.then(
		() => "",
		(error: Error) => stripVTControlCharacters(error.message),
	);
	return /.*\[Test\] (.*)/s.exec(output)?.[1]?.split("\n")[0];
};

const ADAPTERS: readonly Tested[] = [
	{
		name: "adapter-sqlite on better-sqlite3",
		isThere: isInstalled("better-sqlite3"),
		open: async () => {
			const { default: Sqlite } = await importHeavy<{
				readonly default: new (file: string) => SqliteDb;
			}>("better-sqlite3");
			const db = await openSqliteDb(new Sqlite(":memory:"));
			return { ...db, adapter: adapterOf(db) };
		},
	},
	{
		name: "adapter-postgresql on PostgreSQL",
		isThere: postgres !== "",
		open: async () => {
			const db = await openPostgres(postgres, {}, { max: 20 });
			const connections = giveBack();
			const pool = {
				query: db.pool.query.bind(db.pool),
				connect: () => connections.take(db.pool.connect()),
			};
			const close = async (): Promise<void> => {
				connections.all();
				await db.close();
			};
			return { ...db, adapter: pg(pool as never)(LuciaError), close };
		},
	},
	{
		name: "adapter-mysql on MySQL or MariaDB",
		isThere: mysql !== "",
		open: async () => {
			const db = await openMysql(mysql, {}, { connectionLimit: 20 });
			const connections = giveBack();
			const pool = {
				query: db.pool.query.bind(db.pool),
				getConnection: () => connections.take(db.pool.getConnection()),
			};
			const close = async (): Promise<void> => {
				connections.all();
				await db.close();
			};
			return { ...db, adapter: mysql2(pool as never)(LuciaError), close };
		},
	},
	{
		name: "adapter-sqlite on D1",
		isThere: isInstalled("miniflare"),
		open: async () => {
			const db = await openD1();
			return { ...db, adapter: adapterOf(db) };
		},
	},
	{
		name: "adapter-prisma on SQLite",
		isThere: isInstalled("prisma"),
		open: async () => {
			const db = await openPrismaOnSqlite();
			return { ...db, adapter: adapterOf(db) };
		},
	},
	{
		name: "adapter-prisma on PostgreSQL",
		isThere: isInstalled("prisma") && postgres !== "",
		defects: P2002,
		open: async () => {
			const db = await openPrismaOnPostgres(postgres);
			return { ...db, adapter: adapterOf(db) };
		},
	},
];

describe("Lucia's own tests of adapters", () => {
	for (const { name, isThere, open, defects = [] } of ADAPTERS) {
		for (const [index, { test: defect }] of defects.entries()) {
			test.skipIf(!isThere)(`${name} fails one by its own defect: ${defect}`, async () => {
				const db = await open();
				onTestFinished(() => db.close());
				const adapter = repaired(db.adapter, defects.slice(0, index));
				expect(await failedTest(runAdapterTest(adapter, rowsOf(db)))).toBe(defect);
			});
		}

		const all = defects.length === 0 ? "passes them" : "passes all others";
		test.skipIf(!isThere)(`${name} ${all}`, async () => {
			const db = await open();
			onTestFinished(() => db.close());
			const adapter = repaired(db.adapter, defects);
			expect(await runAdapterTest(adapter, rowsOf(db))).toHaveLength(41);
		});
	}
});
