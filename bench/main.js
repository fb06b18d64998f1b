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

const HELP = `npm run bench -- [--quick] [--only <part>]…

--quick  a minute at most: whether everything runs and answers right; its figures say little
--only   ${[...DATABASES.map(({ name }) => name), "generator", "sizes", "imports"].join(", ")}
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

const mode = values.quick ? "quick" : "full";
const plan = PLANS[mode];
const wanted = (part) =>
	!values.only || values.only.some((name) => name.toLowerCase() === part.toLowerCase());

const results = {
	date: new Date().toISOString().slice(0, 10),
	mode,
	complete: !values.only,
	machine: machine(),
	versions,
	databases: [],
	notRun: [],
};
const progress = createProgress();

try {
	if (wanted("sizes")) results.sizes = await measureSizes();
	if (wanted("imports")) results.imports = await measureImports(plan.imports);
	if (wanted("generator")) results.generators = await measureGenerators(plan.generator);
	for (const database of DATABASES.filter(({ name }) => wanted(name))) {
		const measured = await measureDatabase(database, plan, progress);
		if (measured.notRun) results.notRun.push(measured.notRun);
		else results.databases.push(measured);
	}
} catch (error) {
	if (!(error instanceof WrongAnswer)) throw error;
	console.error(`\nWrong answer: ${error.message}`);
	process.exitCode = 1;
} finally {
	progress.stop();
}

if (!process.exitCode) {
	results.goals = judge(results);
	console.log(report(results));

	// Only a whole run in earnest replaces the figures that the README shows.
	const folder = new URL(
		mode === "quick" || values.only ? "results/trial/" : "results/",
		import.meta.url,
	);
	await mkdir(folder, { recursive: true });
	await writeFile(new URL(`${mode}.json`, folder), `${JSON.stringify(results, null, "\t")}\n`);
	await writeCharts(results, folder);
	console.log(`Written to ${fileURLToPath(folder)}`);
}
