import { beforeAll, describe, expect, test } from "vitest";
import { idToken, type KeyStore, passwordToken } from "../../src/index.js";
import { pg } from "../../src/stores/pg.js";
import { race } from "../races/race.js";
import { createRacer } from "../races/racer.js";
import { type Connection, startRacers } from "../races/racers.js";
import { createUser, EXPIRES_IN, NAME, options, storeTokens } from "../races/tokens.js";
import { postgres } from "../support/database.js";
import { startPostgres } from "../support/postgres.js";
import { startPgbouncer } from "./poolers.js";
import { areInstalled } from "./setup.js";
import { openOn, untilAllEnd } from "./world.js";

describe.skipIf(!areInstalled("postgresql", "pgbouncer"))(
	"PgBouncer before 1.21 assigns connections per transaction",
	() => {
		const keep = untilAllEnd();
		let db: Awaited<ReturnType<typeof openOn>>;
		let connection: Connection;

		beforeAll(async () => {
			const server = await keep(startPostgres(["fsync=off"]));
			db = await keep(openOn(server));
			await db.sql(`ALTER DATABASE postgres SET search_path = ${db.name}`);
			const { url } = await keep(startPgbouncer(server));
			connection = { driver: "pg", url, database: db.name };
		});

		test.each([
			["pg(pool)", "native", true, "first"],
			// It meets the names that the processes before it have left on the connections.
			["pg(pool) after a redeploy", "native", true, "redeployed"],
			["pg(pool, { prepare: false })", "native", false, "unprepared"],
			["the default store", "default", true, "default"],
		] as const)("%s is exact", async (_name, store, prepare, userId) => {
			const racers = await startRacers({ ...connection, prepare }, store);
			await race(racers, { db, source: db.nativeSource }, userId);
		});

		/** Handles a request as a serverless function does: with a client of its own. */
		const request = async <Result>(
			handle: (store: KeyStore, client: postgres.Client) => Promise<Result>,
		): Promise<Result> => {
			const client = new postgres.Client({ connectionString: connection.url as string });
			await client.connect();
			return handle(pg(client), client).finally(() => client.end());
		};

		test("pg(client) is exact with a client for each request", async () => {
			const racers = [1, 2, 3, 4].map(() =>
				createRacer(request, db.defaultSource, { store: "native" }),
			);
			await race(racers, { db, source: db.nativeSource }, "requests");
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
	},
);
