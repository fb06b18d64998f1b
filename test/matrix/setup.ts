import { readFileSync } from "node:fs";
import type { TestProject } from "vitest/node";
import { findMariadb } from "../support/mariadb.js";
import { findPostgres } from "../support/postgres.js";
import { findRedis } from "../support/redis.js";
import { isInstalled } from "./heavy.js";

declare module "vitest" {
	export interface ProvidedContext {
		/** The URL of PostgreSQL; empty if there is none. */
		postgres: string;
		/** Where MySQL or MariaDB is; empty where there is none. */
		mysql: string;
		/** The URL of Redis; empty if there is none. */
		redis: string;
	}
}

/** Finds or starts the servers once for all test files. At the end, lists what did not run. */
export default async ({ provide }: TestProject): Promise<() => Promise<void>> => {
	const [postgres, mariadb, redis] = await Promise.all([
		findPostgres(),
		findMariadb(),
		findRedis(),
	]);
	provide("postgres", postgres?.url ?? "");
	provide("mysql", mariadb?.url ?? "");
	provide("redis", redis?.url ?? "");

	const { dependencies } = JSON.parse(
		readFileSync(new URL("package.json", import.meta.url), "utf8"),
	) as { dependencies: object };
	const missing: string[] = [];
	if (!postgres) missing.push("PostgreSQL: set POSTGRES_URL or install postgresql");
	if (!mariadb) missing.push("MySQL or MariaDB: set MYSQL_URL or install mariadb-server");
	if (!redis) missing.push("Redis: set REDIS_URL or install redis-server");
	for (const name of [...Object.keys(dependencies), "lucia-2", "lucia-3"]) {
		if (!isInstalled(name)) missing.push(`${name}: run npm ci --prefix test/matrix`);
	}
	const report = missing.map((line) => `\n  ${line}`).join("");
	const stop = async (): Promise<void> => {
		await Promise.all([postgres?.stop(), mariadb?.stop(), redis?.stop()]);
	};
	if (missing.length > 0 && process.env["CI"]) {
		await stop();
		throw new Error(`With CI set, the matrix must be complete. Missing:${report}`);
	}
	return async () => {
		await stop();
		if (missing.length > 0) console.warn(`The matrix did not run on:${report}`);
	};
};
