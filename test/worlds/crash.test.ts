import { pg as pgAdapter } from "@lucia-auth/adapter-postgresql";
import type { KeySchema } from "lucia-auth";
import { describe, expect, test } from "vitest";
import { pg } from "../../src/stores/pg.js";
import { account } from "../races/account.js";
import { countSuccesses, startLoad, type Tally, until } from "../races/race.js";
import { startRacers } from "../races/racers.js";
import { createUser, storeTokens } from "../races/tokens.js";
import { createAuth, type Database, toKey } from "../support/database.js";
import { startMariadb } from "../support/mariadb.js";
import { startPostgres } from "../support/postgres.js";
import type { OwnServer } from "../support/server.js";
import { areInstalled } from "./setup.js";
import { connect, openMysqlOn, openOn, STORES, untilTestEnds } from "./world.js";

const TOKENS = 600;
/** How many tokens are used when the server is killed. */
const USED = 150;

/** Kills the server while two processes validate. */
const crash = async (
	{ url, crash }: OwnServer,
	db: Database,
	driver: "pg" | "mysql2",
	store: (typeof STORES)[number],
): Promise<Tally> => {
	await createUser(db, "user");
	const tokens = await storeTokens(db, "user", TOKENS);
	const connection = { driver, url, database: db.name };
	const racers = await startRacers(connection, store, [{}, {}]);
	const { tally, ended } = startLoad(racers, tokens, 10, 1);
	await until(() => countSuccesses(tally) >= USED);
	await crash();
	await ended;
	expect(countSuccesses(tally)).toBeLessThan(TOKENS);
	return tally;
};

describe("a server is killed under load, and no used token is good again", () => {
	const restarted = test.skipIf(!areInstalled("postgresql", "mariadb-server"));
	restarted.each([
		{ driver: "pg", start: () => startPostgres([]), open: openOn },
		{ driver: "mysql2", start: startMariadb, open: openMysqlOn },
	] as const)("$driver, restarted", async ({ driver, start, open }) => {
		const server = await untilTestEnds<OwnServer>(start());
		const db = await untilTestEnds<Database & { stop: () => Promise<void> }>(open(server));
		const tally = await crash(server, db, driver, "native");
		await server.restart();
		await account(db, "native", db.nativeSource, tally);
	});

	const failover = test.skipIf(!areInstalled("postgresql"));
	failover.each(STORES)("a synchronous standby is promoted, %s store", async (store) => {
		const primary = await untilTestEnds(startPostgres(["synchronous_standby_names=*"]));
		const standby = await untilTestEnds(startPostgres([], primary));
		const db = await untilTestEnds(openOn(primary));
		const tally = await crash(primary, db, "pg", store);

		const { pool } = await untilTestEnds(connect(standby, db.name));
		await pool.query("SELECT pg_promote()");
		const source = store === "native" ? pg(pool) : createAuth(pgAdapter(pool as never));
		const keys = async () =>
			(await pool.query<KeySchema>("SELECT * FROM auth_key")).rows.map(toKey);
		await account({ keys }, store, source, tally);
	});
});
