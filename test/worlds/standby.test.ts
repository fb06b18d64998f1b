import { beforeAll, describe, expect, test } from "vitest";
import type { Connection } from "../races/racers.js";
import { postgres } from "../support/databases.js";
import { startPostgres } from "../support/postgres.js";
import { startPgpool } from "./poolers.js";
import { areInstalled } from "./programs.js";
import { connect, endAfterAll, openOn, race, startRacers } from "./races.js";

const BEHIND = "recovery_min_apply_delay=200ms";

describe.skipIf(!areInstalled("postgresql", "pgpool2"))(
	"pgpool-II sends every SELECT to a standby that is 200 ms behind",
	() => {
		const started = endAfterAll();
		let db: Awaited<ReturnType<typeof openOn>>;
		let standby: postgres.Pool;
		let connection: Connection;

		beforeAll(async () => {
			const primary = await startPostgres(["fsync=off"]);
			started.push(primary.stop);
			const replica = await startPostgres(["fsync=off", BEHIND], primary);
			started.push(replica.stop);
			const pgpool = await startPgpool(primary, replica);
			started.push(pgpool.stop);
			db = await openOn(primary);
			started.push(() => db.pool.end());
			standby = connect(replica);
			started.push(() => standby.end());
			connection = { driver: "pg", url: pgpool.url, database: db.name };
		});

		const catchUp = async (): Promise<void> => {
			const [{ now }] = (await db.sql("SELECT pg_current_wal_lsn() AS now")) as [{ now: string }];
			const isBehind = async (): Promise<boolean> => {
				const { rows } = await standby.query("SELECT pg_last_wal_replay_lsn() < $1 AS behind", [
					now,
				]);
				return (rows as [{ behind: boolean }])[0].behind;
			};
			while (await isBehind());
		};

		test("a write through it reaches its reads when the standby has it", async () => {
			const client = new postgres.Client({ connectionString: connection.url as string });
			await client.connect();
			const isThere = async () =>
				(await client.query("SELECT 1 FROM written WHERE id = $1", [1])).rowCount === 1;
			await client.query("CREATE TABLE written (id INT)");
			await catchUp();
			await standby.query("SELECT pg_wal_replay_pause()");
			await client.query("INSERT INTO written VALUES ($1)", [1]);
			expect(await isThere()).toBe(false);
			await standby.query("SELECT pg_wal_replay_resume()");
			await catchUp();
			expect(await isThere()).toBe(true);
			await client.end();
		});

		test.each(["native", "default"] as const)("the %s store is exact", async (store) => {
			const world = { db, connection, catchUp };
			await race(await startRacers(world, store), world, store);
		});
	},
);
