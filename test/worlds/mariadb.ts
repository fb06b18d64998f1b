import { join } from "node:path";
import mysql from "mysql2/promise";
import {
	findProgram,
	freePort,
	identity,
	type OwnServer,
	run,
	start,
	startOwn,
	temporaryFolder,
} from "../support/server.js";

/** Starts a MariaDB with its defaults. */
export const startMariadb = async (): Promise<OwnServer> => {
	const user = identity("mysql");
	const data = temporaryFolder("mariadb", user);
	const port = await freePort();
	const url = `mysql://root@127.0.0.1:${port}/`;
	const common = ["--no-defaults", `--datadir=${data.path}`];
	const install = ["--auth-root-authentication-method=normal", "--skip-test-db"];
	const options = [
		...common,
		`--port=${port}`,
		"--bind-address=127.0.0.1",
		`--socket=${join(data.path, "socket")}`,
		`--pid-file=${join(data.path, "pid")}`,
	];
	const answers = async (): Promise<void> => (await mysql.createConnection(url)).end();
	return startOwn(
		url,
		data,
		() => run(findProgram("mariadb-install-db") ?? "", [...common, ...install], user),
		() => start(findProgram("mariadbd") ?? "", options, user, "SIGTERM", answers),
	);
};
