import { setTimeout } from "node:timers/promises";
import { pg as pgAdapter } from "@lucia-auth/adapter-postgresql";
import type { KeySchema } from "lucia-auth";
import { describe, expect, onTestFinished, test } from "vitest";
import { pg } from "../../src/stores/pg.js";
import { account } from "../races/account.js";
import type { Shared } from "../races/contenders.js";
import { addFailures, addSuccess, newTally, type Tally } from "../races/race.js";
import { type Connection, type Job, startRacer } from "../races/racers.js";
import { createUser, NAME, storeTokens } from "../races/tokens.js";
import { createAuth, type Database } from "../support/database.js";
import { openMysql, toKey } from "../support/databases.js";
import { startPostgres } from "../support/postgres.js";
import type { OwnServer } from "../support/server.js";
import { startMariadb } from "../support/mariadb.js";
import { areInstalled } from "./programs.js";
import { connect, openOn } from "./races.js";

const TOKENS = 600;
/** How many tokens are used when the server is killed. */
const USED = 150;

/** Stops a server when its test ends. */
const untilEnd = async (starting: Promise<OwnServer>): Promise<OwnServer> => {
	const server = await starting;
	onTestFinished(() => server.stop());
	return server;
};

/** Kills the server while two processes validate. */
const crash = async (
	server: OwnServer,
	db: Database,
	connection: Connection,
	store: Job["store"] = "native",
): Promise<Tally> => {
	await createUser(db, "user");
	const tokens = await storeTokens(db, "user", TOKENS);
	const job: Job = { connection, store, version: "current", name: NAME };
	const racers = await Promise.all([startRacer(job), startRacer(job)]);
	const done = racers.map((racer) => racer.validateAll(tokens, 10));
	const won = (): string[] => racers.flatMap((racer) => racer.won);
	while (won().length < USED) await setTimeout(1);
	await server.crash();
	const tally = newTally(tokens);
	for (const failures of await Promise.all(done)) addFailures(tally, failures);
	for (const token of won()) addSuccess(tally, token);
	expect(won().length).toBeLessThan(TOKENS);
	return tally;
};

/** Kills a server, starts it again, and accounts for every token. */
const crashAndRestart = async (
	what: string,
	server: OwnServer,
	db: Database,
	driver: Connection["driver"],
): Promise<void> => {
	const connection: Connection = { driver, url: server.url, database: db.name };
	const tally = await crash(server, db, connection);
	await server.restart();
	const contender = { name: what, store: "native", sourceOf: () => db.nativeSource } as const;
	await account("killed and restarted", { ...db, connection, handle: null }, contender, tally);
};

describe("a server is killed under load, and no used token is good again", () => {
	test.skipIf(!areInstalled("postgresql"))("PostgreSQL, restarted", async () => {
		const server = await untilEnd(startPostgres([]));
		const db = await openOn(server);
		onTestFinished(() => db.pool.end());
		await crashAndRestart("pg on PostgreSQL", server, db, "pg");
	});

	test.skipIf(!areInstalled("mariadb-server"))("MariaDB, restarted", async () => {
		const server = await untilEnd(startMariadb());
		const db = await openMysql(server.url);
		onTestFinished(() => db.pool.end());
		await crashAndRestart("mysql2 on MariaDB", server, db, "mysql2");
	});

	const failover = test.skipIf(!areInstalled("postgresql"));
	failover.each(["native", "default"] as const)(
		"PostgreSQL, a synchronous standby promoted, %s store",
		async (store) => {
			const primary = await untilEnd(startPostgres(["synchronous_standby_names=*"]));
			const standby = await untilEnd(startPostgres([], primary));
			const db = await openOn(primary);
			onTestFinished(() => db.pool.end());
			const connection = { driver: "pg", url: primary.url, database: db.name } as const;
			const tally = await crash(primary, db, connection, store);

			const pool = connect(standby, db.name);
			onTestFinished(() => pool.end());
			await pool.query("SELECT pg_promote()");
			const promoted: Shared = {
				...db,
				connection,
				handle: pool,
				keys: async () => (await pool.query<KeySchema>("SELECT * FROM auth_key")).rows.map(toKey),
			};
			const sourceOf = () => (store === "native" ? pg(pool) : createAuth(pgAdapter(pool as never)));
			await account("failed over", promoted, { name: `${store} store`, store, sourceOf }, tally);
		},
	);
});
