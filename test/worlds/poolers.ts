import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { responds } from "../support/postgres.js";
import {
	findProgram,
	freePort,
	identity,
	type Server,
	start,
	startOwn,
	temporaryFolder,
} from "../support/server.js";

/** Starts a pooler that takes its settings from a file. */
const startPooler = async (
	program: string,
	signal: NodeJS.Signals,
	settingsOn: (port: number, folder: string) => string,
	...args: readonly string[]
): Promise<Server> => {
	const user = identity("postgres");
	const folder = temporaryFolder(program, user);
	const port = await freePort();
	const url = `postgres://postgres@127.0.0.1:${port}/postgres`;
	const file = join(folder.path, "settings");
	const create = async (): Promise<void> => writeFileSync(file, settingsOn(port, folder.path));
	const up = () =>
		start(findProgram(program) ?? "", [...args, file], user, signal, () => responds(url));
	return startOwn(url, folder, create, up);
};

/**
 * Starts a PgBouncer that assigns connections per transaction. It ignores what clients set, such as
 * `search_path`.
 */
export const startPgbouncer = (server: Server): Promise<Server> =>
	startPooler(
		"pgbouncer",
		"SIGTERM",
		(port) => `[databases]
* = host=127.0.0.1 port=${new URL(server.url).port} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 20
max_client_conn = 500
ignore_startup_parameters = extra_float_digits,options
`,
	);

/** Starts a pgpool-II that sends every SELECT to the standby. */
export const startPgpool = (primary: Server, standby: Server): Promise<Server> =>
	startPooler(
		"pgpool",
		"SIGINT",
		(port, folder) => `backend_clustering_mode = 'streaming_replication'
listen_addresses = '127.0.0.1'
port = ${port}
pcp_listen_addresses = ''
unix_socket_directories = '${folder}'
pcp_socket_dir = '${folder}'
wd_ipc_socket_dir = '${folder}'
pid_file_name = '${folder}/pid'
logdir = '${folder}'
backend_hostname0 = '127.0.0.1'
backend_port0 = ${new URL(primary.url).port}
backend_weight0 = 0
backend_flag0 = 'DISALLOW_TO_FAILOVER'
backend_hostname1 = '127.0.0.1'
backend_port1 = ${new URL(standby.url).port}
backend_weight1 = 1
backend_flag1 = 'DISALLOW_TO_FAILOVER'
load_balance_mode = on
statement_level_load_balance = on
sr_check_period = 1
sr_check_user = 'postgres'
sr_check_database = 'postgres'
num_init_children = 64
max_pool = 1
`,
		"-n",
		"-f",
	);
