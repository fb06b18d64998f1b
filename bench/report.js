import { ratio, summary } from "./statistics.js";

const number = (value) =>
	value.toLocaleString("en", { maximumSignificantDigits: 3, useGrouping: "min2" });

const spread = ({ median, low, high, rounds }) =>
	rounds === 1 ? "once" : `±${Math.round(((high - low) / 2 / median) * 100)} %`;

const shown = (seen) => `${number(seen.median)} ${spread(seen)}`;

const isOurs = (name) => /^(native|default)/.test(name);

// A row for each operation in each cell, and a column for each list of contenders, whose rounds are
// measured against one another.
const printCells = (title, cells, columns, measure) => {
	console.log(title);
	console.table(
		Object.keys(cells[0].rates.driver).flatMap((operation) =>
			cells.map(({ rates, ...cell }) => ({
				operation,
				...cell,
				...Object.fromEntries(
					columns.map((names) => [
						names.join(" : "),
						shown(measure(...names.map((name) => rates[name][operation]))),
					]),
				),
			})),
		),
	);
};

const printStatements = (statements) => {
	console.log("Statements / round trips");
	const rows = Object.entries(statements).map(([contender, counts]) => ({
		contender,
		...Object.fromEntries(
			Object.entries(counts).map(([operation, count]) => [
				operation,
				count.map(number).join(" / "),
			]),
		),
	}));
	console.table(rows);
};

const printPart = ({ part, version, settings, connections, milliseconds, statements, cells }) => {
	const setting = Object.entries(settings).map((pair) => pair.join(" "));
	console.log(`\n${[`${version}: ${part}`, `connections ${connections}`, ...setting].join(", ")}`);
	if (milliseconds) {
		const [direct, added] = [milliseconds.direct, milliseconds.added].map((ms) => ms.toFixed(2));
		console.log(`A round trip takes ${direct} ms, and through the proxy ${added} ms more.`);
	}
	printStatements(statements);
	const names = Object.keys(cells[0].rates);
	const others = names.filter((name) => !isOurs(name));
	printCells(
		"Calls per second, with their quartiles",
		cells,
		names.map((name) => [name]),
		summary,
	);
	for (const ours of names.filter(isOurs)) {
		const pairs = others.map((other) => [ours, other]);
		printCells("Times as fast, with the 95% interval", cells, pairs, ratio);
	}
};

const readable = (row) =>
	Object.fromEntries(
		Object.entries(row).map(([name, value]) => [
			name,
			typeof value === "number" ? number(value) : value,
		]),
	);

const TABLES = {
	sizes: ({ sizes }) => sizes,
	imports: ({ imports }) =>
		imports.map(({ name, milliseconds, bytes }) => ({
			name,
			milliseconds: shown(milliseconds),
			"bytes on the heap": shown(bytes),
		})),
	growth: ({ rows }) => rows.map(readable),
	sweep: ({ rows }) => rows.map(readable),
	generator: ({ generators }) =>
		generators.map(({ name, kind, nanoseconds, chiSquare, degrees, p }) => ({
			name,
			kind,
			nanoseconds: shown(nanoseconds),
			"chi-square": number(chiSquare),
			degrees,
			p: p.toPrecision(2),
		})),
};

const printGoal = ({ goal, cases }) => {
	const missed = cases.filter(({ met }) => !met);
	const values = cases.map(({ value }) => value);
	const seen = `${number(Math.min(...values))} to ${number(Math.max(...values))}`;
	console.log(
		`${missed.length === 0 ? "met   " : "missed"}  ${goal}: in ${cases.length - missed.length} of ${cases.length}, ${seen}`,
	);
	for (const { where, value, low, high, driver } of missed) {
		const interval = low ? ` (${number(low)} to ${number(high)})` : "";
		const limit = driver && driver !== 1 ? `, and the driver alone ${number(driver)}` : "";
		console.log(`          ${where}: ${number(value)}${interval}${limit}`);
	}
};

/** Prints all that was seen. */
export const print = ({ machine, entries, notRun, goals }) => {
	console.log(Object.values(machine).join(", "));
	for (const entry of entries) {
		if (entry.rows) console.log(`\n${entry.database}: ${entry.part}`);
		if (TABLES[entry.part]) console.table(TABLES[entry.part](entry));
		else printPart(entry);
	}
	console.log("");
	for (const reason of notRun) console.log(reason);
	console.log("Goals");
	goals.forEach(printGoal);
};
