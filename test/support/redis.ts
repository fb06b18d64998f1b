import { createClient } from "redis";
import type { KeyStore } from "../../src/index.js";
import type { KeyStoreHarness } from "../../src/testing.js";
import {
	findProgram,
	findServer,
	freePort,
	type Server,
	start,
	startOwn,
	temporaryFolder,
} from "./server.js";

const connect = async (url: string) => {
	const client = createClient({ url, socket: { connectTimeout: 3000, reconnectStrategy: false } });
	// Without a listener, a connection that is cut ends the process. Its call fails as well.
	client.on("error", () => {});
	await client.connect();
	return client;
};

const responds = async (url: string): Promise<void> => {
	const client = await connect(url);
	try {
		await client.ping();
	} finally {
		client.destroy();
	}
};

/** Starts a Redis from this machine's program, as docs/production.md wants it. */
export const startRedis = async (): Promise<Server> => {
	const folder = temporaryFolder("redis");
	const port = await freePort();
	const url = `redis://127.0.0.1:${port}`;
	const options = `--port ${port} --bind 127.0.0.1 --dir ${folder.path} --appendonly yes --appendfsync always`;
	const up = () =>
		start(
			findProgram("redis-server") ?? "",
			[...options.split(" "), "--save", ""],
			{},
			"SIGTERM",
			() => responds(url),
		);
	return startOwn(url, folder, async () => {}, up);
};

/** The server at `REDIS_URL` or on the default port, or a new one. */
export const findRedis = (): Promise<Server | undefined> => {
	const isInstalled = findProgram("redis-server") !== undefined;
	const local = "redis://127.0.0.1:6379";
	return findServer("REDIS_URL", local, responds, isInstalled ? startRedis : undefined);
};

/**
 * The worked store on a Redis, with the users and the rows of a test.
 *
 * @param toStore makes the store
 */
export const openRedis = async (
	url: string,
	toStore: (client: object, options: object) => KeyStore,
) => {
	const client = await connect(url);
	const users = new Set<string>();
	const keyName = (id: string) => `{lucia_tokens}:key:${id}`;
	const userName = (id: string) => `{lucia_tokens}:user:${id}`;
	const harness: KeyStoreHarness = {
		store: toStore(client, { isUser: (id: string) => users.has(id) }),
		hasLoginKeys: false,
		createUser: async (id) => {
			users.add(id);
		},
		insertRow: async ({ id, user_id, expires }) => {
			await client.set(keyName(id), `${expires} ${user_id}`);
			await client.zAdd(userName(user_id), { score: Number(expires), value: id });
		},
		getRows: async (userId) => {
			const rows = [];
			for (const id of await client.zRange(userName(userId), 0, -1)) {
				const [expires, ...owner] = ((await client.get(keyName(id))) ?? "").split(" ");
				rows.push({
					id,
					user_id: owner.join(" "),
					primary_key: false,
					hashed_password: null,
					expires: Number(expires),
				});
			}
			return rows;
		},
	};
	return {
		...harness,
		client,
		keyName,
		userName,
		/** Deletes the rows of the test's users. */
		close: async (): Promise<void> => {
			for (const user of users) {
				const ids = await client.zRange(userName(user), 0, -1);
				await client.del([userName(user), ...ids.map(keyName)]);
			}
			client.destroy();
		},
	};
};
