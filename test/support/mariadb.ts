import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import mysql from "mysql2/promise";
import { freePort, identity, run, type Server, start, temporaryFolder } from "./server.js";

const answers = async (uri: string): Promise<void> => {
	const connection = await mysql.createConnection({ uri, connectTimeout: 3000 });
	await connection.end();
};

const find = (...names: string[]): string | undefined =>
	[...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"]
		.flatMap((folder) => names.map((name) => join(folder, name)))
		.find((path) => existsSync(path));

const startOwn = async (install: string, server: string): Promise<Server> => {
	const user = identity("mysql");
	const data = temporaryFolder("mariadb", user);
	const port = await freePort();
	const url = `mysql://root@127.0.0.1:${port}/`;
	// This machine's configuration has the socket and the log of the system's server.
	const common = ["--no-defaults", `--datadir=${data.path}`];
	try {
		await run(install, [...common, "--auth-root-authentication-method=normal"], user);
		const options = [
			...common,
			`--port=${port}`,
			"--bind-address=127.0.0.1",
			`--socket=${join(data.path, "socket")}`,
			`--pid-file=${join(data.path, "pid")}`,
		];
		const stop = await start(server, options, user, "SIGTERM", () => answers(url));
		return { url, stop: () => stop().finally(data.remove) };
	} catch (error) {
		data.remove();
		throw error;
	}
};

/**
 * Returns the server at `MYSQL_URL` if it is set, else the server on the default port, else a new MariaDB
 * from this machine's binaries.
 *
 * @returns the server; `undefined` if there is none
 * @throws Error the server that `MYSQL_URL` names does not answer
 */
export const findMariadb = async (): Promise<Server | undefined> => {
	const stop = async (): Promise<void> => {};
	const given = process.env["MYSQL_URL"];
	if (given) {
		await answers(given);
		return { url: given, stop };
	}
	const local = "mysql://root@127.0.0.1:3306/";
	try {
		await answers(local);
		return { url: local, stop };
	} catch {}
	const install = find("mariadb-install-db");
	const server = find("mariadbd");
	return install && server ? startOwn(install, server) : undefined;
};
