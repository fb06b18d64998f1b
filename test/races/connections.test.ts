import { setTimeout } from "node:timers/promises";
import mysql from "mysql2/promise";
import { describe, expect, onTestFinished, test } from "vitest";
import { postgres } from "../support/databases.js";
import { account } from "./account.js";
import { type Contender, SHARED, type Shared } from "./contenders.js";
import { addFailures, addSuccess, newTally, shuffled } from "./race.js";
import { type Job, startRacer } from "./racers.js";
import { createUser, NAME, storeTokens } from "./tokens.js";

const TOKENS = 1000;
/** How many tokens validate between two cuts. If connecting is slow, fixed pauses would allow no progress. */
const WINS_PER_CUT = 5;

/** Cuts one connection of the process that validates. Returns how many there were to cut. */
type Cut = () => Promise<number>;

const cutPostgres = async ({ connection: { url, database } }: Shared): Promise<Cut> => {
	const client = new postgres.Client({ connectionString: url as string });
	await client.connect();
	onTestFinished(() => client.end());
	return async () => {
		const { rowCount } = await client.query(
			`SELECT pg_terminate_backend(pid) FROM (
				SELECT pid FROM pg_stat_activity WHERE application_name = $1 ORDER BY random() LIMIT 1
			) AS one`,
			[`racer ${database}`],
		);
		return rowCount ?? 0;
	};
};

const cutMysql = async ({ connection: { url, database } }: Shared): Promise<Cut> => {
	const client = await mysql.createConnection(url as string);
	onTestFinished(() => client.end());
	const select = "SELECT id FROM information_schema.processlist WHERE db = ?";
	const list = async (): Promise<number[]> => {
		const [rows] = await client.query(select, [database]);
		return (rows as { id: number }[]).map(({ id }) => id);
	};
	// What is there before the process starts is this one's own.
	const own = await list();
	return async () => {
		const others = (await list()).filter((id) => !own.includes(id));
		const id = others[Math.floor(Math.random() * others.length)];
		if (id === undefined) return 0;
		// It may be gone by now.
		await client.query(`KILL CONNECTION ${id}`).catch(() => {});
		return 1;
	};
};

const races = (
	what: string,
	driver: Shared["connection"]["driver"],
	database: string,
	createCut: (db: Shared) => Promise<Cut>,
): void => {
	const contenders = SHARED.filter(({ name }) => name.endsWith(`on ${database}`));
	describe.each(contenders)(`${what} under load`, (contender: Contender<Shared>) => {
		test.skipIf(!contender.isThere)(`${contender.name}, 1,000 tokens by 4 calls each`, async () => {
			const db = await contender.open();
			onTestFinished(() => db.close());
			expect(db.connection.driver).toBe(driver);
			await createUser(db, "user");
			const tokens = await storeTokens(db, "user", TOKENS);
			const tally = newTally(tokens);
			const cut = await createCut(db);
			const { store } = contender;
			const job: Job = { connection: db.connection, store, version: "current", name: NAME };
			const racer = await startRacer(job);
			let over = false;
			const done = racer.validateAll(shuffled(tokens, 1), 10, 4).finally(() => (over = true));
			let cuts = 0;
			while (!over) {
				cuts += await cut();
				const enough = racer.won.length + WINS_PER_CUT;
				while (!over && racer.won.length < enough) await setTimeout(1);
			}
			addFailures(tally, await done);
			await racer.kill();
			for (const token of racer.won) addSuccess(tally, token);
			const { INVALID_TOKEN: lost = 0, ...errors } = tally.failures;
			const failed = Object.values(errors).reduce((sum, count) => sum + count, 0);
			expect(cuts).toBeGreaterThan(0);
			expect(failed).toBeGreaterThan(0);
			await account(what, db, contender, tally, {
				"connections cut": cuts,
				"calls that failed with the database's error": failed,
				"that lost": lost,
			});
		});
	});
};

races("pg_terminate_backend", "pg", "PostgreSQL", cutPostgres);
races("KILL CONNECTION", "mysql2", "MySQL or MariaDB", cutMysql);
