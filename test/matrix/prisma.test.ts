import { describe, inject } from "vitest";
import { toHarness } from "../support/database.js";
import {
	openPrismaOnPostgres,
	openPrismaOnSqlite,
	type PrismaDatabase,
} from "../support/prisma.js";
import { behavior, type Contender } from "./behavior.js";
import { isInstalled } from "./heavy.js";

const url = inject("postgres");
const isThere = isInstalled("prisma");

const contender = async (opening: Promise<PrismaDatabase>): Promise<Contender> => {
	const db = await opening;
	return { ...toHarness(db, db.defaultSource), source: db.defaultSource, close: () => db.close() };
};

describe.skipIf(!isThere)("Prisma on SQLite", () => {
	behavior("defaultSource", () => contender(openPrismaOnSqlite()), "default");
});

describe.skipIf(!isThere || url === "")("Prisma on PostgreSQL", () => {
	behavior("defaultSource", () => contender(openPrismaOnPostgres(url)), "default");
});
