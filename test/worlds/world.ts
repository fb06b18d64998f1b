import { afterAll, onTestFinished } from "vitest";
import { openMysql, openPostgres, postgres } from "../support/database.js";
import type { Server } from "../support/server.js";

export const STORES = ["native", "default"] as const;

type Stop = () => Promise<unknown>;

const keeping =
	(atEnd: (stop: Stop) => void) =>
	async <Started extends { readonly stop: Stop }>(starting: Promise<Started>): Promise<Started> => {
		const started = await starting;
		atEnd(started.stop);
		return started;
	};

/** Keeps what is started until the test ends. */
export const untilTestEnds = keeping((stop) => onTestFinished(stop as () => Promise<void>));

/** Returns a function that keeps what is started until all tests of a `describe` have run. */
export const untilAllEnd = () => {
	const stops: Stop[] = [];
	afterAll(async () => {
		for (const stop of stops.reverse()) await stop();
	});
	return keeping((stop) => stops.push(stop));
};

/** Opens a schema on a PostgreSQL that may end before its clients. */
export const openOn = async ({ url }: Server) => {
	const db = await openPostgres(url);
	db.pool.on("error", () => {});
	return { ...db, stop: () => db.pool.end() };
};

/** Opens a database on such a MariaDB. */
export const openMysqlOn = async ({ url }: Server, connectionLimit = 10) => {
	const db = await openMysql(url, {}, { connectionLimit });
	return { ...db, url: new URL(db.name, url).href, stop: () => db.pool.end() };
};

/** Connects to a schema of such a PostgreSQL, or to that of its primary. */
export const connect = async ({ url }: Server, schema: string) => {
	const pool = new postgres.Pool({
		connectionString: url,
		options: `-c search_path=${schema}`,
	}).on("error", () => {});
	return { pool, stop: () => pool.end() };
};
