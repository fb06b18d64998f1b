import { beforeAll, describe, expect, test } from "vitest";
import { idToken, passwordToken } from "../../src/index.js";
import { account } from "../races/account.js";
import { countSuccesses, race, report, startLoad, until } from "../races/race.js";
import { type RacerProcess, startRacer } from "../races/racers.js";
import { createUser, NAME, options, sourceOn, storeTokens } from "../races/tokens.js";
import { catchUp, type Node, startCluster } from "./galera.js";
import { areInstalled } from "./setup.js";
import { openMysqlOn, STORES, untilAllEnd, untilTestEnds } from "./world.js";

type Store = (typeof STORES)[number];

/** Which nodes the statements of a process go to, in turn. */
const ROUTINGS = {
	"a node for each process": (nodes: readonly Node[], at: number) => [nodes[at % 3] as Node],
	"statements round robin": (nodes: readonly Node[]) => nodes,
};

const WORLDS = Object.entries(ROUTINGS).flatMap(([routing, route]) =>
	[0, 1].flatMap((wait) => STORES.map((store) => ({ routing, route, wait, store }))),
);

/** How many tokens race while a node is killed, and how many are used by then. */
const TOKENS = 800;
const USED = 100;

const ROUNDS = 40;

const waiting = (wait: number): string => `SET SESSION wsrep_sync_wait = ${wait}`;

describe.skipIf(!areInstalled("mariadb-server", "galera-4"))(
	"a Galera cluster of three nodes",
	() => {
		const keep = untilAllEnd();
		let nodes: readonly [Node, Node, Node];

		beforeAll(async () => {
			nodes = await startCluster();
			for (const node of nodes) await keep(Promise.resolve(node));
		});

		const everywhere = async (): Promise<void> => {
			await Promise.all(nodes.map(catchUp));
		};

		/** Opens a database on the first node. It has one connection, which sees what all nodes have committed. */
		const open = async () => {
			const db = await untilTestEnds(openMysqlOn(nodes[0], 1));
			await db.sql(waiting(7));
			return db;
		};

		const startRacers = (
			database: string,
			store: Store,
			routes: readonly (readonly Node[])[],
			wait: number,
		): Promise<RacerProcess[]> =>
			Promise.all(
				routes.map((route) => {
					const urls = route.map(({ url }) => url);
					const session = waiting(wait);
					return startRacer({ driver: "mysql2", urls, session, database }, store);
				}),
			);

		test.each(WORLDS)(
			"four processes are exact: $routing, wsrep_sync_wait $wait, $store store",
			async ({ route, wait, store }) => {
				const db = await open();
				const routes = [0, 1, 2, 3].map((at) => route(nodes, at));
				const racers = await startRacers(db.name, store, routes, wait);
				await race(racers, db, "user", { catchUp: everywhere });
			},
		);

		const SEEN = { link: ROUNDS, code: ROUNDS, used: 0, revoked: 0 };

		test.each([
			["native", 7, SEEN],
			["default", 1, SEEN],
			["default", 7, SEEN],
			// These may miss what is new. The default store may also miss that a token was revoked.
			["native", 0, { used: 0, revoked: 0 }],
			["default", 0, { used: 0 }],
		] as const)(
			"a call follows a write on another node: %s store, wsrep_sync_wait %i",
			async (store, wait, expected) => {
				const db = await open();
				await createUser(db, "user");
				await everywhere();
				const [second] = (await startRacers(db.name, store, [[nodes[1]]], wait)) as [RacerProcess];
				const links = idToken(sourceOn(db, store), NAME, options);
				const codes = passwordToken(sourceOn(db, store), `${NAME}-code`, options);
				const succeeded = { link: 0, code: 0, used: 0, revoked: 0 };
				const follow = async (what: keyof typeof succeeded, call: Promise<unknown>) => {
					try {
						await call;
						succeeded[what]++;
					} catch (error) {
						expect(error).toHaveProperty("message", "INVALID_TOKEN");
					}
				};
				const issue = async (): Promise<string> => `${await links.issue("user")}`;
				for (let round = 0; round < ROUNDS; round++) {
					await follow("link", second.validate(await issue()));
					await follow("code", second.guess(`${await codes.issue("user")}`, "user"));
					const [used, revoked] = [await issue(), await issue()];
					await everywhere();
					await links.validate(used);
					await follow("used", second.validate(used));
					await links.invalidate(revoked);
					await follow("revoked", second.validate(revoked));
				}
				report(succeeded);
				expect(succeeded).toMatchObject(expected);
			},
		);

		test("a node is killed under load: no token is used twice, and no used one is good again", async () => {
			const start = async (store: Store) => {
				const db = await open();
				await createUser(db, "user");
				const tokens = await storeTokens(db, "user", TOKENS);
				await everywhere();
				const routes = nodes.map((node) => [node]);
				const failed = new Set<number>();
				const racers = (await startRacers(db.name, store, routes, 0)).map(({ validate }, at) => ({
					validate: (token: string) =>
						validate(token).catch((error: Error) => {
							if (error.message !== "INVALID_TOKEN") failed.add(at);
							throw error;
						}),
				}));
				return { db, store, tokens, racers, failed };
			};
			const started = [await start("native"), await start("default")];
			const loads = started.map(({ tokens, racers, ...world }) => ({
				...world,
				...startLoad(racers, tokens, 10, 2),
			}));
			await until(() => loads.every(({ tally }) => countSuccesses(tally) >= USED));
			await nodes[1].crash();

			for (const { db, store, failed, tally, ended } of loads) {
				await ended;
				expect([...failed]).toEqual([1]);
				await account(db, store, sourceOn(db, store), tally);
			}
		});
	},
);
