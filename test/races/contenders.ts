import { join } from "node:path";
import type { Auth } from "lucia-auth";
import { inject } from "vitest";
import type { KeyStore } from "../../src/index.js";
import { importHeavy, isInstalled } from "../matrix/heavy.js";
import type { Database } from "../support/database.js";
import {
	libsql,
	openMysql,
	openPostgres,
	openSqliteDb,
	type SqliteDb,
} from "../support/databases.js";
import { openD1 } from "../support/d1.js";
import { openPrismaOnPostgres, openPrismaOnSqlite } from "../support/prisma.js";
import { temporaryFolder } from "../support/server.js";
import type { Connection } from "./racers.js";

/** A database of a test's own. */
export type Opened = Pick<Database, "defaultSource" | "sql" | "keys" | "close">;

/** A database that other processes can also connect to. */
export interface Shared extends Database {
	readonly connection: Connection;
	/** The driver's pool or database. */
	readonly handle: unknown;
}

const openFile = async (
	driver: "libsql" | "better-sqlite3",
	create: (file: string) => SqliteDb,
): Promise<Shared> => {
	const { path, remove } = temporaryFolder("races");
	const file = join(path, "db");
	const raw = create(file);
	raw.pragma("journal_mode = WAL");
	raw.pragma("busy_timeout = 60000");
	raw.pragma("synchronous = NORMAL");
	const database = await openSqliteDb(raw);
	return {
		...database,
		connection: { driver, database: file },
		handle: raw,
		close: async () => {
			await database.close();
			remove();
		},
	};
};

const postgres = inject("postgres");
const mysql = inject("mysql");

/** The databases that have both a default and a native store. */
export const DATABASES: readonly {
	readonly name: string;
	readonly native: string;
	readonly isThere: boolean;
	readonly open: () => Promise<Shared>;
}[] = [
	{
		name: "libsql",
		native: "betterSqlite3",
		isThere: true,
		open: () => openFile("libsql", (file) => new libsql(file)),
	},
	{
		name: "better-sqlite3",
		native: "betterSqlite3",
		isThere: isInstalled("better-sqlite3"),
		open: async () => {
			const { default: BetterSqlite3 } = await importHeavy<{
				readonly default: new (file: string) => SqliteDb;
			}>("better-sqlite3");
			return openFile("better-sqlite3", (file) => new BetterSqlite3(file));
		},
	},
	{
		name: "PostgreSQL",
		native: "pg",
		isThere: postgres !== "",
		open: async () => {
			const database = await openPostgres(postgres);
			const connection = { driver: "pg", url: postgres, database: database.name } as const;
			return { ...database, connection, handle: database.pool };
		},
	},
	{
		name: "MySQL or MariaDB",
		native: "mysql2",
		isThere: mysql !== "",
		open: async () => {
			const database = await openMysql(mysql);
			const connection = { driver: "mysql2", url: mysql, database: database.name } as const;
			return { ...database, connection, handle: database.pool };
		},
	},
];

/** A store on a database. */
export interface Contender<Db extends Opened = Opened> {
	readonly name: string;
	readonly store: "default" | "native";
	readonly isThere: boolean;
	readonly open: () => Promise<Db>;
	readonly sourceOf: (db: Db) => Auth | KeyStore;
}

/** The contenders that can race across processes. */
export const SHARED: readonly Contender<Shared>[] = DATABASES.flatMap(
	({ name, native, isThere, open }): Contender<Shared>[] => [
		{
			name: `default store on ${name}`,
			store: "default",
			isThere,
			open,
			sourceOf: (db) => db.defaultSource,
		},
		{
			name: `${native} on ${name}`,
			store: "native",
			isThere,
			open,
			sourceOf: (db) => db.nativeSource,
		},
	],
);

const defaultOn = (name: string, isThere: boolean, open: () => Promise<Opened>): Contender => ({
	name: `default store on ${name}`,
	store: "default",
	isThere,
	open,
	sourceOf: (db) => db.defaultSource,
});

/** Contenders with slow queries. Their races use fewer tokens. */
export const SLOW: readonly Contender[] = [
	defaultOn("D1", isInstalled("miniflare"), openD1),
	defaultOn("Prisma and SQLite", isInstalled("prisma"), openPrismaOnSqlite),
	defaultOn("Prisma and PostgreSQL", isInstalled("prisma") && postgres !== "", () =>
		openPrismaOnPostgres(postgres),
	),
];
