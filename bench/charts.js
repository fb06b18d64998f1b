import { writeFile } from "node:fs/promises";
import { parse, View } from "vega";
import { compile } from "vega-lite";
import { summary } from "./statistics.js";

const NAMES = {
	driver: "the driver alone",
	native: "2.0, native store",
	default: "2.0, default store",
	"1.0.2": "1.0.2",
	"better-auth": "better-auth",
	"Auth.js": "Auth.js",
};

// Told apart by the colour-blind, too.
const COLOURS = ["#999999", "#0072b2", "#56b4e9", "#e69f00", "#cc79a7", "#009e73"];

const colour = (names) => ({
	field: "contender",
	type: "nominal",
	scale: { domain: Object.values(NAMES).slice(0, names), range: COLOURS.slice(0, names) },
});

const CONFIG = {
	// A README is read on a dark page as often as on a light one.
	background: "white",
	padding: 16,
	font: "system-ui, sans-serif",
	axis: { labelFontSize: 11, titleFontSize: 11, titleFontWeight: "normal", grid: true },
	header: { labelFontSize: 12, labelFontWeight: "bold" },
	title: { fontSize: 14, anchor: "start", offset: 12, subtitleFontSize: 11 },
};

const toSvg = (spec) => new View(parse(compile(spec, { config: CONFIG }).spec)).toSVG();

const placeOf = (database, network) =>
	network === "delayed" ? `${database.name}, 2 ms away` : database.name;

/** Calls per second of each contender, at each place, with so many calls under way. */
const throughput = (databases, underWay) => {
	const values = databases.flatMap((database) =>
		database.tokens
			.filter((cell) => cell.underWay === underWay)
			.flatMap(({ network, rates }) =>
				Object.entries(rates).flatMap(([name, rounds]) =>
					["issue", "validate"].map((operation) => ({
						place: placeOf(database, network),
						operation,
						contender: NAMES[name],
						...summary(rounds[operation]),
					})),
				),
			),
	);
	const places = [...new Set(values.map(({ place }) => place))];
	const x = (field) => ({ field, type: "quantitative", title: null, axis: { tickCount: 4 } });
	const y = { field: "contender", type: "nominal", sort: Object.values(NAMES), title: null };
	// A facet's rows can't each have contenders of their own, and Auth.js is on PostgreSQL alone.
	const chart = (place, operation) => ({
		title: { text: `${place}: ${operation}`, fontSize: 12, offset: 4 },
		width: 240,
		height: { step: 18 },
		data: {
			values: values.filter((value) => value.place === place && value.operation === operation),
		},
		layer: [
			{
				mark: "bar",
				encoding: { x: x("median"), y, color: { ...colour(), legend: null } },
			},
			{
				mark: { type: "rule", color: "#333333" },
				encoding: { x: x("low"), x2: { field: "high" }, y },
			},
		],
	});
	return toSvg({
		title: {
			text: "Calls per second",
			subtitle: `${underWay} under way; longer is better; the line is from the lower to the upper quartile`,
		},
		vconcat: places.map((place) => ({
			hconcat: ["issue", "validate"].map((operation) => chart(place, operation)),
		})),
	});
};

/** Milliseconds for a call, one after the other, by how many tokens the user has. */
const costOfTokens = (databases) => {
	const values = databases.flatMap((database) =>
		database.lists
			.filter(({ underWay }) => underWay === 1)
			.flatMap(({ network, tokens, rates }) =>
				Object.entries(rates).flatMap(([name, rounds]) =>
					Object.entries({ list: "list", revokeAll: "revoke all" }).map(([operation, title]) => ({
						place: placeOf(database, network),
						operation: title,
						contender: NAMES[name],
						tokens,
						milliseconds: 1000 / summary(rounds[operation]).median,
					})),
				),
			),
	);
	return toSvg({
		title: {
			text: "Milliseconds for a call, by number of tokens of the user",
			subtitle: "one call after the other; lower is better; both scales are logarithmic",
		},
		data: { values },
		resolve: { scale: { y: "independent" } },
		facet: {
			row: {
				field: "place",
				sort: [...new Set(values.map(({ place }) => place))],
				title: null,
				header: { labelAngle: 0, labelAlign: "left" },
			},
			column: { field: "operation", title: null },
		},
		spec: {
			width: 240,
			height: 120,
			mark: { type: "line", point: true },
			encoding: {
				x: {
					field: "tokens",
					type: "quantitative",
					scale: { type: "log" },
					title: "tokens",
					axis: { values: [1, 10, 100, 1_000, 10_000], format: "," },
				},
				y: {
					field: "milliseconds",
					type: "quantitative",
					scale: { type: "log" },
					title: "ms",
					axis: { tickCount: 4, format: "~g" },
				},
				color: { ...colour(4), legend: { title: null, orient: "bottom" } },
			},
		},
	});
};

/** Writes the charts that the README shows. */
export const writeCharts = async ({ databases }, folder) => {
	if (databases.length === 0) return;
	const underWay = databases[0].tokens.map((cell) => cell.underWay).find((count) => count > 1);
	const charts = {
		"throughput.svg": await throughput(databases, underWay ?? 1),
		"tokens.svg": await costOfTokens(databases),
	};
	for (const [name, svg] of Object.entries(charts)) await writeFile(new URL(name, folder), svg);
};
