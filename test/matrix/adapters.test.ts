import { inspect } from "node:util";
import { mysql2 } from "@lucia-auth/adapter-mysql";
import { pg } from "@lucia-auth/adapter-postgresql";
import type { Adapter } from "lucia-auth";
import { expect, inject, onTestFinished, test } from "vitest";
import { idToken, passwordToken } from "../../src/index.js";
import {
	createAuth,
	type Opened,
	openLibsql,
	openMysql,
	openPostgres,
	postgres as pgDriver,
} from "../support/database.js";
import { openD1 } from "../support/d1.js";
import { openPrismaOnSqlite } from "../support/prisma.js";
import { isInstalled } from "./heavy.js";
import { countSuccesses } from "./matrix.js";

// Runs Lucia's own tests of adapters on tables that hold rows of this library. Version 3.0.1, for Lucia 1, is on
// the registry only inside its adapters. It is not in the lockfile, and `npm install` removes what `npm ci` has
// installed.
const location = new URL(
	"../../node_modules/@lucia-auth/adapter-sqlite/node_modules/@lucia-auth/adapter-test/index.js",
	import.meta.url,
);

type Rows = Record<
	"user" | "session" | "key",
	{ get(): Promise<unknown[]>; insert(row: object): Promise<void>; clear(): Promise<void> }
>;

type TestAdapter = (adapter: Adapter, rows: Rows, endProcess: boolean) => Promise<void>;

/** @returns how many of Lucia's tests passed; an error contains their output */
const runAdapterTest = async (adapter: Adapter, rows: Rows): Promise<number> => {
	const { testAdapter } = (await import(location.href)) as { testAdapter: TestAdapter };
	const { log, error, dir } = console;
	const lines: string[] = [];
	console.log = console.error = (line: string) => lines.push(line);
	console.dir = (value: unknown) => lines.push(inspect(value, { depth: null }));
	try {
		await testAdapter(adapter, rows, false);
	} catch (cause) {
		throw new Error(lines.join("\n"), { cause });
	} finally {
		Object.assign(console, { log, error, dir });
	}
	return lines.filter((line) => line.includes("[Success]")).length;
};

// The tables, but for the rows of the user `ours`.
const rowsOf = ({ sql, keys }: Opened): Rows => {
	const table = (name: string, user: string) => ({
		get: () => sql(`SELECT * FROM ${name}`),
		// Numbers and booleans stand in the statement, for any driver.
		insert: async (row: object) => {
			const values: unknown[] = Object.values(row);
			const marks = values.map((value) => (typeof value === "string" ? "?" : String(value)));
			await sql(
				`INSERT INTO ${name} (${Object.keys(row).join(", ")}) VALUES (${marks.join(", ")})`,
				values.filter((value) => typeof value === "string"),
			);
		},
		clear: async () => {
			await sql(`DELETE FROM ${name} WHERE ${user} <> 'ours'`);
		},
	});
	return {
		user: table("auth_user", "id"),
		session: table("auth_session", "user_id"),
		key: { ...table("auth_key", "user_id"), get: keys },
	};
};

// adapter-postgresql and adapter-mysql never release the connection of a transaction, and `pool.end()` would
// wait for it forever.
const released = async <Connection extends { release(): void }>(
	connecting: Promise<Connection>,
): Promise<Connection> => {
	const connection = await connecting;
	onTestFinished(() => connection.release());
	return connection;
};

const [postgres, mysql] = [inject("postgres"), inject("mysql")];

const ADAPTERS: readonly (readonly [string, isThere: boolean, open: () => Promise<Opened>])[] = [
	["adapter-sqlite on libsql", true, openLibsql],
	["adapter-sqlite on D1", isInstalled("miniflare"), openD1],
	[
		"adapter-postgresql",
		postgres !== "",
		async () => {
			const types = new pgDriver.TypeOverrides();
			types.setTypeParser(20, Number);
			const db = await openPostgres(postgres, {}, { max: 20, types });
			const query = db.pool.query.bind(db.pool);
			const connect = () => released(db.pool.connect());
			return { ...db, defaultSource: createAuth(pg({ query, connect } as never)) };
		},
	],
	[
		"adapter-mysql",
		mysql !== "",
		async () => {
			const db = await openMysql(mysql, {}, { connectionLimit: 20 });
			const query = db.pool.query.bind(db.pool);
			const getConnection = () => released(db.pool.getConnection());
			return { ...db, defaultSource: createAuth(mysql2({ query, getConnection } as never)) };
		},
	],
	["adapter-prisma on SQLite", isInstalled("prisma"), openPrismaOnSqlite],
];

for (const [name, isThere, open] of ADAPTERS) {
	test.skipIf(!isThere)(`${name} passes Lucia's tests beside rows of ours`, async () => {
		const db = await open();
		onTestFinished(() => db.close());
		const { defaultSource: auth, sql, keys } = db;
		await sql("INSERT INTO auth_user (id) VALUES ('ours')");
		const link = idToken(auth, "link", { expiresIn: 600, minInterval: 60 });
		const code = passwordToken(auth, "code", { expiresIn: 600 });
		const [linked, coded] = [await link.issue("ours"), await code.issue("ours")];
		expect(await countSuccesses(1, () => code.validate("wrong", "ours"))).toBe(0);
		const before = await keys();
		// Two tokens, an attempt, and the rows of the interval.
		expect(before).toHaveLength(6);

		const { adapter } = auth as unknown as { adapter: Adapter };
		expect(await runAdapterTest(adapter, rowsOf(db))).toBe(41);

		expect(await keys()).toEqual(expect.arrayContaining(before));
		expect((await link.validate(linked)).userId).toBe("ours");
		expect((await code.validate(coded, "ours")).userId).toBe("ours");
	});
}
