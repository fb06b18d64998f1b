import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";

interface Surroundings {
	readonly cwd: string;
	readonly env: NodeJS.ProcessEnv;
}

/** Starts a program, and keeps what it prints. */
export const startProgram = (command: string, args: readonly string[], around: Surroundings) => {
	const child = spawn(command, args, { ...around, stdio: ["ignore", "pipe", "pipe"] });
	const closed = once(child, "close") as Promise<[code: number | null]>;
	let output = "";
	for (const stream of [child.stdout, child.stderr]) {
		stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
	}
	return {
		/** What it has printed. */
		logged: () => output,
		/** Waits until it ends by itself. */
		ended: () => closed.then(([code]) => ({ code, output })),
		/** Waits until it serves. @throws Error it ended, or does not serve within a minute */
		serves: async (address: string): Promise<void> => {
			const isUp = () =>
				fetch(address).then(
					() => true,
					() => false,
				);
			for (let tries = 0; !(await isUp()); tries++) {
				if (tries === 2400 || child.exitCode !== null) {
					child.kill();
					throw new Error(`The app does not start: ${output}`);
				}
				await sleep(25);
			}
		},
		stop: async (): Promise<void> => {
			child.kill();
			await closed;
		},
	};
};
