import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { shuffle } from "simple-statistics";
import { summary } from "../statistics.js";
import { ENTRIES } from "./entries.js";

const node = promisify(execFile).bind(null, process.execPath);

// A process of its own for each import, with nothing in its cache.
const importOnce = async (imports) => {
	const code = `
		gc();
		const before = process.memoryUsage();
		const start = performance.now();
		${imports.map((specifier) => `await import(${JSON.stringify(specifier)});`).join("\n")}
		const milliseconds = performance.now() - start;
		gc();
		const after = process.memoryUsage();
		console.log(JSON.stringify({ milliseconds, bytes: after.heapUsed - before.heapUsed }));`;
	const { stdout } = await node(["--expose-gc", "--input-type=module", "--eval", code], {
		cwd: fileURLToPath(new URL("..", import.meta.url)),
	});
	return JSON.parse(stdout);
};

/** Milliseconds, and bytes on the heap, to import each entry. */
export const measureImports = async ({ rounds }) => {
	const measured = new Map(ENTRIES.map(({ name }) => [name, []]));
	for (let round = 0; round < rounds; round++) {
		for (const { name, imports } of shuffle(ENTRIES)) {
			measured.get(name).push(await importOnce(imports));
		}
	}
	return [...measured].map(([name, runs]) => ({
		name,
		milliseconds: summary(runs.map(({ milliseconds }) => milliseconds)),
		bytes: summary(runs.map(({ bytes }) => bytes)),
	}));
};
