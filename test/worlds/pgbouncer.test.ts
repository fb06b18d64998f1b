import { beforeAll, describe, expect, test } from "vitest";
import { idToken, type KeyStore, passwordToken } from "../../src/index.js";
import { pg } from "../../src/stores/pg.js";
import { attempt, inBatches, newTally } from "../races/race.js";
import type { Connection } from "../races/racers.js";
import { createUser, EXPIRES_IN, NAME, options, storeTokens } from "../races/tokens.js";
import { postgres } from "../support/databases.js";
import { startPostgres } from "../support/postgres.js";
import { startPgbouncer } from "./poolers.js";
import { areInstalled } from "./programs.js";
import { endAfterAll, openOn, race, type Racing, startRacers } from "./races.js";

describe.skipIf(!areInstalled("postgresql", "pgbouncer"))(
	"PgBouncer before 1.21 assigns connections per transaction",
	() => {
		const started = endAfterAll();
		let db: Awaited<ReturnType<typeof openOn>>;
		let connection: Connection;

		beforeAll(async () => {
			const server = await startPostgres(["fsync=off"]);
			started.push(server.stop);
			db = await openOn(server);
			started.push(() => db.pool.end());
			await db.sql(`ALTER DATABASE postgres SET search_path = ${db.name}`);
			const pgbouncer = await startPgbouncer(server);
			started.push(pgbouncer.stop);
			connection = { driver: "pg", url: pgbouncer.url, database: db.name };
		});

		test.each([
			["pg(pool)", "native", true, "first"],
			// It meets the names that the processes before it have left on the connections.
			["pg(pool) after a redeploy", "native", true, "redeployed"],
			["pg(pool, { prepare: false })", "native", false, "unprepared"],
			["the default store", "default", true, "default"],
		] as const)("%s is exact", async (_name, store, prepare, userId) => {
			const world = { db, connection: { ...connection, prepare } };
			await race(await startRacers(world, store), world, userId);
		});

		/** Handles a request as a serverless function does: with a client of its own. */
		const request = async <Result>(
			handle: (client: postgres.Client) => Promise<Result>,
		): Promise<Result> => {
			const client = new postgres.Client({ connectionString: connection.url as string });
			await client.connect();
			return handle(client).finally(() => client.end());
		};

		const linksOn = (store: KeyStore) => idToken(store, NAME, options);
		const codesOn = (store: KeyStore) => passwordToken(store, `${NAME}-code`, options);
		const spacedOn = (store: KeyStore) =>
			idToken(store, `${NAME}-spaced`, { ...options, minInterval: EXPIRES_IN });

		const outcomes = async (calls: readonly Promise<unknown>[]): Promise<string[]> =>
			(await Promise.allSettled(calls)).map((result) =>
				result.status === "fulfilled" ? "ok" : (result.reason as Error).message,
			);

		const createRequests = (): Racing => {
			const won: string[] = [];
			const validate = (token: string) =>
				request((client) => linksOn(pg(client)).validate(token)).then(() => won.push(token));
			return {
				won,
				validateAll: async (tokens, atOnce, calls) => {
					const tally = newTally(tokens);
					await inBatches(tokens, atOnce, (token) =>
						Promise.all(Array.from({ length: calls }, () => attempt(tally, validate, token))),
					);
					return tally.failures;
				},
				guessAll: (userId, guesses) =>
					outcomes(
						guesses.map((code) => request((client) => codesOn(pg(client)).validate(code, userId))),
					),
				issueAll: (userId, count) =>
					outcomes(
						Array.from({ length: count }, () =>
							request((client) => spacedOn(pg(client)).issue(userId)),
						),
					),
			};
		};

		test("pg(client) is exact with a client for each request", () =>
			race(Array.from({ length: 4 }, createRequests), { db, connection }, "requests"));

		test("pg(client) knows whether the app has begun a transaction", async () => {
			await createUser(db, "begun");
			await request(async (client) => {
				const [codes, spaced] = [codesOn(pg(client)), spacedOn(pg(client))];
				const code = await codes.issue("begun");
				await client.query("BEGIN");
				await expect(codes.validate(code, "begun")).rejects.toThrow(/^maxAttempts .*transaction/);
				await expect(spaced.issue("begun")).rejects.toThrow(/^minInterval .*transaction/);
				await client.query("ROLLBACK");
				expect((await codes.validate(code, "begun")).userId).toBe("begun");
				expect((await spaced.issue("begun")).userId).toBe("begun");
			});
		});

		// A client names no statement: 42P05 would abort the transaction.
		test("pg(client) uses a link in a transaction of the app's", async () => {
			await createUser(db, "app");
			for (const token of await storeTokens(db, "app", 20)) {
				await request(async (client) => {
					const { validate } = linksOn(pg(client));
					await client.query("BEGIN");
					await validate(token);
					await client.query("ROLLBACK");
					expect((await validate(token)).userId).toBe("app");
				});
			}
		});
	},
);
