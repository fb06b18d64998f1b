/* global navigator, Response */
// Runs all cases on D1 in a worker, and responds with a line of JSON for each.
import { open } from "./databases/d1.js";
import { run } from "./run.js";

export default {
	async fetch(_request, { DB }) {
		const lines = [{ version: navigator.userAgent }];
		// There is no inspect() without nodejs_compat.
		for await (const result of run(await open(DB), JSON.stringify)) lines.push(result);
		return new Response(lines.map((line) => JSON.stringify(line)).join("\n"));
	},
};
