import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import type { Racer, Task } from "./racer.js";

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
	/** Whether `pg()` prepares statements. @default true */
	readonly prepare?: boolean;
}

/** A racer that is a process of its own. */
export type RacerProcess = Racer & {
	/** Ends it at once. Resolves when all of its responses are in. */
	kill(): Promise<void>;
};

interface Message {
	/** The call that it responds to, or 0 when it is ready. */
	readonly id: number;
	readonly value?: unknown;
	readonly error?: string;
}

const script = fileURLToPath(new URL("process.ts", import.meta.url));

/** Starts a process. It ends with the test at the latest. */
export const startRacer = async (
	connection: Connection,
	store: Task["store"],
	options: Omit<Task, "store"> = {},
): Promise<RacerProcess> => {
	const job = JSON.stringify({ connection, store, ...options });
	const child = fork(script, [job], { execArgv: ["--import", "tsx"] });
	const pending = new Map<
		number,
		{ resolve: (value: unknown) => void; reject: (error: Error) => void }
	>();
	child.on("message", ({ id, value, error }: Message) => {
		const call = pending.get(id);
		pending.delete(id);
		if (error === undefined) call?.resolve(value);
		else call?.reject(new Error(error));
	});
	const respond = (id: number) =>
		new Promise((resolve, reject) => pending.set(id, { resolve, reject }));
	// The last responses arrive after the process exits, so this waits for both.
	const over = Promise.all([once(child, "exit"), once(child, "disconnect")]).then(() => {
		for (const { reject } of pending.values()) reject(new Error("the process has ended"));
	});
	const kill = async (): Promise<void> => {
		child.kill("SIGKILL");
		await over;
	};
	onTestFinished(kill);
	const methods = (await respond(0)) as readonly string[];

	let calls = 0;
	const callOf =
		(method: string) =>
		(...args: readonly unknown[]) => {
			const id = ++calls;
			child.send({ id, method, args }, (error) => error && pending.get(id)?.reject(error));
			return respond(id);
		};
	const all = Object.fromEntries(methods.map((method) => [method, callOf(method)]));
	return { ...all, kill } as unknown as RacerProcess;
};

/** Starts processes, each with its own options. By default, four. */
export const startRacers = (
	connection: Connection,
	store: Task["store"],
	options: readonly Omit<Task, "store">[] = [{}, {}, {}, {}],
): Promise<RacerProcess[]> => Promise.all(options.map((one) => startRacer(connection, store, one)));
