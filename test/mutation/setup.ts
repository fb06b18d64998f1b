import type { TestProject } from "vitest/node";
import { findPostgres } from "../support/postgres.js";

/** Finds or starts PostgreSQL. Without it, mutants that only its tests notice would count as unnoticed. */
export default async ({ provide }: TestProject): Promise<() => Promise<void>> => {
	const postgres = await findPostgres();
	if (!postgres) throw new Error("PostgreSQL is missing: set POSTGRES_URL or install postgresql");
	provide("postgres", postgres.url);
	return () => postgres.stop();
};
