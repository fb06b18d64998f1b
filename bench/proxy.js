import { once } from "node:events";
import { Worker } from "node:worker_threads";

/**
 * Puts a network between client and server: a TCP proxy that holds back what it is sent, in either
 * direction. It runs in a thread of its own, so that nobody's work slows it down.
 *
 * @param delay in milliseconds, for each direction
 */
export const openProxy = async ({ host, port, delay }) => {
	const counts = new Int32Array(new SharedArrayBuffer(4));
	const worker = new Worker(new URL("./proxy-thread.js", import.meta.url), {
		workerData: { host, port, delay, counts },
	});
	const [ownPort] = await once(worker, "message");
	return {
		address: { host: "127.0.0.1", port: ownPort },
		/** How often a client has turned to the server so far, over all connections. */
		roundTrips: () => Atomics.load(counts, 0),
		close: () => worker.terminate(),
	};
};
