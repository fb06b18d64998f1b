import { expect, inject, test } from "vitest";
import { openPostgres } from "../support/database.js";
import { fuzz } from "../support/fuzz.js";

const url = inject("postgres");
const RUNS = Number(process.env["FUZZ_RUNS"] ?? 1000);

test.skipIf(url === "")(
	`${RUNS} calls with anything at all do no harm on PostgreSQL`,
	{ timeout: RUNS * 50 },
	async () => {
		const db = await openPostgres(url);
		expect(await fuzz(db, RUNS)).toBeGreaterThan(RUNS / 10);
		await db.close();
	},
);
