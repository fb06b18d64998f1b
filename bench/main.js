import { execFileSync } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { WrongAnswer } from "./answers.js";
import { writeCharts } from "./charts.js";
import { mariadb } from "./databases/mariadb.js";
import { postgresql } from "./databases/postgresql.js";
import { betterSqlite3, libsql } from "./databases/sqlite.js";
import { judge } from "./goals.js";
import { measureSweep } from "./growth-sweep.js";
import { measureGrowth } from "./growth.js";
import { machine, versions } from "./machine.js";
import { measureDatabase, withDatabase } from "./measure-database.js";
import { PLANS } from "./plan.js";
import { print } from "./report.js";
import { merge, readResults, writeResults } from "./store.js";
import { measureGenerators } from "./work/generator.js";
import { measureImports } from "./work/imports.js";
import { measureSizes } from "./work/sizes.js";

const DATABASES = [postgresql, mariadb, libsql, betterSqlite3];
const ON_DATABASES = ["links", "codes", "lists"];
// Each has a large database of its own.
const LARGE = { growth: measureGrowth, sweep: measureSweep };
const PARTS = ["sizes", "imports", "generator", ...ON_DATABASES, ...Object.keys(LARGE)];
const DATABASE_NAMES = DATABASES.map(({ name }) => name);

const HELP = `npm run bench -- [--quick] [--only <part>]… [--on <database>]… [--rounds <number>] [--keep]

--quick  takes a minute or two; checks that everything runs and answers correctly, not how fast
--only   ${PARTS.join(", ")}
--on     ${DATABASE_NAMES.join(", ")}
--rounds how many turns each has with links and codes, 50 if it is not quick
--keep   replaces the same parts of results/ with what it measures, and redraws the charts
`;

const { values } = parseArgs({
	options: {
		quick: { type: "boolean", default: false },
		only: { type: "string", multiple: true },
		on: { type: "string", multiple: true },
		rounds: { type: "string" },
		keep: { type: "boolean", default: false },
		help: { type: "boolean" },
	},
});

const fail = (message) => {
	console.error(`${message}\n\n${HELP}`);
	process.exit(2);
};

const chosen = (names, wanted = names) => {
	const find = (name) => names.find((known) => known.toLowerCase() === name.toLowerCase());
	const unknown = wanted.filter((name) => !find(name));
	if (unknown.length > 0) fail(`There is no ${unknown.join(", ")}.`);
	return names.filter((name) => wanted.map(find).includes(name));
};

if (values.help) {
	console.log(HELP);
	process.exit();
}
if (values.quick && values.keep) fail("The figures of a quick run are not worth keeping.");

const parts = chosen(PARTS, values.only);
const databaseNames = chosen(DATABASE_NAMES, values.on);
const plan = PLANS[values.quick ? "quick" : "full"];
if (values.rounds) {
	if (!/^[1-9]\d*$/.test(values.rounds)) fail("--rounds is a whole number.");
	plan.turns.rounds = Number(values.rounds);
}
// What is measured is src/, so that is what the commit is of.
const lastChange = ["log", "-1", "--format=%h", "--", "../src"];
const commit = execFileSync("git", lastChange, { cwd: import.meta.dirname, encoding: "utf8" });
const run = `${new Date().toISOString().slice(0, 10)}, src/ of ${commit.trim()}`;
const entries = [];
const notRun = [];

const work = {
	sizes: async () => ({ sizes: await measureSizes() }),
	imports: async () => ({ imports: await measureImports(plan.imports) }),
	generator: async () => ({ generators: await measureGenerators(plan.generator) }),
};

try {
	for (const part of parts.filter((name) => work[name])) {
		console.error(part);
		entries.push({ part, ...(await work[part]()) });
	}
	const onDatabases = parts.filter((part) => ON_DATABASES.includes(part));
	const note = (measured) => {
		if (measured.notRun) notRun.push(measured.notRun);
		else entries.push(...measured.entries);
	};
	for (const database of DATABASES.filter(({ name }) => databaseNames.includes(name))) {
		if (onDatabases.length > 0) note(await measureDatabase(database, onDatabases, plan));
		for (const part of parts.filter((name) => LARGE[name])) {
			console.error(`${database.name}, ${part}`);
			const measure = (url, later) => LARGE[part](database.name, url, later, plan[part]);
			note(await withDatabase(database, measure));
		}
	}
} catch (error) {
	process.exitCode = 1;
	console.error(error instanceof WrongAnswer ? `\nWrong answer: ${error.message}` : error);
}

const goals = judge(entries);
print({ machine: machine(), entries, notRun, goals });

// A run that a wrong answer cut short is not kept.
const folder = new URL(
	values.keep && !process.exitCode ? "results/" : "results/trial/",
	import.meta.url,
);
await mkdir(folder, { recursive: true });
const file = new URL(values.quick ? "quick.json" : "full.json", folder);
const results = merge(await readResults(file), {
	run,
	machine: machine(),
	versions,
	entries,
	goals,
});
await writeResults(file, results);
await writeCharts(results, folder);
console.log(`Written to ${fileURLToPath(folder)}`);
