import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { idToken } from "../../src/index.js";
import { casesOf, type Database, toHarness, toStore } from "../support/database.js";
import { startPostgres } from "../support/postgres.js";
import type { Server } from "../support/server.js";
import { areInstalled } from "./programs.js";
import { openOn, race, startRacers, type World } from "./races.js";

const PARTITIONS = 8;
const LATER = 4_000_000_000_000;

const SCHEMA = [
	"DROP TABLE auth_key",
	`CREATE TABLE auth_key (
		id VARCHAR(255) NOT NULL PRIMARY KEY,
		user_id VARCHAR(255) NOT NULL REFERENCES auth_user (id),
		primary_key BOOLEAN NOT NULL,
		hashed_password VARCHAR(255),
		expires BIGINT
	) PARTITION BY HASH (id)`,
	...Array.from(
		{ length: PARTITIONS },
		(_, at) =>
			`CREATE TABLE auth_key_${at} PARTITION OF auth_key
			FOR VALUES WITH (MODULUS ${PARTITIONS}, REMAINDER ${at})`,
	),
	"CREATE INDEX auth_key_user_id ON auth_key (user_id)",
];

describe.skipIf(!areInstalled("postgresql"))("auth_key is partitioned by hash of the id", () => {
	let server: Server;
	let db: Awaited<ReturnType<typeof openOn>>;
	let world: World;

	beforeAll(async () => {
		server = await startPostgres(["fsync=off"]);
		db = await openOn(server);
		for (const sql of SCHEMA) await db.sql(sql);
		world = { db, connection: { driver: "pg", url: server.url, database: db.name } };
	});

	afterAll(async () => {
		await db?.pool.end();
		await server?.stop();
	});

	const sourceOf = (store: "default" | "native"): Database["nativeSource" | "defaultSource"] =>
		store === "native" ? db.nativeSource : db.defaultSource;

	describe.each(["native", "default"] as const)("%s store", (store) => {
		test.each(casesOf(store))("$name", ({ run }) => run(toHarness(db, sourceOf(store))));

		test("links, attempts, and an interval are exact in four processes", async () => {
			await race(await startRacers(world, store), world, `${store}-user`);
		});

		test("an id stays unique", async () => {
			const userId = `unique in ${store}`;
			await db.sql("INSERT INTO auth_user (id) VALUES (?)", [userId]);
			const one = toStore(sourceOf(store));
			for (let round = 0; round < 20; round++) {
				const key = { id: `${store}:${round}`, userId, expires: LATER };
				const outcomes = await Promise.all(
					Array.from({ length: 10 }, () =>
						one.insert(key).then(
							() => "ok",
							({ message }: Error) => message,
						),
					),
				);
				expect(outcomes.sort()).toEqual([...Array<string>(9).fill("DUPLICATE_TOKEN"), "ok"]);
			}
			expect((await db.keys()).filter((key) => key.user_id === userId)).toHaveLength(20);
		});
	});

	test("a sweep deletes the expired tokens of all partitions", async () => {
		await db.sql("INSERT INTO auth_user (id) VALUES ('swept')");
		await db.sql(`INSERT INTO auth_key (id, user_id, primary_key, expires)
			SELECT 'swept:' || number, 'swept', FALSE, 1 FROM generate_series(1, 5000) AS numbers (number)`);
		const partitions = await db.sql(
			"SELECT DISTINCT tableoid FROM auth_key WHERE user_id = 'swept'",
		);
		expect(partitions).toHaveLength(PARTITIONS);
		expect(await idToken(db.nativeSource, "swept").deleteExpiredTokens()).toBe(5000);
	});
});
