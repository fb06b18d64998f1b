import { join } from "node:path";
import mysql from "mysql2/promise";
import { prepareMariadb } from "../support/mariadb.js";
import { freePort, type OwnServer, startOwn } from "../support/server.js";

/** Where Debian's package `galera-4` puts the library. */
const PROVIDER = "/usr/lib/galera/libgalera_smm.so";

const MAX_STARTS = 3;

/** A node of a cluster. */
export interface Node extends OwnServer {
	/** Where it meets the other nodes. */
	readonly group: string;
}

/** Runs statements on a connection of their own. Returns the rows of the last one. */
const query = async (uri: string, ...statements: string[]): Promise<unknown> => {
	const connection = await mysql.createConnection({ uri, connectTimeout: 3000 });
	try {
		let rows: unknown;
		for (const sql of statements) [rows] = await connection.query(sql);
		return rows;
	} finally {
		connection.destroy();
	}
};

/** Waits until a node has what is committed now on any node. */
export const catchUp = async ({ url }: Node): Promise<void> => {
	await query(url, "SET SESSION wsrep_sync_wait = 1", "SELECT 1");
};

const isSynced = async (url: string): Promise<void> => {
	const rows = await query(url, "SHOW STATUS LIKE 'wsrep_local_state_comment'");
	const [{ Value: state }] = rows as [{ Value: string }];
	if (state !== "Synced") throw new Error(state);
};

/**
 * Starts a node. It begins a cluster, or joins one and gets its data from there.
 *
 * @param first a node of the cluster to join
 */
const startNode = async (first?: Node): Promise<Node> => {
	const { url, data, create, up } = await prepareMariadb("galera");
	const [own, ist, sst] = await Promise.all([freePort(), freePort(), freePort()]);
	const group = `127.0.0.1:${own}`;
	const provider = [
		`base_port=${own}`,
		`gmcast.listen_addr=tcp://${group}`,
		`ist.recv_addr=127.0.0.1:${ist}`,
		"gcache.size=16M",
	];
	const settings = [
		`--log-error=${join(data.path, "log")}`,
		"--innodb-flush-log-at-trx-commit=0",
		"--innodb-autoinc-lock-mode=2",
		"--binlog-format=ROW",
		"--wsrep-on=ON",
		`--wsrep-provider=${PROVIDER}`,
		`--wsrep-provider-options=${provider.join(";")}`,
		`--wsrep-node-address=${group}`,
		`--wsrep-cluster-address=gcomm://${first?.group ?? ""}`,
		"--wsrep-sst-method=rsync",
		`--wsrep-sst-receive-address=127.0.0.1:${sst}`,
		...(first ? [] : ["--wsrep-new-cluster"]),
	];
	const upOrAgain = async (starts = 1): ReturnType<typeof up> => {
		try {
			return await up(settings, "SIGKILL", () => isSynced(url));
		} catch (error) {
			// A node gives up if it meets the others while they change.
			if (starts === MAX_STARTS) throw error;
			return upOrAgain(starts + 1);
		}
	};
	const createFirst = async (): Promise<void> => {
		if (!first) await create();
	};
	return { group, ...(await startOwn(url, data, createFirst, upOrAgain)) };
};

/** Starts a cluster of three nodes of MariaDB, all writable. */
export const startCluster = async (): Promise<[Node, Node, Node]> => {
	const first = await startNode();
	const joined = await Promise.allSettled([startNode(first), startNode(first)]);
	const others = joined.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
	const [second, third] = others;
	if (second && third) return [first, second, third];
	await Promise.all([first, ...others].map((node) => node.stop()));
	throw new AggregateError(
		joined.flatMap((one) => (one.status === "rejected" ? [one.reason as unknown] : [])),
		"the nodes did not join",
	);
};
