import Table from "cli-table3";
import { ratio, summary } from "./statistics.js";

const OPERATIONS = { unknown: "validate unknown", revokeAll: "revoke all" };

const number = (value) =>
	value.toLocaleString("en", { maximumSignificantDigits: 3, useGrouping: "min2" });

const whole = (value) => value.toLocaleString("en");

const spread = ({ median, low, high, rounds }) =>
	rounds === 1 ? "once" : `±${Math.round(((high - low) / 2 / median) * 100)} %`;

const tableOf = (head, rows, leftColumns = 1) => {
	const table = new Table({
		head,
		colAligns: head.map((_, i) => (i < leftColumns ? "left" : "right")),
		style: { head: [], border: [], compact: true },
	});
	table.push(...rows);
	return table.toString();
};

// A row for each operation, network and number of calls under way, and a column for each list of
// contenders, whose rounds are measured against one another.
const cellsOf = (title, cells, columns, measure) =>
	tableOf(
		[title, "network", "under way", ...columns.map((names) => names.join(" : "))],
		Object.keys(cells[0].rates.driver).flatMap((operation) =>
			cells.map(({ network, underWay, tokens, rates }) => [
				`${OPERATIONS[operation] ?? operation}${tokens ? ` ${whole(tokens)}` : ""}`,
				network,
				underWay,
				...columns.map((names) => {
					const seen = measure(...names.map((name) => rates[name][operation]));
					return `${number(seen.median)} ${spread(seen)}`;
				}),
			]),
		),
		2,
	);

const isOurs = (name) => /^(native|default)/.test(name);

const ratesAndRatiosOf = (cells) => {
	const names = Object.keys(cells[0].rates);
	const others = names.filter((name) => !isOurs(name));
	return [
		cellsOf(
			"per second, quartiles",
			cells,
			names.map((name) => [name]),
			summary,
		),
		...names.filter(isOurs).map((ours) =>
			cellsOf(
				"times as fast, 95 % interval",
				cells,
				others.map((other) => [ours, other]),
				ratio,
			),
		),
	];
};

const statementsOf = (statements) => {
	const operations = Object.keys(statements.driver);
	return tableOf(
		["statements / round trips", ...operations],
		Object.entries(statements).map(([name, counts]) => [
			name,
			...operations.map((operation) => counts[operation].map(number).join(" / ")),
		]),
	);
};

const partOf = ({ part, version, settings, connections, milliseconds, statements, cells }) => [
	"",
	[
		`${version}: ${part}`,
		`connections ${connections}`,
		...Object.entries(settings).map((pair) => pair.join(" ")),
	].join(", "),
	...(milliseconds
		? [
				`A round trip takes ${milliseconds.direct.toFixed(2)} ms, and through the proxy ${milliseconds.added.toFixed(2)} ms more.`,
			]
		: []),
	statementsOf(statements),
	...ratesAndRatiosOf(cells),
];

const sizesOf = ({ sizes }) =>
	tableOf(
		["size in bytes", "minified", "gzip", "brotli"],
		sizes.map(({ name, minified, gzip, brotli }) => [name, ...[minified, gzip, brotli].map(whole)]),
	);

const importsOf = ({ imports }) =>
	tableOf(
		["import", "ms", "spread", "heap in KiB", "spread"],
		imports.map(({ name, milliseconds, bytes }) => [
			name,
			number(milliseconds.median),
			spread(milliseconds),
			number(bytes.median / 1024),
			spread(bytes),
		]),
	);

const generatorsOf = ({ generators }) =>
	tableOf(
		["generator", "of", "ns", "spread", "chi-square", "degrees", "p"],
		generators.map(({ name, kind, nanoseconds, chiSquare, degrees, p }) => [
			name,
			kind,
			number(nanoseconds.median),
			spread(nanoseconds),
			number(chiSquare),
			degrees,
			p.toPrecision(2),
		]),
		2,
	);

const goalOf = ({ goal, cases }) => {
	const missed = cases.filter(({ met }) => !met);
	const values = cases.map(({ value }) => value);
	const seen = `${number(Math.min(...values))} to ${number(Math.max(...values))}`;
	return [
		`${missed.length === 0 ? "met   " : "missed"}  ${goal}: in ${cases.length - missed.length} of ${cases.length}, ${seen}`,
		...missed.map(
			({ where, value, low, high, driver }) =>
				`          ${where}: ${number(value)}${low ? ` (${number(low)} to ${number(high)})` : ""}${driver && driver !== 1 ? `, and the driver alone ${number(driver)}` : ""}`,
		),
	];
};

const TABLES = { sizes: sizesOf, imports: importsOf, generator: generatorsOf };

/** All that was seen, as tables for the terminal. */
export const report = ({ machine, entries, notRun, goals }) =>
	[
		Object.values(machine).join(", "),
		...entries.flatMap((entry) => (TABLES[entry.part] ?? partOf)(entry)),
		"",
		...notRun,
		"Goals",
		...goals.flatMap(goalOf),
	].join("\n");
