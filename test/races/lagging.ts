import { mysql2 as mysqlAdapter } from "@lucia-auth/adapter-mysql";
import { pg as pgAdapter } from "@lucia-auth/adapter-postgresql";
import type { Adapter, Auth } from "lucia-auth";
import mysql from "mysql2/promise";
import { onTestFinished } from "vitest";
import { createAuth } from "../support/database.js";
import { postgres } from "../support/databases.js";
import type { Shared } from "./contenders.js";
import type { Connection } from "./racers.js";

// How many earlier states there are to read, and how many reads later the next one is renewed. Reads, and
// not milliseconds: so they lag as far behind on a slow machine.
const SNAPSHOTS = 4;
const READS_PER_RENEWAL = 20;

/** A connection that reads one state of the database until it is renewed. */
interface Snapshot {
	readonly adapter: Adapter;
	readonly renew: () => Promise<unknown>;
}

/** Runs the calls of a connection one after the other. */
const inOrder = <Args extends unknown[], Result>(
	run: (...args: Args) => Promise<Result>,
): ((...args: Args) => Promise<Result>) => {
	let last: Promise<unknown> = Promise.resolve();
	return (...args) => {
		const result = last.then(() => run(...args));
		last = result.catch(() => {});
		return result;
	};
};

const toAdapter = (...[adapter]: Parameters<typeof createAuth>): Adapter =>
	(createAuth(adapter) as unknown as { adapter: Adapter }).adapter;

const SNAPSHOT_ON: Partial<
	Record<Connection["driver"], (connection: Connection) => Promise<Snapshot>>
> = {
	pg: async ({ url, database }) => {
		const client = new postgres.Client({
			connectionString: url as string,
			options: `-c search_path=${database}`,
		});
		await client.connect();
		onTestFinished(() => client.end());
		const query = inOrder((text: string, values?: unknown[]) => client.query(text, values));
		return {
			adapter: toAdapter(pgAdapter({ query } as never)),
			// The first read of a transaction takes its snapshot.
			renew: () =>
				query(
					"COMMIT; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT 1 FROM auth_key LIMIT 1",
				),
		};
	},
	mysql2: async ({ url, database }) => {
		const connection = await mysql.createConnection(new URL(database, url).href);
		onTestFinished(() => connection.end());
		const query = inOrder((text: string, values?: unknown[]) => connection.query(text, values));
		return {
			adapter: toAdapter(mysqlAdapter({ query, execute: query } as never)),
			renew: () => query("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"),
		};
	},
};

/** Lucia with an adapter whose reads lag behind, like those that a pooler sends to replicas. */
export interface Lagging {
	readonly auth: Auth;
	/** Lets all reads see what is stored now. */
	readonly catchUp: () => Promise<void>;
}

export const openLagging = async ({ connection, defaultSource }: Shared): Promise<Lagging> => {
	const open = SNAPSHOT_ON[connection.driver];
	if (!open) throw new Error(`no snapshots on ${connection.driver}`);
	const snapshots = await Promise.all(Array.from({ length: SNAPSHOTS }, () => open(connection)));
	const catchUp = async (): Promise<void> => {
		await Promise.all(snapshots.map(({ renew }) => renew()));
	};
	await catchUp();

	let reads = 0;
	// Takes the snapshots in turn.
	const next = async (): Promise<Adapter> => {
		const turn = ++reads;
		if (turn % READS_PER_RENEWAL === 0) {
			await snapshots[(turn / READS_PER_RENEWAL) % SNAPSHOTS]?.renew();
		}
		return (snapshots[turn % SNAPSHOTS] as Snapshot).adapter;
	};
	const { adapter } = defaultSource as unknown as { adapter: Adapter };
	const auth = createAuth(() => ({
		...adapter,
		getKey: async (...args) => (await next()).getKey(...args),
		getKeysByUserId: async (...args) => (await next()).getKeysByUserId(...args),
		getUser: async (...args) => (await next()).getUser(...args),
	}));
	return { auth, catchUp };
};
