import { Command, InvalidArgumentError, Option } from "commander";
import { allContenders } from "./contenders.js";
import { DATABASE_NAMES, NoServer, open } from "./databases.js";
import { measureGrowth } from "./growth.js";
import { keepResults, print } from "./results.js";
import { measureSpeed } from "./speed.js";
import { measureSweep } from "./sweep.js";

const PARTS = {
	links: measureSpeed("links"),
	codes: measureSpeed("codes"),
	growth: measureGrowth,
	sweep: measureSweep,
};

const wholeNumber = (text) => {
	if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError("It is a whole number.");
	return Number(text);
};
const several = (flags, names) => new Option(flags).choices(names).default(names, "all of them");
const databaseOf = Object.fromEntries(DATABASE_NAMES.map((name) => [name.toLowerCase(), name]));

const { quick, only, on, rounds, rows, keep } = new Command("npm run bench --")
	.addOption(new Option("--quick", "check only that each result is right").conflicts("keep"))
	.addOption(several("--only <parts...>", Object.keys(PARTS)))
	.addOption(several("--on <databases...>", Object.keys(databaseOf)))
	.option("--rounds <number>", "how many turns, and not as many as there is time for", wholeNumber)
	.option("--rows <number>", "how many tokens other users have, and a sweep deletes", wholeNumber)
	.option("--keep", "write the results to README.md and results/")
	.parse()
	.opts();

const turns = {
	warmUp: quick ? 0 : 2,
	rounds: rounds ?? (quick ? 1 : 5),
	seconds: rounds || quick ? 0 : 40,
};
const plans = {
	links: turns,
	codes: turns,
	growth: {
		...turns,
		tokens: quick ? [1, 20] : [1, 10, 100, 1000],
		seconds: turns.seconds / 4,
	},
	sweep: {
		expired: rows ?? (quick ? 2_000 : 200_000),
		alone: quick ? 200 : 8_000,
	},
};
const others = rows ?? (quick ? 1_000 : 10_000);

const toDo = [];
const later = (task) => toDo.push(task);
const tidyUp = async () => {
	while (toDo.length > 0) {
		// A failure must not stop the other tasks, or hide the run's own error.
		await toDo
			.pop()()
			.catch((error) => console.error(error));
	}
};
let interrupted = false;
for (const signal of ["SIGINT", "SIGTERM"]) {
	process.once(signal, async () => {
		interrupted = true;
		await tidyUp();
		process.exit(130);
	});
}

const entries = [];
const measure = async (name) => {
	const database = await open(name, others, later);
	const contenders = await allContenders(database, others);
	for (const part of only) {
		console.error(`${name}, ${part}`);
		const measured = await PARTS[part](database, contenders, plans[part], later);
		entries.push({ part, database: name, version: database.version, rows: measured });
	}
};

for (const name of on.map((chosen) => databaseOf[chosen])) {
	try {
		await measure(name);
	} catch (error) {
		// Its connections were closed, and the process is about to end.
		if (interrupted) await new Promise(() => {});
		if (error instanceof NoServer) console.error(`${name} was not run: ${error.message}.`);
		else {
			process.exitCode = 1;
			console.error(error);
		}
	} finally {
		await tidyUp();
	}
}

print(entries);
// A run that failed is not kept.
if (keep && !process.exitCode) await keepResults(entries);
