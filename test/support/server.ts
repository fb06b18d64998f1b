import { execFileSync, spawn, type SpawnOptions } from "node:child_process";
import { once } from "node:events";
import { chownSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** A database server. */
export interface Server {
	readonly url: string;
	/** Stops the server if the suite started it. */
	readonly stop: () => Promise<void>;
}

/** @returns the user with this name if this process is root, which servers refuse to run as; else `{}` */
export const identity = (name: string) => {
	if (userInfo().uid !== 0) return {};
	const id = (flag: string): number => Number(execFileSync("id", [flag, name]).toString());
	return { uid: id("-u"), gid: id("-g") };
};

/** Finds a program in the path, or where Debian keeps servers. */
export const findProgram = (name: string): string | undefined =>
	[...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"]
		.map((folder) => join(folder, name))
		.find((path) => existsSync(path));

/**
 * Finds a free port for a server. Linux gives those from 32768 up to clients, so they are taken now and then
 * while a server restarts.
 */
export const freePort = async (): Promise<number> => {
	for (;;) {
		const port = 20_000 + Math.floor(Math.random() * 12_000);
		const server = createServer().listen(port, "127.0.0.1");
		try {
			await once(server, "listening");
		} catch {
			continue;
		}
		server.close();
		await once(server, "close");
		return port;
	}
};

/** Creates a temporary folder that a user owns. Returns its path and a function that removes it. */
export const temporaryFolder = (name: string, { uid, gid }: SpawnOptions = {}) => {
	const path = mkdtempSync(join(tmpdir(), `lucia-tokens-${name}-`));
	if (uid !== undefined && gid !== undefined) chownSync(path, uid, gid);
	return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
};

/** Starts a program, and keeps what it prints. */
export const startProgram = (command: string, args: readonly string[], options: SpawnOptions) => {
	const child = spawn(command, args, {
		cwd: tmpdir(),
		...options,
		stdio: ["ignore", "pipe", "pipe"],
	});
	const closed = once(child, "close") as Promise<[code: number | null]>;
	let output = "";
	for (const stream of [child.stdout, child.stderr]) {
		stream?.on("data", (chunk: Buffer) => (output += chunk.toString()));
	}
	return {
		/** What it has printed. */
		logged: () => output,
		/** Waits until it ends by itself. */
		ended: () => closed.then(([code]) => ({ code, output })),
		/** Waits until a request succeeds. @throws Error the program ended, or a minute has passed */
		serves: async (request: () => Promise<unknown>): Promise<void> => {
			const isUp = () =>
				request().then(
					() => true,
					() => false,
				);
			for (let tries = 0; !(await isUp()); tries++) {
				if (tries === 600 || child.exitCode !== null) {
					child.kill();
					throw new Error(`${command} does not start: ${output}`);
				}
				await sleep(100);
			}
		},
		/** Stops it and the processes that it started. */
		stop: async (signal?: NodeJS.Signals): Promise<void> => {
			child.kill(signal);
			await closed;
		},
	};
};

/** Runs a program and waits until it exits. @throws Error the program failed; contains its output */
export const run = async (...program: Parameters<typeof startProgram>): Promise<void> => {
	const { code, output } = await startProgram(...program).ended();
	if (code !== 0) throw new Error(`${program[0]} failed: ${output}`);
};

/**
 * Starts a server and waits until a request to it succeeds.
 *
 * @param signal makes the server exit immediately and clean up
 * @returns a function that stops the server, by that signal or another one
 */
export const start = async (
	command: string,
	args: readonly string[],
	options: SpawnOptions,
	signal: NodeJS.Signals,
	request: () => Promise<unknown>,
) => {
	const program = startProgram(command, args, options);
	await program.serves(request);
	return (by = signal) => program.stop(by);
};

/**
 * Creates a server in a folder, which is removed with it.
 *
 * @param create writes what the server needs
 * @param up starts it
 */
export const startOwn = async (
	url: string,
	folder: ReturnType<typeof temporaryFolder>,
	create: () => Promise<unknown>,
	up: () => ReturnType<typeof start>,
) => {
	try {
		await create();
		let stop = await up();
		return {
			url,
			stop: () => stop().finally(folder.remove),
			/** Kills it, as a crash does. */
			crash: () => stop("SIGKILL"),
			/** Starts it again on what it has left. */
			restart: async () => void (stop = await up()),
		};
	} catch (error) {
		folder.remove();
		throw error;
	}
};

export type OwnServer = Awaited<ReturnType<typeof startOwn>>;

/**
 * Returns the server that a variable of the environment names, else the one on the default port, else a new
 * one.
 *
 * @param responds resolves when a server is there
 * @param startNew starts one; `undefined` if this machine has not its programs
 * @throws Error the server that the variable names is not there
 */
export const findServer = async (
	variable: string,
	local: string,
	responds: (url: string) => Promise<unknown>,
	startNew: (() => Promise<Server>) | undefined,
): Promise<Server | undefined> => {
	const given = process.env[variable];
	const isThere = responds(given ?? local).then(() => true);
	if (given || (await isThere.catch(() => false))) {
		await isThere;
		return { url: given ?? local, stop: async () => {} };
	}
	return startNew?.();
};
