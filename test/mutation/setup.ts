import type { TestProject } from "vitest/node";
import { findPostgres } from "../support/postgres.js";

/** Finds or starts PostgreSQL: without it, what only its tests notice would count as not noticed. */
export default async ({ provide }: TestProject): Promise<() => Promise<void>> => {
	const postgres = await findPostgres();
	if (!postgres) throw new Error("PostgreSQL is missing: set POSTGRES_URL or install postgresql");
	provide("postgres", postgres.url);
	return () => postgres.stop();
};
