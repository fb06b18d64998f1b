import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";
import { idToken, type KeyStore, passwordToken } from "../../src/index.js";
import { pg } from "../../src/stores/pg.js";
import { countSuccesses, race, startLoad } from "../races/race.js";
import { createRacer } from "../races/racer.js";
import { startRacer, startRacers } from "../races/racers.js";
import { createUser, EXPIRES_IN, NAME, options, sourceOn, storeTokens } from "../races/tokens.js";
import { postgres } from "../support/database.js";
import { casesOf, toHarness } from "../support/harness.js";
import { startPostgres } from "../support/postgres.js";
import type { Server } from "../support/server.js";
import { startPgbouncer, startPgpool } from "./poolers.js";
import { areInstalled } from "./setup.js";
import { connect, openOn, STORES, untilAllEnd } from "./world.js";

const SETTINGS = ["fsync=off", "max_connections=300"];
const BEHIND = "recovery_min_apply_delay=200ms";

const PARTITIONS = 8;

const PARTITIONED = [
	"ALTER TABLE auth_key RENAME TO former",
	"CREATE TABLE auth_key (LIKE former INCLUDING INDEXES) PARTITION BY HASH (id)",
	"ALTER TABLE auth_key ADD FOREIGN KEY (user_id) REFERENCES auth_user (id)",
	"DROP TABLE former",
	...Array.from(
		{ length: PARTITIONS },
		(_, at) =>
			`CREATE TABLE auth_key_${at} PARTITION OF auth_key
			FOR VALUES WITH (MODULUS ${PARTITIONS}, REMAINDER ${at})`,
	),
];

// An app whose idle connection is cut, as by a failover or a restart of the database.
const APP = `
import { idToken } from "@lucia-auth/tokens";
import { pg } from "@lucia-auth/tokens/pg";
import postgres from "pg";

const pool = new postgres.Pool({ connectionString: process.argv[1] });
LINE
const links = idToken(pg(pool), "link");
const validate = () => links.validate("unknown").catch((error) => console.log(error.message));

await validate();
const { rows } = await pool.query("SELECT pg_backend_pid() AS pid");
const admin = new postgres.Client({ connectionString: process.argv[1] });
await admin.connect();
const cut = new Promise((resolve) => pool.once("remove", resolve));
await admin.query("SELECT pg_terminate_backend($1)", [rows[0].pid]);
await cut;
await validate();
process.exit();
`;

const LISTENS = 'pool.on("error", (error) => console.error(error.message));';

describe.skipIf(!areInstalled("postgresql"))("a PostgreSQL of an app's own", () => {
	const keep = untilAllEnd();
	let server: Server;
	/** A schema for each `describe`. */
	let db: Awaited<ReturnType<typeof openOn>>;

	beforeAll(async () => {
		server = await keep(startPostgres(SETTINGS));
	});

	const openSchema = async (): Promise<void> => {
		db = await keep(openOn(server));
	};

	const connectionTo = ({ url }: Server) => ({ driver: "pg", url, database: db.name }) as const;

	describe("auth_key is partitioned by hash of the id", () => {
		beforeAll(async () => {
			await openSchema();
			for (const sql of PARTITIONED) await db.sql(sql);
		});

		describe.each(STORES)("%s store", (store) => {
			test.each(casesOf(store))("$name", ({ run }) => run(toHarness(db, sourceOn(db, store))));

			test("links, attempts, and an interval are exact in four processes", async () => {
				await race(await startRacers(connectionTo(server), store), db, store);
			});
		});

		test("a sweep deletes the expired tokens of all partitions", async () => {
			await db.sql("INSERT INTO auth_user (id) VALUES ('swept')");
			await db.sql(`INSERT INTO auth_key (id, user_id, primary_key, expires)
				SELECT 'swept:' || number, 'swept', FALSE, 1
				FROM generate_series(1, 5000) AS numbers (number)`);
			const select = "SELECT DISTINCT tableoid FROM auth_key WHERE user_id = 'swept'";
			expect(await db.sql(select)).toHaveLength(PARTITIONS);
			expect(await idToken(db.nativeSource, "swept").deleteExpiredTokens()).toBe(5000);
		});
	});

	describe("a pool of pg", () => {
		beforeAll(openSchema);

		test("works on when a migration changes what prepared statements return", async () => {
			const racers = await startRacers(connectionTo(server), "native");
			await race(racers, db, "before");
			const migrate = `ALTER TABLE auth_key ADD COLUMN note TEXT,
				ALTER COLUMN id TYPE TEXT, ALTER COLUMN expires TYPE NUMERIC`;
			await Promise.all([race(racers, db, "migrated"), db.sql(migrate)]);
		});

		test.each([
			["goes on with the line of docs/production.md", LISTENS, 2],
			["ends without it", "", 1],
		])("when an idle connection is cut, its process %s", async (_, line, calls) => {
			const url = `${server.url}?options=${encodeURIComponent(`-c search_path=${db.name}`)}`;
			const args = ["--input-type=module", "--eval", APP.replace("LINE", line), url];
			const ended = await promisify(execFile)(process.execPath, args).catch((e: unknown) => e);
			expect(ended).toMatchObject({
				stdout: "INVALID_TOKEN\n".repeat(calls),
				stderr: expect.stringContaining("terminating connection") as string,
			});
		});
	});

	const pgbouncer = describe.skipIf(!areInstalled("pgbouncer"));
	pgbouncer("PgBouncer before 1.21 assigns connections per transaction", () => {
		let pooler: Server;

		beforeAll(async () => {
			await openSchema();
			await db.sql(`ALTER DATABASE postgres SET search_path = ${db.name}`);
			pooler = await keep(startPgbouncer(server));
		});

		test.each([
			["pg(pool)", "native", true, "first"],
			// It meets the names that the processes before it have left on the connections.
			["pg(pool) after a redeploy", "native", true, "redeployed"],
			["pg(pool, { prepare: false })", "native", false, "unprepared"],
			["the default store", "default", true, "default"],
		] as const)("%s is exact", async (_name, store, prepare, userId) => {
			const racers = await startRacers({ ...connectionTo(pooler), prepare }, store);
			await race(racers, db, userId);
		});

		/** Handles a request as a serverless function does: with a client of its own. */
		const request = async <Result>(
			handle: (store: KeyStore, client: postgres.Client) => Promise<Result>,
		): Promise<Result> => {
			const client = new postgres.Client({ connectionString: pooler.url });
			await client.connect();
			return handle(pg(client), client).finally(() => client.end());
		};

		test("pg(client) is exact with a client for each request", async () => {
			const create = () => createRacer(request, db.defaultSource, { store: "native" });
			await race([create(), create(), create(), create()], db, "requests");
		});

		// A client names no statement: 42P05 would abort the transaction.
		test("pg(client) knows whether the app has begun a transaction, and uses links in it", async () => {
			await createUser(db, "user");
			for (const token of await storeTokens(db, "user", 20)) {
				await request(async (store, client) => {
					const links = idToken(store, NAME, options);
					const codes = passwordToken(store, `${NAME}-code`, options);
					const spaced = idToken(store, token, { ...options, minInterval: EXPIRES_IN });
					const code = await codes.issue("user");
					await client.query("BEGIN");
					await expect(codes.validate(code, "user")).rejects.toThrow(/^maxAttempts .*transaction/);
					await expect(spaced.issue("user")).rejects.toThrow(/^minInterval .*transaction/);
					await links.validate(token);
					await client.query("ROLLBACK");
					for (const used of [
						await links.validate(token),
						await codes.validate(code, "user"),
						await spaced.issue("user"),
					]) {
						expect(used.userId).toBe("user");
					}
				});
			}
		});
	});

	const pgpool = describe.skipIf(!areInstalled("pgpool2"));
	pgpool("pgpool-II sends every SELECT to a standby that is 200 ms behind", () => {
		let pooler: Server;
		let standby: Awaited<ReturnType<typeof connect>>;

		beforeAll(async () => {
			await openSchema();
			const replica = await keep(startPostgres([...SETTINGS, BEHIND], server));
			pooler = await keep(startPgpool(server, replica));
			standby = await keep(connect(replica, db.name));
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
			await race(await startRacers(connectionTo(pooler), store), db, store, { catchUp });
		});

		test("1.0.2 uses a link many times, even one call after the other", async () => {
			await createUser(db, "old");
			const tokens = await storeTokens(db, "old", 20);
			await catchUp();
			const racer = await startRacer(connectionTo(pooler), "default", { version: "published" });
			const calls = tokens.flatMap((token) => Array<string>(8).fill(token));
			const tally = await startLoad([racer], calls, 1, 1).ended;
			expect(countSuccesses(tally)).toBeGreaterThan(2 * tokens.length);
		});
	});
});
