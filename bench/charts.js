import { writeFile } from "node:fs/promises";
import { parse, View } from "vega";
import { compile } from "vega-lite";

// Told apart by the color-blind, too.
const CONTENDERS = {
	driver: ["the driver alone", "#999999"],
	native: ["2.0, native store", "#0072b2"],
	"native, guide": ["2.0, native, as in the guide", "#0072b2"],
	default: ["2.0, default store", "#56b4e9"],
	"default, guide": ["2.0, default, as in the guide", "#56b4e9"],
	"1.0.2": ["1.0.2", "#e69f00"],
	"better-auth": ["better-auth", "#cc79a7"],
	"Auth.js": ["Auth.js", "#009e73"],
};

const TITLES = Object.values(CONTENDERS).map(([title]) => title);
const titleOf = (name) => CONTENDERS[name][0];

const color = (values) => {
	const shown = Object.values(CONTENDERS).filter(([title]) =>
		values.some(({ contender }) => contender === title),
	);
	return {
		field: "contender",
		type: "nominal",
		scale: { domain: shown.map(([title]) => title), range: shown.map(([, color]) => color) },
	};
};

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

const UNDER_WAY = 8;

// What each contender did in each cell of a part.
const valuesOf = (entries, part) =>
	entries
		.filter((entry) => entry.part === part)
		.flatMap(({ database, milliseconds, rates }) =>
			rates.flatMap(({ network, underWay, tokens, operation, ...contenders }) =>
				Object.entries(contenders).map(([name, [median, low, high]]) => ({
					// As far as it was in that run: a busy machine delays the proxy, too.
					place:
						network === "delayed"
							? `${database}, ${milliseconds.added.toFixed(0)} ms away`
							: database,
					underWay,
					tokens,
					operation,
					contender: titleOf(name),
					median,
					low,
					high,
				})),
			),
		);

/** Calls per second of each contender, at each place. */
const throughput = (part, all, operations) => {
	const values = all.filter(({ underWay }) => underWay === UNDER_WAY);
	const places = [...new Set(values.map(({ place }) => place))];
	const x = (field) => ({ field, type: "quantitative", title: null, axis: { tickCount: 4 } });
	const y = { field: "contender", type: "nominal", sort: TITLES, title: null };
	const yOf = (isFirst) => ({ ...y, axis: isFirst ? { labelLimit: 300 } : null });
	// A facet's rows can't each have contenders of their own, and Auth.js is on PostgreSQL alone.
	const chart = (place, operation, isFirst) => ({
		title: { text: isFirst ? `${place}: ${operation}` : operation, fontSize: 12, offset: 4 },
		width: 480 / operations.length,
		height: { step: 18 },
		data: {
			values: values.filter((value) => value.place === place && value.operation === operation),
		},
		layer: [
			{
				mark: "bar",
				encoding: { x: x("median"), y: yOf(isFirst), color: { ...color(values), legend: null } },
			},
			{
				mark: { type: "rule", color: "#333333" },
				encoding: { x: x("low"), x2: { field: "high" }, y: yOf(isFirst) },
			},
		],
	});
	return toSvg({
		title: {
			text: `Calls per second with ${part}`,
			subtitle: `${UNDER_WAY} in flight; longer is better; the line is from the lower to the upper quartile`,
		},
		vconcat: places.map((place) => ({
			hconcat: operations.map((operation, i) => chart(place, operation, i === 0)),
		})),
	});
};

/** Milliseconds for a call, one after the other, by how many tokens the user has. */
const costOfTokens = (all) => {
	const values = all
		.filter(({ underWay }) => underWay === 1)
		.map(({ operation, median, ...value }) => ({
			...value,
			operation: operation === "revokeAll" ? "revoke all" : operation,
			milliseconds: 1000 / median,
		}));
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
				color: { ...color(values), legend: { title: null, orient: "bottom" } },
			},
		},
	});
};

const CHARTS = {
	links: ["throughput.svg", (values) => throughput("links", values, ["issue", "validate"])],
	codes: ["codes.svg", (values) => throughput("codes", values, ["issue", "wrong", "right"])],
	lists: ["tokens.svg", costOfTokens],
};

/** Draws what there is of the charts that the READMEs show. */
export const writeCharts = async ({ entries }, folder) => {
	for (const [part, [name, draw]] of Object.entries(CHARTS)) {
		const values = valuesOf(entries, part);
		if (values.length > 0) await writeFile(new URL(name, folder), await draw(values));
	}
};
