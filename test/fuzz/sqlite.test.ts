import { expect, test } from "vitest";
import { openLibsql } from "../support/database.js";
import { fuzz } from "../support/fuzz.js";

const RUNS = Number(process.env["FUZZ_RUNS"] ?? 1000);

test(
	`${RUNS} calls with anything at all do no harm on SQLite`,
	{ timeout: RUNS * 50 },
	async () => {
		const db = await openLibsql();
		expect(await fuzz(db, RUNS)).toBeGreaterThan(RUNS / 10);
		await db.close();
	},
);
