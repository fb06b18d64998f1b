import { mkdir, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { WrongAnswer } from "./answers.js";
import { writeCharts } from "./charts.js";
import { mariadb } from "./databases/mariadb.js";
import { postgresql } from "./databases/postgresql.js";
import { betterSqlite3, libsql } from "./databases/sqlite.js";
import { judge } from "./goals.js";
import { machine, versions } from "./machine.js";
import { measureDatabase } from "./measure-database.js";
import { PLANS } from "./plan.js";
import { createProgress } from "./progress.js";
import { report } from "./report.js";
import { measureGenerators } from "./work/generator.js";
import { measureImports } from "./work/imports.js";
import { measureSizes } from "./work/sizes.js";

const DATABASES = [postgresql, mariadb, libsql, betterSqlite3];

const PARTS = ["sizes", "imports", "generator", ...DATABASES.map(({ name }) => name)];

const HELP = `npm run bench -- [--quick] [--only <part>]…

--quick  a minute at most: whether everything runs and answers right; its figures say little
--only   ${PARTS.join(", ")}
`;

const { values } = parseArgs({
	options: {
		quick: { type: "boolean" },
		only: { type: "string", multiple: true },
		help: { type: "boolean" },
	},
});

if (values.help) {
	console.log(HELP);
	process.exit();
}

const same = (a) => (b) => a.toLowerCase() === b.toLowerCase();
const unknown = values.only?.filter((name) => !PARTS.some(same(name))) ?? [];
if (unknown.length > 0) {
	console.error(`There is no part ${unknown.join(", ")}.\n\n${HELP}`);
	process.exit(2);
}
const parts = PARTS.filter((part) => values.only?.some(same(part)) ?? true);

const mode = values.quick ? "quick" : "full";
const plan = PLANS[mode];
const results = {
	date: new Date().toISOString().slice(0, 10),
	mode,
	complete: false,
	machine: machine(),
	versions,
	databases: [],
	notRun: [],
};
const progress = createProgress();

const work = {
	sizes: async () => {
		results.sizes = await measureSizes();
	},
	imports: async () => {
		results.imports = await measureImports(plan.imports);
	},
	generator: async () => {
		results.generators = await measureGenerators(plan.generator);
	},
};
for (const database of DATABASES) {
	work[database.name] = async () => {
		const measured = await measureDatabase(database, plan, progress);
		if (measured.notRun) results.notRun.push(measured.notRun);
		else results.databases.push(measured);
	};
}

try {
	const bar = progress.start("all", parts.length);
	for (const part of parts) {
		await work[part]();
		bar.step(part);
	}
	results.complete = parts.length === PARTS.length && results.notRun.length === 0;
} catch (error) {
	process.exitCode = 1;
	console.error(error instanceof WrongAnswer ? `\nWrong answer: ${error.message}` : error);
} finally {
	progress.stop();
}

results.goals = judge(results);
console.log(report(results));

// Only a whole run in earnest replaces the figures that the README shows.
const folder = new URL(
	results.complete && mode === "full" ? "results/" : "results/trial/",
	import.meta.url,
);
await mkdir(folder, { recursive: true });
await writeFile(new URL(`${mode}.json`, folder), `${JSON.stringify(results, null, "\t")}\n`);
await writeCharts(results, folder);
console.log(`Written to ${fileURLToPath(folder)}`);
