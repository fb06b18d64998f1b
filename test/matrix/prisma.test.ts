import { describe, inject } from "vitest";
import { casesOf, toHarness } from "../support/harness.js";
import { openPrismaOnPostgres, openPrismaOnSqlite } from "../support/prisma.js";
import { isInstalled } from "./heavy.js";
import { behavior } from "./matrix.js";

const url = inject("postgres");

for (const [name, isThere, open] of [
	["SQLite", true, openPrismaOnSqlite],
	["PostgreSQL", url !== "", () => openPrismaOnPostgres(url)],
] as const) {
	describe.skipIf(!isThere || !isInstalled("prisma"))(`Prisma on ${name}`, () => {
		const opened = async () => {
			const db = await open();
			return { ...toHarness(db, db.defaultSource), close: () => db.close() };
		};
		behavior("defaultSource", opened, casesOf("default"));
	});
}
