import { existsSync, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import pg from "pg";
import { freePort, identity, run, type Server, start, temporaryFolder } from "./server.js";

const answers = async (connectionString: string): Promise<void> => {
	const client = new pg.Client({ connectionString, connectionTimeoutMillis: 3000 });
	await client.connect();
	await client.end();
};

// Debian keeps its binaries out of the path, newest version last.
const binaries = (): string | undefined => {
	const debian = "/usr/lib/postgresql";
	const versions = existsSync(debian) ? readdirSync(debian).sort() : [];
	return [
		...(process.env["PATH"] ?? "").split(delimiter),
		...versions.reverse().map((version) => join(debian, version, "bin")),
	].find((folder) => existsSync(join(folder, "initdb")));
};

const startOwn = async (folder: string): Promise<Server> => {
	const user = identity("postgres");
	const data = temporaryFolder("postgres", user);
	const port = await freePort();
	const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
	try {
		const args = ["-D", data.path, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"];
		await run(join(folder, "initdb"), args, user);
		const options = ["-D", data.path, "-p", `${port}`, "-h", "127.0.0.1", "-k", data.path, "-F"];
		// SIGTERM would wait for every client to leave.
		const stop = await start(join(folder, "postgres"), options, user, "SIGINT", () => answers(url));
		return { url, stop: () => stop().finally(data.remove) };
	} catch (error) {
		data.remove();
		throw error;
	}
};

/**
 * Returns the server at `POSTGRES_URL` if it is set, else the server on the default port, else a new one
 * from this machine's binaries.
 *
 * @returns the server; `undefined` if there is none
 * @throws Error the server that `POSTGRES_URL` names does not answer
 */
export const findPostgres = async (): Promise<Server | undefined> => {
	const stop = async (): Promise<void> => {};
	const given = process.env["POSTGRES_URL"];
	if (given) {
		await answers(given);
		return { url: given, stop };
	}
	const local = "postgres://postgres@127.0.0.1:5432/postgres";
	try {
		await answers(local);
		return { url: local, stop };
	} catch {}
	const folder = binaries();
	return folder === undefined ? undefined : startOwn(folder);
};
