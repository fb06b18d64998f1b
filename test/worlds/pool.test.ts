import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { beforeAll, describe, expect, test } from "vitest";
import { startPostgres } from "../support/postgres.js";
import type { Server } from "../support/server.js";
import { areInstalled } from "./programs.js";
import { endAfterAll, openOn, race, startRacers } from "./races.js";

describe.skipIf(!areInstalled("postgresql"))("a pool of pg", () => {
	const started = endAfterAll();
	let server: Server;
	let db: Awaited<ReturnType<typeof openOn>>;

	beforeAll(async () => {
		server = await startPostgres(["fsync=off"]);
		started.push(server.stop);
		db = await openOn(server);
		started.push(() => db.pool.end());
	});

	test("works on when a migration changes what prepared statements return", async () => {
		const connection = { driver: "pg", url: server.url, database: db.name } as const;
		const world = { db, connection };
		const racers = await startRacers(world, "native");
		await race(racers, world, "before");
		const migrate = `ALTER TABLE auth_key ADD COLUMN note TEXT,
			ALTER COLUMN id TYPE TEXT, ALTER COLUMN expires TYPE NUMERIC`;
		await Promise.all([race(racers, world, "migrated"), db.sql(migrate)]);
	});

	describe("when an idle connection is cut", () => {
		const script = fileURLToPath(new URL("idle.js", import.meta.url));
		const runApp = (line: string) => {
			const url = `${server.url}?options=${encodeURIComponent(`-c search_path=${db.name}`)}`;
			return promisify(execFile)(process.execPath, [script, url, line]);
		};

		test("its process lives on with a listener", async () => {
			const { stdout } = await runApp("listens");
			expect(stdout).toBe("INVALID_TOKEN\nINVALID_TOKEN\n");
		});

		test("its process ends without one", async () => {
			await expect(runApp("")).rejects.toMatchObject({
				code: 1,
				stdout: "INVALID_TOKEN\n",
				stderr: expect.stringContaining("terminating connection") as string,
			});
		});
	});
});
