import { join } from "node:path";
import mysql from "mysql2/promise";
import {
	findProgram,
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

const responds = async (uri: string): Promise<void> => {
	const connection = await mysql.createConnection({ uri, connectTimeout: 3000 });
	await connection.end();
};

/**
 * Prepares a MariaDB from this machine's programs.
 *
 * @param folder the name of its temporary folder
 */
export const prepareMariadb = async (folder: string) => {
	const user = identity("mysql");
	const data = temporaryFolder(folder, user);
	const port = await freePort();
	const url = `mysql://root@127.0.0.1:${port}/`;
	// This machine's configuration has the socket and the log of the system's server.
	const common = ["--no-defaults", `--datadir=${data.path}`];
	const install = [...common, "--auth-root-authentication-method=normal", "--skip-test-db"];
	const options = [
		...common,
		`--port=${port}`,
		"--bind-address=127.0.0.1",
		`--socket=${join(data.path, "socket")}`,
		`--pid-file=${join(data.path, "pid")}`,
	];
	return {
		url,
		data,
		create: (): Promise<void> => run(findProgram("mariadb-install-db") ?? "", install, user),
		up: (
			settings: readonly string[],
			signal: NodeJS.Signals,
			responds: () => Promise<unknown>,
		): ReturnType<typeof start> =>
			start(findProgram("mariadbd") ?? "", [...options, ...settings], user, signal, responds),
	};
};

/** Starts a MariaDB with its defaults. */
export const startMariadb = async (): Promise<OwnServer> => {
	const { url, data, create, up } = await prepareMariadb("mariadb");
	return startOwn(url, data, create, () => up([], "SIGTERM", () => responds(url)));
};

/** The server at `MYSQL_URL` or on the default port, or a new MariaDB. */
export const findMariadb = (): Promise<Server | undefined> => {
	const isInstalled = ["mariadb-install-db", "mariadbd"].every((name) => findProgram(name));
	const local = "mysql://root@127.0.0.1:3306/";
	return findServer("MYSQL_URL", local, responds, isInstalled ? startMariadb : undefined);
};
