import { readFile, writeFile } from "node:fs/promises";
import stringify from "json-stringify-pretty-compact";
import { summary } from "./statistics.js";

const mapValues = (object, map) =>
	Object.fromEntries(Object.entries(object).map(([key, value]) => [key, map(value)]));

// Median and quartiles, or what was seen once.
const kept = (rounds) => {
	const { median, low, high } = summary(rounds);
	return rounds.length === 1 ? [median] : [median, low, high];
};

const withoutRounds = ({ rounds, ...rest }) => ({ ...rest, rounds: rounds.length });

// With the number of rounds for the rounds, and a line for each operation in each cell.
const summarize = ({ cells, generators, ...entry }) => ({
	...entry,
	...(generators && { generators: generators.map(withoutRounds) }),
	...(cells && {
		rounds: Math.max(...Object.values(cells[0].rates.driver).map(({ length }) => length)),
		rates: cells.flatMap(({ rates, ...cell }) =>
			Object.keys(rates.driver).map((operation) => ({
				...cell,
				operation,
				...mapValues(rates, (contender) => kept(contender[operation])),
			})),
		),
	}),
});

const EMPTY = { runs: {}, entries: [], goals: [] };

const isSame = (a) => (b) => a.part === b.part && a.database === b.database;

const replace = (old, replacements, same) => [
	...old.map((item) => replacements.find(same(item)) ?? item),
	...replacements.filter((item) => !old.some(same(item))),
];

/** Puts what a run measured in the place of what there was of the same parts. */
export const merge = (stored, { run, machine, versions, entries, goals }) => {
	const measured = entries.map((entry) => ({ ...summarize(entry), run }));
	const judged = goals.map(({ goal, cases }) => ({
		goal,
		cases: cases.map((seen) => ({ ...seen, run })),
	}));
	const merged = {
		entries: replace(stored.entries, measured, isSame),
		goals: replace(
			stored.goals,
			judged.map(({ goal, cases }) => {
				const old = stored.goals.find((other) => other.goal === goal)?.cases ?? [];
				return { goal, cases: replace(old, cases, (a) => (b) => a.where === b.where) };
			}),
			(a) => (b) => a.goal === b.goal,
		),
	};
	const inUse = new Set(merged.entries.map((entry) => entry.run));
	const runs = { ...stored.runs, [run]: { machine, versions } };
	return {
		runs: Object.fromEntries(Object.entries(runs).filter(([name]) => inUse.has(name))),
		...merged,
	};
};

export const readResults = async (file) => {
	try {
		return JSON.parse(await readFile(file, "utf8"));
	} catch (error) {
		if (error.code === "ENOENT") return EMPTY;
		throw error;
	}
};

// Four digits are more than a second run can reproduce.
const rounded = (_, value) =>
	typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value;

export const writeResults = (file, results) =>
	writeFile(file, `${stringify(results, { indent: "\t", maxLength: 400, replacer: rounded })}\n`);
