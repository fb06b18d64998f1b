import { existsSync, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import pg from "pg";
import {
	findServer,
	freePort,
	identity,
	type OwnServer,
	run,
	type Server,
	start,
	startOwn,
	temporaryFolder,
} from "./server.js";

/** Resolves if a server accepts connections. */
export const responds = async (connectionString: string): Promise<void> => {
	const client = new pg.Client({ connectionString, connectionTimeoutMillis: 3000 });
	await client.connect();
	await client.end();
};

/** The folder of PostgreSQL's programs. Debian keeps them out of the path, newest version last. */
export const postgresPrograms = (): string | undefined => {
	const debian = "/usr/lib/postgresql";
	const versions = existsSync(debian) ? readdirSync(debian).sort() : [];
	return [
		...(process.env["PATH"] ?? "").split(delimiter),
		...versions.reverse().map((version) => join(debian, version, "bin")),
	].find((folder) =>
		["initdb", "pg_basebackup"].every((program) => existsSync(join(folder, program))),
	);
};

/**
 * Starts a PostgreSQL from this machine's programs.
 *
 * @param settings each as `name=value`
 * @param primary the server that it is a standby of
 */
export const startPostgres = async (
	settings: readonly string[],
	primary?: Server,
): Promise<OwnServer> => {
	const programs = postgresPrograms() ?? "";
	const user = identity("postgres");
	const data = temporaryFolder("postgres", user);
	const port = await freePort();
	const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
	const create = (): Promise<void> => {
		const [program, args] = primary
			? ["pg_basebackup", ["-d", primary.url, "-R", "-c", "fast"]]
			: ["initdb", ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]];
		return run(join(programs, program), ["-D", data.path, ...args], user);
	};
	const options = ["-D", data.path, "-p", `${port}`, "-h", "127.0.0.1", "-k", data.path];
	options.push(...settings.flatMap((setting) => ["-c", setting]));
	// SIGTERM would wait for every client to leave.
	const up = () => start(join(programs, "postgres"), options, user, "SIGINT", () => responds(url));
	return startOwn(url, data, create, up);
};

/** The server at `POSTGRES_URL` or on the default port, or a new one. */
export const findPostgres = (): Promise<Server | undefined> =>
	findServer(
		"POSTGRES_URL",
		"postgres://postgres@127.0.0.1:5432/postgres",
		responds,
		postgresPrograms() === undefined ? undefined : () => startPostgres(["fsync=off"]),
	);
