import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

/** How another process connects to a database. */
export interface Connection {
	readonly driver: "pg" | "mysql2" | "libsql" | "better-sqlite3";
	readonly url?: string;
	/** The servers that statements go to in turn, in place of `url`. Only for `mysql2`. */
	readonly urls?: readonly string[];
	/** A statement that each new connection begins with. Only for `mysql2`. */
	readonly session?: string;
	/** The name of its schema or database, or its file. */
	readonly database: string;
	/** Whether `pg()` prepares statements. */
	readonly prepare?: boolean;
}

/** What a process does. */
export interface Job {
	readonly connection: Connection;
	readonly store: "default" | "native";
	readonly version: "current" | "published";
	/** The name of the tokens. */
	readonly name: string;
	/** Of its codes. */
	readonly maxAttempts?: number;
}

/** What revokes and validates, in this process or in others. */
export interface Actor {
	readonly validate: (token: string) => Promise<unknown>;
	readonly invalidate: (token: string) => Promise<void>;
	readonly invalidateAllUserTokens: (userId: string) => Promise<void>;
	readonly deleteUser: (userId: string) => Promise<void>;
}

/** A process that validates and revokes. */
export interface Racer extends Actor {
	/** Which tokens it has reported as validated, one entry for each success. */
	readonly won: string[];
	/** Validates all tokens in order. Resolves with the number of failures by message. */
	validateAll(
		tokens: readonly string[],
		atOnce: number,
		calls?: number,
	): Promise<Record<string, number>>;
	/** Tries many codes of a user at once. Resolves with what came of each: `"ok"` or a message. */
	guessAll(userId: string, guesses: readonly string[]): Promise<string[]>;
	/** Uses a user's links and codes at once, each of which revokes all of them. Resolves with what came of each. */
	useAll(userId: string, links: readonly string[], codes: readonly string[]): Promise<string[]>;
	/** Issues many tokens to a user at once, with a `minInterval`. Resolves with what came of each. */
	issueAll(userId: string, count: number): Promise<string[]>;
	/** How many statements MySQL or MariaDB has rolled back to let others proceed. */
	countDeadlocks(): Promise<number>;
	/** Ends it at once. Resolves when all that it has reported is in. */
	kill(): Promise<void>;
}

interface Message {
	readonly id?: number;
	readonly value?: unknown;
	readonly error?: string;
	readonly won?: string;
}

interface Pending {
	readonly resolve: (value: unknown) => void;
	readonly reject: (error: Error) => void;
}

const script = fileURLToPath(new URL("racer.js", import.meta.url));

// The last reports arrive after the process exits, so this waits for both.
const end = async (child: ChildProcess): Promise<void> => {
	const over: Promise<unknown>[] = [];
	if (child.exitCode === null && child.signalCode === null) over.push(once(child, "exit"));
	if (child.connected) over.push(once(child, "disconnect"));
	child.kill("SIGKILL");
	await Promise.all(over);
};

/** Starts a process. It ends with the test at the latest. */
export const startRacer = async (job: Job): Promise<Racer> => {
	const child = fork(script, [JSON.stringify(job)], { execArgv: [] });
	const won: string[] = [];
	const pending = new Map<number, Pending>();
	let id = 0;
	child.on("message", (message: Message) => {
		if (message.won !== undefined) won.push(message.won);
		if (message.id === undefined) return;
		const call = pending.get(message.id);
		pending.delete(message.id);
		if (message.error === undefined) call?.resolve(message.value);
		else call?.reject(new Error(message.error));
	});
	const kill = (): Promise<void> => end(child);
	onTestFinished(kill);
	const ready = once(child, "message");
	const exit = once(child, "exit").then(() => {
		for (const { reject } of pending.values()) reject(new Error("the process has ended"));
	});
	await Promise.race([
		ready,
		exit.then(() => {
			throw new Error("the process ended before it was ready");
		}),
	]);

	const call = (method: string, ...args: unknown[]): Promise<unknown> =>
		new Promise((resolve, reject) => {
			pending.set(++id, { resolve, reject });
			child.send({ id, method, args });
		});
	return {
		won,
		kill,
		validate: (token) => call("validate", token),
		invalidate: (token) => call("invalidate", token) as Promise<void>,
		invalidateAllUserTokens: (userId) => call("invalidateAllUserTokens", userId) as Promise<void>,
		deleteUser: (userId) => call("deleteUser", userId) as Promise<void>,
		countDeadlocks: () => call("countDeadlocks") as Promise<number>,
		guessAll: (userId, guesses) => call("guessAll", userId, guesses) as Promise<string[]>,
		useAll: (userId, links, codes) => call("useAll", userId, links, codes) as Promise<string[]>,
		issueAll: (userId, count) => call("issueAll", userId, count) as Promise<string[]>,
		validateAll: (tokens, atOnce, calls = 1) =>
			call("validateAll", tokens, atOnce, calls) as Promise<Record<string, number>>,
	};
};

/** Gives each call to the next process in turn. */
export const inTurn = (racers: readonly Actor[]): Actor => {
	let turn = 0;
	const next = (): Actor => racers[turn++ % racers.length] as Actor;
	return {
		validate: (token) => next().validate(token),
		invalidate: (token) => next().invalidate(token),
		invalidateAllUserTokens: (userId) => next().invalidateAllUserTokens(userId),
		deleteUser: (userId) => next().deleteUser(userId),
	};
};
