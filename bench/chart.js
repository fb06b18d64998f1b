import { parse, View } from "vega";
import { compile } from "vega-lite";

// Read on a phone: the text is as large as it says at a width of 390 pixels.
const PANEL = { width: 140, height: 100 };
const FONT_SIZE = 11;

// Told apart by the color-blind, on white and on black.
const CONTENDERS = { native: "#2b83c6", default: "#009e73", "1.0.2": "#d55e00" };

// An image knows the reader's color scheme, but not the page's.
const STYLE = `<style>
	svg > rect { fill: #fff }
	text { fill: #1f2328 }
	@media (prefers-color-scheme: dark) {
		svg > rect { fill: #0d1117 }
		text { fill: #e6edf3 }
	}
</style>`;

const text = { labelFontSize: FONT_SIZE, titleFontSize: FONT_SIZE, titleFontWeight: "normal" };
const axis = {
	grid: true,
	gridColor: "#888",
	gridOpacity: 0.3,
	tickColor: "#888",
	domainColor: "#888",
};

/** Draws what a call costs by how many tokens its user has, on the database of an entry. */
export const drawGrowth = async ({ version, rows }) => {
	const values = rows.flatMap(({ operation, tokens, ...times }) =>
		Object.keys(CONTENDERS).flatMap((store) =>
			tokens.map((count, i) => ({ operation, store, count, milliseconds: times[store][i] })),
		),
	);
	const scale = { type: "log" };
	// A line for each power of ten, since Vega would draw those between, too.
	const exponents = values.map(({ milliseconds }) => Math.log10(milliseconds));
	const least = Math.floor(Math.min(...exponents));
	const powers = Array.from(
		{ length: Math.ceil(Math.max(...exponents)) - least + 1 },
		(_, i) => 10 ** (least + i),
	);
	const domain = Object.keys(CONTENDERS);
	const byStore = { field: "store", type: "nominal", legend: { title: null, orient: "bottom" } };
	const spec = {
		title: { text: "Milliseconds for a call", subtitle: `by the user's tokens, on ${version}` },
		data: { values },
		facet: {
			field: "operation",
			title: null,
			sort: rows.map(({ operation }) => operation),
			header: { labelFontSize: FONT_SIZE + 1, labelFontWeight: "bold" },
		},
		columns: 2,
		spacing: 16,
		spec: {
			...PANEL,
			mark: { type: "line", point: { size: 40 } },
			encoding: {
				x: {
					field: "count",
					type: "quantitative",
					title: null,
					scale,
					axis: { values: rows[0].tokens, format: "~s", labelOverlap: false },
				},
				y: {
					field: "milliseconds",
					type: "quantitative",
					title: null,
					scale,
					axis: { values: powers, format: "~g" },
				},
				color: { ...byStore, scale: { domain, range: Object.values(CONTENDERS) } },
				shape: { ...byStore, scale: { domain } },
			},
		},
	};
	const config = {
		background: "white",
		aria: false,
		padding: 8,
		font: "system-ui, sans-serif",
		axis: { ...text, ...axis },
		legend: text,
		view: { stroke: "#888", strokeOpacity: 0.3 },
		title: { fontSize: 13, subtitleFontSize: FONT_SIZE, anchor: "start", offset: 8 },
	};
	const svg = await new View(parse(compile(spec, { config }).spec)).toSVG();
	return svg.replace(/(<svg[^>]*>)/, `$1${STYLE}`);
};
