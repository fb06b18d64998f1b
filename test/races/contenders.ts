import { join } from "node:path";
import { inject, onTestFinished } from "vitest";
import { isInstalled } from "../matrix/heavy.js";
import {
	type Database,
	libsql,
	openBetterSqlite3,
	openMysql,
	openPostgres,
	openSqliteDb,
	type Opened,
	type SqliteDb,
} from "../support/database.js";
import { openD1 } from "../support/d1.js";
import { openPrismaOnPostgres, openPrismaOnSqlite } from "../support/prisma.js";
import { temporaryFolder } from "../support/server.js";
import type { Connection } from "./racers.js";

/** A database that other processes can also connect to. */
export interface Shared extends Database {
	readonly connection: Connection;
}

const openFile = async (
	driver: "libsql" | "better-sqlite3",
	create: (file: string) => SqliteDb | Promise<SqliteDb>,
): Promise<Shared> => {
	const { path, remove } = temporaryFolder("races");
	const file = join(path, "db");
	const db = await create(file);
	db.pragma("journal_mode = WAL");
	db.pragma("busy_timeout = 60000");
	db.pragma("synchronous = NORMAL");
	const database = await openSqliteDb(db);
	return {
		...database,
		connection: { driver, database: file },
		close: () => database.close().finally(remove),
	};
};

const openServer = async (
	driver: "pg" | "mysql2",
	url: string,
	open: (url: string) => Promise<Database>,
): Promise<Shared> => {
	const database = await open(url);
	return { ...database, connection: { driver, url, database: database.name } };
};

// The setup names those that are not there.
const [postgres, mysql] = [inject("postgres"), inject("mysql")];
const hasPrisma = isInstalled("prisma");

const DATABASES = [
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
		open: () => openFile("better-sqlite3", openBetterSqlite3),
	},
	{
		name: "PostgreSQL",
		native: "pg",
		isThere: postgres !== "",
		open: () => openServer("pg", postgres, openPostgres),
	},
	{
		name: "MySQL or MariaDB",
		native: "mysql2",
		isThere: mysql !== "",
		open: () => openServer("mysql2", mysql, openMysql),
	},
].filter(({ isThere }) => isThere);

/** A default and a native store on each of them. */
export const SHARED = DATABASES.flatMap(({ name, native, open }) => [
	{ name: `default store on ${name}`, store: "default" as const, open },
	{ name: `${native} on ${name}`, store: "native" as const, open },
]);

/** Default stores with slow queries, which race in one process, for fewer tokens. */
export const SLOW: readonly { name: string; open: () => Promise<Opened> }[] = [
	{ name: "D1", isThere: isInstalled("miniflare"), open: () => openD1() },
	{ name: "Prisma and SQLite", isThere: hasPrisma, open: openPrismaOnSqlite },
	{
		name: "Prisma and PostgreSQL",
		isThere: hasPrisma && postgres !== "",
		open: () => openPrismaOnPostgres(postgres),
	},
].filter(({ isThere }) => isThere);

/** Opens a database until the test ends. */
export const opened = async <Db extends Opened>(on: {
	readonly open: () => Promise<Db>;
}): Promise<Db> => {
	const db = await on.open();
	onTestFinished(() => db.close());
	return db;
};
