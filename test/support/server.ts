import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout } from "node:timers/promises";

/** A database server for the matrix. */
export interface Server {
	readonly url: string;
	/** Stops the server if the suite started it. */
	readonly stop: () => Promise<void>;
}

/** A user of this machine to run a server as. */
interface Identity {
	readonly uid?: number;
	readonly gid?: number;
}

/** @returns the user with this name if this process is root, which servers refuse to run as; else `{}` */
export const identity = (name: string): Identity => {
	if (userInfo().uid !== 0) return {};
	const id = (flag: string): number => Number(execFileSync("id", [flag, name]).toString());
	return { uid: id("-u"), gid: id("-g") };
};

/** A server that the suite has started, in a temporary folder. */
export interface OwnServer extends Server {
	/** Kills it, as a crash does. */
	readonly crash: () => Promise<void>;
	/** Starts it again on what it has left. */
	readonly restart: () => Promise<void>;
}

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

/** The user and the environment that a program runs with. By default, those of this process. */
type Surroundings = Identity & { readonly env?: NodeJS.ProcessEnv };

/** Creates a temporary folder that a user owns. Returns its path and a function that removes it. */
export const temporaryFolder = (name: string, { uid, gid }: Identity = {}) => {
	const path = mkdtempSync(join(tmpdir(), `lucia-tokens-${name}-`));
	if (uid !== undefined && gid !== undefined) chownSync(path, uid, gid);
	return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
};

/** Runs a program and waits until it exits. @throws Error the program failed; contains its output */
export const run = async (
	command: string,
	args: readonly string[],
	surroundings: Surroundings,
): Promise<void> => {
	const child = spawn(command, args, {
		...surroundings,
		cwd: tmpdir(),
		stdio: ["ignore", "pipe", "pipe"],
	});
	let output = "";
	for (const stream of [child.stdout, child.stderr]) {
		stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
	}
	const [code] = (await once(child, "close")) as [number];
	if (code !== 0) throw new Error(`${command} failed: ${output}`);
};

type Stop = (signal?: NodeJS.Signals) => Promise<void>;

/**
 * Starts a server and waits until it answers.
 *
 * @param signal the signal that makes the server exit immediately and clean up
 * @param answers resolves when the server is ready
 * @returns a function that stops the server, by that signal or another one
 */
export const start = async (
	command: string,
	args: readonly string[],
	surroundings: Surroundings,
	signal: NodeJS.Signals,
	answers: () => Promise<unknown>,
): Promise<Stop> => {
	const child = spawn(command, args, { ...surroundings, cwd: tmpdir(), stdio: "ignore" });
	const closed = once(child, "close");
	const stop: Stop = async (by = signal) => {
		child.kill(by);
		await closed;
	};
	for (let attempt = 0; attempt < 150; attempt++) {
		if (child.exitCode !== null) throw new Error(`${command} ended at once`);
		try {
			await answers();
			return stop;
		} catch {
			await setTimeout(200);
		}
	}
	await stop();
	throw new Error(`${command} did not answer within 30 seconds`);
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
	up: () => Promise<Stop>,
): Promise<OwnServer> => {
	try {
		await create();
		let stop = await up();
		return {
			url,
			stop: () => stop().finally(folder.remove),
			crash: () => stop("SIGKILL"),
			restart: async () => {
				// Its processes may outlive the one that was killed by a moment. Until then, no other one starts.
				for (let tries = 0; ; tries++) {
					try {
						stop = await up();
						return;
					} catch (error) {
						if (tries === 50) throw error;
					}
				}
			},
		};
	} catch (error) {
		folder.remove();
		throw error;
	}
};

/**
 * Returns the server that a variable of the environment names, else the one on the default port, else a new
 * one.
 *
 * @param answers resolves when a server is there
 * @param startNew starts one; `undefined` if this machine has not its programs
 * @throws Error the server that the variable names is not there
 */
export const findServer = async (
	variable: string,
	local: string,
	answers: (url: string) => Promise<unknown>,
	startNew: (() => Promise<Server>) | undefined,
): Promise<Server | undefined> => {
	const given = process.env[variable];
	const isThere = answers(given ?? local).then(() => true);
	if (given || (await isThere.catch(() => false))) {
		await isThere;
		return { url: given ?? local, stop: async () => {} };
	}
	return startNew?.();
};
