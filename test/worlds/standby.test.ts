import { beforeAll, describe, expect, test } from "vitest";
import { countSuccesses, race, startLoad } from "../races/race.js";
import { type Connection, startRacer, startRacers } from "../races/racers.js";
import { createUser, storeTokens } from "../races/tokens.js";
import { startPostgres } from "../support/postgres.js";
import { startPgpool } from "./poolers.js";
import { areInstalled } from "./setup.js";
import { connect, openOn, STORES, untilAllEnd } from "./world.js";

const BEHIND = "recovery_min_apply_delay=200ms";

describe.skipIf(!areInstalled("postgresql", "pgpool2"))(
	"pgpool-II sends every SELECT to a standby that is 200 ms behind",
	() => {
		const keep = untilAllEnd();
		let db: Awaited<ReturnType<typeof openOn>>;
		let standby: Awaited<ReturnType<typeof connect>>;
		let connection: Connection;

		beforeAll(async () => {
			const primary = await keep(startPostgres(["fsync=off"]));
			const replica = await keep(startPostgres(["fsync=off", BEHIND], primary));
			const { url } = await keep(startPgpool(primary, replica));
			db = await keep(openOn(primary));
			standby = await keep(connect(replica, db.name));
			connection = { driver: "pg", url, database: db.name };
		});

		const catchUp = async (): Promise<void> => {
			const [{ now }] = (await db.sql("SELECT pg_current_wal_lsn() AS now")) as [{ now: string }];
			const isBehind = "SELECT pg_last_wal_replay_lsn() < $1 AS behind";
			for (;;) {
				const { rows } = await standby.pool.query<{ behind: boolean }>(isBehind, [now]);
				if (!rows[0]?.behind) return;
			}
		};

		test.each(STORES)("the %s store is exact", async (store) => {
			const racers = await startRacers(connection, store);
			await race(racers, { db, source: db.nativeSource, catchUp }, store);
		});

		test("1.0.2 uses a link many times, even one call after the other", async () => {
			await createUser(db, "old");
			const tokens = await storeTokens(db, "old", 20);
			await catchUp();
			const racer = await startRacer(connection, "default", { version: "published" });
			const calls = tokens.flatMap((token) => Array<string>(8).fill(token));
			const { tally } = await startLoad([racer], calls, 1, 1).end();
			expect(countSuccesses(tally)).toBeGreaterThan(2 * tokens.length);
		});
	},
);
