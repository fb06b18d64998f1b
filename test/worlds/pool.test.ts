import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";
import { race } from "../races/race.js";
import { startRacers } from "../races/racers.js";
import { startPostgres } from "../support/postgres.js";
import type { Server } from "../support/server.js";
import { areInstalled } from "./setup.js";
import { openOn, untilAllEnd } from "./world.js";

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

describe.skipIf(!areInstalled("postgresql"))("a pool of pg", () => {
	const keep = untilAllEnd();
	let server: Server;
	let db: Awaited<ReturnType<typeof openOn>>;

	beforeAll(async () => {
		server = await keep(startPostgres(["fsync=off"]));
		db = await keep(openOn(server));
	});

	test("works on when a migration changes what prepared statements return", async () => {
		const connection = { driver: "pg", url: server.url, database: db.name } as const;
		const track = { db, source: db.nativeSource };
		const racers = await startRacers(connection, "native");
		await race(racers, track, "before");
		const migrate = `ALTER TABLE auth_key ADD COLUMN note TEXT,
			ALTER COLUMN id TYPE TEXT, ALTER COLUMN expires TYPE NUMERIC`;
		await Promise.all([race(racers, track, "migrated"), db.sql(migrate)]);
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
