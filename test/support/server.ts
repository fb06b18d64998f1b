import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";

/** A database server for the matrix. */
export interface Server {
	readonly url: string;
	/** Ends a server that the suite has started, and leaves any other alone. */
	stop(): Promise<void>;
}

export const isRoot = userInfo().uid === 0;

export const freePort = async (): Promise<number> => {
	const server = createServer().listen(0, "127.0.0.1");
	await once(server, "listening");
	const { port } = server.address() as AddressInfo;
	server.close();
	await once(server, "close");
	return port;
};

/** A folder for a server's data, and its removal. */
export const temporaryFolder = (name: string) => {
	const path = mkdtempSync(join(tmpdir(), `lucia-tokens-${name}-`));
	return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
};

/** Runs a program to its end. @throws Error it failed; with its output */
export const run = async (command: string, args: readonly string[]): Promise<void> => {
	const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
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
 * @param answers resolves where the server can be used
 * @returns how to end it: with SIGTERM, so that it leaves nothing behind
 */
export const start = async (
	command: string,
	args: readonly string[],
	answers: () => Promise<unknown>,
): Promise<() => Promise<void>> => {
	const child = spawn(command, args, { stdio: "ignore" });
	const closed = once(child, "close");
	const stop = async (): Promise<void> => {
		child.kill("SIGTERM");
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
