import { beforeAll, describe, expect, test } from "vitest";
import { idToken } from "../../src/index.js";
import { race } from "../races/race.js";
import { startRacers } from "../races/racers.js";
import { sourceOn } from "../races/tokens.js";
import { casesOf, toHarness } from "../support/harness.js";
import { startPostgres } from "../support/postgres.js";
import type { Server } from "../support/server.js";
import { areInstalled } from "./setup.js";
import { openOn, STORES, untilAllEnd } from "./world.js";

const PARTITIONS = 8;

const SCHEMA = [
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

describe.skipIf(!areInstalled("postgresql"))("auth_key is partitioned by hash of the id", () => {
	const keep = untilAllEnd();
	let server: Server;
	let db: Awaited<ReturnType<typeof openOn>>;

	beforeAll(async () => {
		server = await keep(startPostgres(["fsync=off"]));
		db = await keep(openOn(server));
		for (const sql of SCHEMA) await db.sql(sql);
	});

	describe.each(STORES)("%s store", (store) => {
		test.each(casesOf(store))("$name", ({ run }) => run(toHarness(db, sourceOn(db, store))));

		test("links, attempts, and an interval are exact in four processes", async () => {
			const connection = { driver: "pg", url: server.url, database: db.name } as const;
			await race(await startRacers(connection, store), { db, source: db.nativeSource }, store);
		});
	});

	test("a sweep deletes the expired tokens of all partitions", async () => {
		await db.sql("INSERT INTO auth_user (id) VALUES ('swept')");
		await db.sql(`INSERT INTO auth_key (id, user_id, primary_key, expires)
			SELECT 'swept:' || number, 'swept', FALSE, 1 FROM generate_series(1, 5000) AS numbers (number)`);
		const select = "SELECT DISTINCT tableoid FROM auth_key WHERE user_id = 'swept'";
		expect(await db.sql(select)).toHaveLength(PARTITIONS);
		expect(await idToken(db.nativeSource, "swept").deleteExpiredTokens()).toBe(5000);
	});
});
