import Table from "cli-table3";
import { ratio, summary } from "./statistics.js";

const OPERATIONS = {
	issue: "issue",
	validate: "validate",
	unknown: "validate unknown",
	list: "list",
	revokeAll: "revoke all",
};

const number = (value) =>
	value.toLocaleString("en", { maximumSignificantDigits: 3, useGrouping: "min2" });

const whole = (value) => value.toLocaleString("en");

const spread = ({ median, low, high }) =>
	low === high ? "once" : `±${Math.round(((high - low) / 2 / median) * 100)} %`;

const tableOf = (head, rows, leftColumns = 1) => {
	const table = new Table({
		head,
		colAligns: head.map((_, i) => (i < leftColumns ? "left" : "right")),
		style: { head: [], border: [], compact: true },
	});
	table.push(...rows);
	return table.toString();
};

const ratesOf = (cells) => {
	const names = Object.keys(cells[0].rates);
	const operations = Object.keys(cells[0].rates.driver);
	const row = (operation, { network, underWay, tokens, rates }) => [
		`${OPERATIONS[operation]}${tokens ? ` ${whole(tokens)}` : ""}`,
		network,
		underWay,
		...names.map((name) => {
			const rounds = rates[name][operation];
			const seen = summary(rounds);
			const times = ratio(rounds, rates.driver[operation]).median;
			return `${number(seen.median)} ${spread(seen)}  ${times.toFixed(2)}×`;
		}),
	];
	return tableOf(
		["per second, spread, × driver", "network", "under way", ...names],
		operations.flatMap((operation) => cells.map((cell) => row(operation, cell))),
		2,
	);
};

const statementsOf = (statements) => {
	const operations = Object.keys(statements.driver);
	return tableOf(
		["statements / round trips", ...operations],
		Object.entries(statements).map(([name, counts]) => [
			name,
			...operations.map((operation) => {
				const count = counts[operation];
				if (!count) return "–";
				return count.roundTrips === null
					? number(count.statements)
					: `${number(count.statements)} / ${number(count.roundTrips)}`;
			}),
		]),
	);
};

const databaseOf = ({
	version,
	settings,
	connections,
	milliseconds,
	statements,
	tokens,
	lists,
}) => [
	"",
	[
		version,
		`connections ${connections}`,
		...Object.entries(settings).map((pair) => pair.join(" ")),
	].join(", "),
	...(milliseconds
		? [
				`A round trip takes ${milliseconds.direct.toFixed(2)} ms, and through the proxy ${milliseconds.added.toFixed(2)} ms more.`,
			]
		: []),
	statementsOf(statements),
	ratesOf(tokens),
	ratesOf(lists),
];

const sizesOf = (sizes) =>
	tableOf(
		["size in bytes", "minified", "gzip", "brotli"],
		sizes.map(({ name, minified, gzip, brotli }) => [name, ...[minified, gzip, brotli].map(whole)]),
	);

const importsOf = (imports) =>
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

const generatorsOf = (generators) =>
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

/** All that was seen, as tables for the terminal. */
export const report = ({ machine, generators, sizes, imports, databases, notRun, goals }) =>
	[
		Object.values(machine).join(", "),
		...(sizes ? [sizesOf(sizes)] : []),
		...(imports ? [importsOf(imports)] : []),
		...(generators ? [generatorsOf(generators)] : []),
		...databases.flatMap(databaseOf),
		"",
		...notRun,
		"Goals",
		...goals.flatMap(goalOf),
	].join("\n");
