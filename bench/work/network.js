import { performance } from "node:perf_hooks";
import { median } from "simple-statistics";

/** Milliseconds of the shortest statement, over the wire and with the proxy in between. */
export const measureNetwork = async (database) => {
	const measured = {};
	for (const network of ["direct", "delayed"]) {
		const times = [];
		for (let i = 0; i < 200; i++) {
			const start = performance.now();
			await database.ping(network);
			times.push(performance.now() - start);
		}
		measured[network] = median(times.slice(50));
	}
	return { ...measured, added: measured.delayed - measured.direct };
};
