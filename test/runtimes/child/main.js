// Runs all cases on one database, on Node, Bun, or Deno, and writes a line of JSON for each.
import { inspect } from "node:util";
import { open } from "./databases/sqlite.js";
import { run } from "./run.js";

const { Bun, Deno } = globalThis;
const version = Bun?.version ?? Deno?.version.deno ?? process.versions.node;
console.log(JSON.stringify({ version }));

const database = await open(process.argv[2]);
for await (const result of run(database, Bun?.inspect ?? Deno?.inspect ?? inspect)) {
	console.log(JSON.stringify(result));
}
