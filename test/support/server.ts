import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";

/** A database server for the matrix. */
export interface Server {
	readonly url: string;
	/** Stops the server if the suite started it. */
	stop(): Promise<void>;
}

/** A user of this machine to run a server as. */
export interface Identity {
	readonly uid?: number;
	readonly gid?: number;
}

/** @returns the user with this name if this process is root, which servers refuse to run as; else `{}` */
export const identity = (name: string): Identity => {
	if (userInfo().uid !== 0) return {};
	const id = (flag: string): number => Number(execFileSync("id", [flag, name]).toString());
	return { uid: id("-u"), gid: id("-g") };
};

export const freePort = async (): Promise<number> => {
	const server = createServer().listen(0, "127.0.0.1");
	await once(server, "listening");
	const { port } = server.address() as AddressInfo;
	server.close();
	await once(server, "close");
	return port;
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

/**
 * Starts a server and waits until it answers.
 *
 * @param signal the signal that makes the server exit immediately and clean up
 * @param answers resolves when the server is ready
 * @returns a function that stops the server
 */
export const start = async (
	command: string,
	args: readonly string[],
	surroundings: Surroundings,
	signal: NodeJS.Signals,
	answers: () => Promise<unknown>,
): Promise<() => Promise<void>> => {
	const child = spawn(command, args, { ...surroundings, cwd: tmpdir(), stdio: "ignore" });
	const closed = once(child, "close");
	const stop = async (): Promise<void> => {
		child.kill(signal);
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
