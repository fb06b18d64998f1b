import { markdownTable } from "markdown-table";
import { execFileSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import os from "node:os";
import { drawGrowth } from "./chart.js";
import { DATABASE_NAMES } from "./databases.js";

const number = (value, digits = 3) =>
	value.toLocaleString("en", { maximumSignificantDigits: digits, useGrouping: "min2" });

// With its interval. Auth.js is not on every database.
const ratio = (values) => {
	if (!values) return "";
	const [median, low, high] = values.map((value) => number(value, 2));
	return `${median} (${low} to ${high})`;
};

const speedTable = (contenders) => ({
	header: ["", "in flight", "rounds", "driver, calls a second", ...contenders],
	row: ({ operation, inFlight, rounds, driver, ...others }, version) => [
		`${version}: ${operation}`,
		...[inFlight, rounds, driver].map((value) => number(value)),
		...contenders.map((name) => ratio(others[name])),
	],
});

const GROWING = ["native", "default", "1.0.2"];

const TABLES = {
	links: speedTable(["native", "default", "1.0.2", "better-auth", "Auth.js"]),
	codes: speedTable(["native", "default", "native, guide", "1.0.2", "better-auth"]),
	growth: {
		header: ["", ...GROWING],
		row: ({ operation, ...contenders }, version) => [
			`${version}: ${operation}`,
			...GROWING.map((name) => contenders[name].map((value) => number(value, 2)).join(", ")),
		],
	},
	sweep: {
		header: ["", "deleted", "a second", "calls", "longest, ms", "longest without a sweep, ms"],
		row: ({ deleted, perSecond, calls, longest, before }, version) => [
			version,
			...[deleted, perSecond, calls, longest, before].map((value) => number(value)),
		],
	},
};

const tableOf = (part, entries) => {
	const { header, row } = TABLES[part];
	const rows = entries
		.filter((entry) => entry.part === part)
		.flatMap(({ version, rows }) => rows.map((seen) => row(seen, version)));
	const align = header.map((_, i) => (i === 0 ? "" : "right"));
	return rows.length > 0 ? markdownTable([header, ...rows], { align }) : "";
};

/** Prints all that was measured. */
export const print = (entries) => {
	for (const part of Object.keys(TABLES)) {
		const table = tableOf(part, entries);
		if (table) console.log(`\n${part}\n${table}`);
	}
};

const RESULTS = new URL("results/results.json", import.meta.url);
const README = new URL("README.md", import.meta.url);
const CHART = new URL("results/growth.svg", import.meta.url);
const CHARTED = "PostgreSQL";

// Where and when it was measured, without anything that identifies the machine.
const describeRun = () => {
	// What is measured is src/, so that is what the commit is of.
	const log = ["log", "-1", "--format=%h", "--", "../src"];
	const commit = execFileSync("git", log, { cwd: import.meta.dirname, encoding: "utf8" }).trim();
	const machine = `${os.availableParallelism()} cores, ${os.cpus()[0]?.model.trim()}`;
	return `${new Date().toISOString().slice(0, 10)}, \`src/\` of ${commit}, Node ${process.version}, ${machine}`;
};

/** Replaces the same parts of the results with what was measured, and the tables of the README. */
export const keepResults = async (measured) => {
	const run = describeRun();
	const isSame = (a) => (b) => a.part === b.part && a.database === b.database;
	const kept = JSON.parse(await readFile(RESULTS, "utf8").catch(() => "[]"));
	const entries = [
		...kept.filter((entry) => !measured.some(isSame(entry))),
		...measured.map((entry) => ({ ...entry, run })),
	].sort((a, b) => DATABASE_NAMES.indexOf(a.database) - DATABASE_NAMES.indexOf(b.database));
	const lines = entries.map((entry) => JSON.stringify(entry)).join(",\n");
	await writeFile(RESULTS, `[\n${lines}\n]\n`);

	let text = await readFile(README, "utf8");
	for (const part of Object.keys(TABLES)) {
		const runs = new Set(entries.filter((entry) => entry.part === part).map(({ run }) => run));
		if (runs.size === 0) continue;
		const measuredOn = `Measured on ${[...runs].join("; and on ")}.`;
		text = text.replace(
			new RegExp(`(<!-- ${part} -->)[^]*(<!-- /${part} -->)`),
			(_, start, end) => `${start}\n\n${measuredOn}\n\n${tableOf(part, entries)}\n\n${end}`,
		);
	}
	await writeFile(README, text);
	const charted = entries.find((entry) => entry.part === "growth" && entry.database === CHARTED);
	if (charted) await writeFile(CHART, await drawGrowth(charted));
};
