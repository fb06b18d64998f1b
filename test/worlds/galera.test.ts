import { setTimeout } from "node:timers/promises";
import { mysql2 as mysqlAdapter } from "@lucia-auth/adapter-mysql";
import mysql from "mysql2/promise";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { idToken, passwordToken } from "../../src/index.js";
import { mysql2 } from "../../src/stores/mysql2.js";
import { account } from "../races/account.js";
import { callingOn } from "../races/again.js";
import { addFailures, addSuccess, newTally, report, shuffled } from "../races/race.js";
import { type Racer, startRacer } from "../races/racers.js";
import { createUser, NAME, options, storeTokens } from "../races/tokens.js";
import { createAuth } from "../support/database.js";
import { openMysql } from "../support/databases.js";
import { catchUp, type Node, startCluster } from "./galera.js";
import { areInstalled } from "./programs.js";
import { race } from "./races.js";

const PROCESSES = 4;
const STORES = ["native", "default"] as const;
/** How many tokens race while a node is killed, and how many are used by then. */
const TOKENS = 800;
const USED = 100;

const ROUNDS = 40;

const WRONG = Array.from({ length: 60 }, (_, at) => `wrong${at}`);

type Store = (typeof STORES)[number];

/** Which nodes the statements of a process go to, in turn. */
const ROUTINGS = [
	{
		routing: "a node for each process",
		route: (nodes: readonly Node[], process: number) => [nodes[process % nodes.length] as Node],
	},
	{ routing: "statements round robin", route: (nodes: readonly Node[]) => nodes },
];

const WORLDS = ROUTINGS.flatMap(({ routing, route }) =>
	[0, 1].flatMap((wait) =>
		STORES.map((store) => {
			const name = `${routing}, wsrep_sync_wait ${wait}, ${store} store`;
			return { name, route, wait, store };
		}),
	),
);

const waiting = (wait: number): string => `SET SESSION wsrep_sync_wait = ${wait}`;

const isThere = areInstalled("mariadb-server", "galera-4");

describe.skipIf(!isThere)("a Galera cluster of three nodes", () => {
	let nodes: readonly [Node, Node, Node];

	beforeAll(async () => {
		nodes = await startCluster();
	});

	afterAll(async () => {
		await Promise.all(nodes?.map((node) => node.stop()) ?? []);
	});

	const everywhere = async (): Promise<void> => {
		await Promise.all(nodes.map(catchUp));
	};

	/** Opens a database on the first node. It has one connection, which sees what all nodes have committed. */
	const open = async () => {
		const db = await openMysql(nodes[0].url, {}, { connectionLimit: 1 });
		onTestFinished(() => db.close());
		await db.sql(waiting(7));
		await createUser(db, "user");
		const sourceOf = (store: Store) => (store === "native" ? db.nativeSource : db.defaultSource);
		return { db, sourceOf };
	};

	const startRacers = (
		database: string,
		store: Store,
		routes: readonly (readonly Node[])[],
		wait: number,
	): Promise<Racer[]> =>
		Promise.all(
			routes.map((route) => {
				const urls = route.map(({ url }) => url);
				const session = waiting(wait);
				const connection = { driver: "mysql2", urls, session, database } as const;
				return startRacer({ connection, store, version: "current", name: NAME, maxAttempts: 5 });
			}),
		);

	describe("four processes use each link once, get five attempts, and issue once in an interval", () => {
		for (const { name, route, wait, store } of WORLDS) {
			test(name, async () => {
				const { db } = await open();
				const routes = Array.from({ length: PROCESSES }, (_, process) => route(nodes, process));
				const racers = await startRacers(db.name, store, routes, wait);
				const connection = { driver: "mysql2", database: db.name } as const;
				await race(racers, { db, connection, catchUp: everywhere }, "racing");

				const codes = passwordToken(db.nativeSource, `${NAME}-code`, options);
				const code = `${await codes.issue("user")}`;
				await everywhere();
				const guesses = [...WRONG.slice(0, 7), code, ...WRONG.slice(7)];
				const outcomes = await Promise.all(
					racers.map((racer, at) =>
						racer.guessAll(
							"user",
							guesses.filter((_, index) => index % PROCESSES === at),
						),
					),
				);
				const [last, ...wrong] = outcomes.flat().sort().reverse();
				expect(["INVALID_TOKEN", "ok"]).toContain(last);
				expect(wrong).toEqual(WRONG.map(() => "INVALID_TOKEN"));
				await expect(codes.validate(code, "user")).rejects.toThrow("INVALID_TOKEN");

				const deadlocks = await Promise.all(racers.map((racer) => racer.countDeadlocks()));
				report(`Galera, ${name}`, {
					deadlocks: deadlocks.reduce((sum, count) => sum + count),
				});
			});
		}
	});

	/** Writes on the first node, and calls the second one at once. Returns how many calls succeeded. */
	const follow = async (store: Store, wait: number) => {
		const { db, sourceOf } = await open();
		await everywhere();
		const pool = mysql.createPool(new URL(db.name, nodes[1].url).href);
		onTestFinished(() => pool.end());
		pool.pool.on("connection", (connection) => {
			connection.query(waiting(wait));
		});
		const source = store === "native" ? mysql2(pool) : createAuth(mysqlAdapter(pool));
		const first = idToken(sourceOf(store), NAME, options);
		const second = idToken(source, NAME, options);
		const codes = passwordToken(sourceOf(store), `${NAME}-code`, options);
		const guess = callingOn(store)(passwordToken(source, `${NAME}-code`, options).validate);
		const validate = callingOn(store)(second.validate);
		const counts = { link: 0, code: 0, used: 0, revoked: 0 };
		const note = (what: keyof typeof counts, call: Promise<unknown>): Promise<void> =>
			call.then(
				() => void counts[what]++,
				() => {},
			);
		for (let round = 0; round < ROUNDS; round++) {
			await note("link", validate(await first.issue("user")));
			await note("code", guess(await codes.issue("user"), "user"));
			const [used, revoked] = [await first.issue("user"), await first.issue("user")];
			await everywhere();
			await first.validate(used);
			await note("used", validate(used));
			await first.invalidate(revoked);
			await note("revoked", validate(revoked));
		}
		report(
			`Galera, after a write on another node, wsrep_sync_wait ${wait}, ${store} store`,
			counts,
		);
		return counts;
	};

	describe("calls on the second node, at once after a write on the first", () => {
		const ALL = { link: ROUNDS, code: ROUNDS, used: 0, revoked: 0 };

		test.each([
			["default", 1],
			["default", 7],
			["native", 7],
		] as const)("%s store, wsrep_sync_wait %i: see the write", async (store, wait) => {
			expect(await follow(store, wait)).toEqual(ALL);
		});

		test("native store, wsrep_sync_wait 0: may miss a new token, and refuse a used or revoked one", async () => {
			expect(await follow("native", 0)).toMatchObject({ used: 0, revoked: 0 });
		});

		test("default store, wsrep_sync_wait 0: may miss a new or revoked token, and refuse a used one", async () => {
			expect(await follow("default", 0)).toMatchObject({ used: 0 });
		});
	});

	test("a node is killed under load: no token is used twice, and none that was used is good again", async () => {
		const load = async (store: Store) => {
			const { db, sourceOf } = await open();
			const tokens = await storeTokens(db, "user", TOKENS);
			await everywhere();
			const routes = nodes.map((node) => [node]);
			return { db, store, sourceOf, tokens, racers: await startRacers(db.name, store, routes, 0) };
		};
		const loads = [await load("native"), await load("default")];
		const done = loads.map(({ racers, tokens }) =>
			Promise.all(racers.map((racer, at) => racer.validateAll(shuffled(tokens, at), 10, 2))),
		);
		const won = (racers: readonly Racer[]): string[] => racers.flatMap((racer) => racer.won);
		while (loads.some(({ racers }) => won(racers).length < USED)) await setTimeout(1);
		await nodes[1].crash();

		for (const [index, { db, store, sourceOf, tokens, racers }] of loads.entries()) {
			const tally = newTally(tokens);
			const failures = (await done[index]) ?? [];
			for (const one of failures) addFailures(tally, one);
			for (const token of won(racers)) addSuccess(tally, token);
			const others = failures.map(
				(messages) => Object.keys(messages).filter((message) => message !== "INVALID_TOKEN").length,
			);
			expect([others[0], others[2]]).toEqual([0, 0]);
			expect(others[1]).toBeGreaterThan(0);
			const connection = { driver: "mysql2", database: db.name } as const;
			const name = `${store} store`;
			const contender = { name, store, sourceOf: () => sourceOf(store) };
			await account("a node killed", { ...db, connection, handle: db.pool }, contender, tally);
		}
	});
});
