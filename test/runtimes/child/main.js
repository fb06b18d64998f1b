// Runs all cases on one database, on Node, Bun or Deno, and writes a line of JSON for each.
import { inspect } from "node:util";
import { run } from "./run.js";

const { Bun, Deno } = globalThis;
const version = Bun?.version ?? Deno?.version.deno ?? process.versions.node;
console.log(JSON.stringify({ version }));

const { open } = await import(`./databases/${process.argv[2]}.js`);
for await (const result of run(await open(), Bun?.inspect ?? Deno?.inspect ?? inspect)) {
	console.log(JSON.stringify(result));
}
