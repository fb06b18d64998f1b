import { ratio } from "./statistics.js";

// A case for each cell of a part: the ratio of one contender to another.
const compare = (entries, part, operation, contender, other) =>
	entries
		.filter((entry) => entry.part === part)
		.flatMap(({ database, cells }) =>
			cells
				.filter(({ rates }) => rates[contender] && rates[other])
				.map(({ network, underWay, rates }) => {
					const { median: value, ...interval } = ratio(
						rates[contender][operation],
						rates[other][operation],
					);
					return {
						where: `${database}, ${network}, ${underWay} in flight`,
						value,
						...interval,
						// No store can be faster than the driver's own statement.
						driver: ratio(rates.driver[operation], rates[other][operation]).median,
					};
				}),
		);

const atLeast = (goal, limit, measured) => ({
	goal,
	cases: measured.map((seen) => ({ ...seen, met: seen.value >= limit })),
});

const statementsAtMost = (goal, entries, contender, limits) => ({
	goal,
	cases: entries.flatMap(({ database, statements }) =>
		Object.entries(limits).map(([operation, limit]) => {
			const [value] = statements[contender][operation];
			return { where: `${database}, ${operation}`, value, met: value <= limit };
		}),
	),
});

const isOnMariadb = ({ database }) => database === "MariaDB";
const isOnPostgresql = ({ database }) => database === "PostgreSQL";

// One call of issue() in eight also sweeps. On a slow network, one in two may hit such a moment.
const statementGoals = (codes) => [
	statementsAtMost(
		"default codes: issue 3, wrong 2, right 5 statements; wrong at three codes 4",
		codes.filter((entry) => !isOnMariadb(entry)),
		"default",
		{ issue: 3, wrong: 2, right: 5, "wrong at 3": 4 },
	),
	statementsAtMost(
		"default codes on MariaDB, whose adapter reads the user before each insert: 4, 3, 7; 7",
		codes.filter(isOnMariadb),
		"default",
		{ issue: 4, wrong: 3, right: 7, "wrong at 3": 7 },
	),
	statementsAtMost(
		"native codes: issue 2, wrong 1, right 2 statements; wrong at three codes 1",
		codes,
		"native",
		{ issue: 2, wrong: 1, right: 2, "wrong at 3": 1 },
	),
];

const codeGoals = (entries) => {
	const codes = entries.filter(({ part }) => part === "codes");
	const onPostgresql = codes.filter(isOnPostgresql);
	const besideDriver = (limit, operation) =>
		atLeast(
			`native: ${operation} code on PostgreSQL, ${limit} of the driver's own delete`,
			limit,
			compare(onPostgresql, "codes", operation, "native", "driver"),
		);
	const beside = (goal, limit, operation, contender) =>
		atLeast(goal, limit, compare(codes, "codes", operation, contender, "better-auth"));
	return [
		...statementGoals(codes),
		besideDriver(0.35, "wrong"),
		besideDriver(0.4, "right"),
		...["", ", guide"].flatMap((options) => [
			beside(`native${options}: right code, 3 times better-auth`, 3, "right", `native${options}`),
			beside(`native${options}: wrong code, 3 times better-auth`, 3, "wrong", `native${options}`),
			beside(
				`default${options}: right code, level with better-auth (0.95)`,
				0.95,
				"right",
				`default${options}`,
			),
		]),
	];
};

const linkGoals = (entries) => {
	const links = (operation, contender, other) =>
		compare(entries, "links", operation, contender, other);
	const besidePublished = (operation, limit) =>
		atLeast(
			`default ${operation} on PostgreSQL, ${limit} of 1.0.2`,
			limit,
			compare(entries.filter(isOnPostgresql), "links", operation, "default", "1.0.2"),
		);
	return [
		...["issue", "validate"].map((operation) =>
			atLeast(
				`native ${operation}, 0.95 of the driver's own statement`,
				0.95,
				links(operation, "native", "driver"),
			),
		),
		atLeast("native validate, 2 times 1.0.2", 2, links("validate", "native", "1.0.2")),
		atLeast("native validate, 5 times better-auth", 5, links("validate", "native", "better-auth")),
		atLeast(
			"default validate, ahead of better-auth",
			1,
			links("validate", "default", "better-auth"),
		),
		besidePublished("validate", 0.6),
		besidePublished("issue", 0.5),
	];
};

const listGoals = (entries) => [
	{
		goal: "native revoke-all of 10,000 tokens, one statement",
		cases: entries
			.filter(({ part }) => part === "lists")
			.map(({ database, statements }) => {
				// Of the most tokens that the run had: fewer in a quick one.
				const [value] = Object.values(statements.native).at(-1);
				return { where: database, value, met: value === 1 };
			}),
	},
];

const generatorGoals = (entries) => {
	const generators = entries.find(({ part }) => part === "generator")?.generators ?? [];
	const ours = generators.filter(({ name }) => name === "2.0");
	return [
		atLeast(
			"generator, no slower than 1.0.2",
			1,
			ours.map(({ kind, rounds }) => {
				const published = generators.find((other) => other.kind === kind && other.name === "1.0.2");
				const { median: value, ...interval } = ratio(published.rounds, rounds);
				return { where: kind, value, ...interval };
			}),
		),
		{
			goal: "generator, unbiased (p of chi-square over 0.001)",
			cases: ours.map(({ kind, p }) => ({ where: kind, value: p, met: p > 0.001 })),
		},
	];
};

/** Each goal of the parts that were measured, with where it is met and where it is missed. */
export const judge = (entries) =>
	[linkGoals, codeGoals, listGoals, generatorGoals]
		.flatMap((goals) => goals(entries))
		.filter(({ cases }) => cases.length > 0);
