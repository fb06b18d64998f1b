import { ratio } from "./statistics.js";

// Rows of the results, each with the ratio of one contender to another.
const compare = (databases, operation, contender, other) =>
	databases.flatMap(({ name, tokens }) =>
		tokens
			.filter(({ rates }) => rates[contender] && rates[other])
			.map(({ network, underWay, rates }) => {
				const { median: value, ...interval } = ratio(
					rates[contender][operation],
					rates[other][operation],
				);
				return {
					where: `${name}, ${network}, ${underWay} under way`,
					value,
					...interval,
					// More than the driver's own statement reaches is not to be had.
					driver: ratio(rates.driver[operation], rates[other][operation]).median,
				};
			}),
	);

const atLeast = (goal, limit, measured) => ({
	goal,
	cases: measured.map((seen) => ({ ...seen, met: seen.value >= limit })),
});

/** Each goal of the bench, with where it is met and where it is missed. */
export const judge = ({ databases, generators = [] }) => {
	const goals = [
		...["issue", "validate"].map((operation) =>
			atLeast(
				`native ${operation}, 0.95 of the driver's own statement`,
				0.95,
				compare(databases, operation, "native", "driver"),
			),
		),
		atLeast("native validate, 2 times 1.0.2", 2, compare(databases, "validate", "native", "1.0.2")),
		atLeast(
			"native validate, 5 times better-auth",
			5,
			compare(databases, "validate", "native", "better-auth"),
		),
		atLeast(
			"default validate, ahead of better-auth",
			1,
			compare(databases, "validate", "default", "better-auth"),
		),
		atLeast(
			"default issue, level with 1.0.2 (0.95)",
			0.95,
			compare(databases, "issue", "default", "1.0.2"),
		),
		{
			goal: "native revoke-all of 10,000 tokens, one statement",
			cases: databases.map(({ name, statements }) => {
				// Of the most tokens that the run had: fewer in a quick one.
				const value = Object.values(statements.native).at(-1).statements;
				return { where: name, value, met: value === 1 };
			}),
		},
		atLeast(
			"generator, 3 times 1.0.2",
			3,
			generators
				.filter(({ name }) => name === "2.0")
				.map(({ kind, rounds }) => {
					const published = generators.find(
						(other) => other.kind === kind && other.name === "1.0.2",
					);
					const { median: value, ...interval } = ratio(published.rounds, rounds);
					return { where: kind, value, ...interval };
				}),
		),
		{
			goal: "generator, unbiased (p of chi-square over 0.001)",
			cases: generators
				.filter(({ name }) => name === "2.0")
				.map(({ kind, p }) => ({ where: kind, value: p, met: p > 0.001 })),
		},
	];
	return goals.filter(({ cases }) => cases.length > 0);
};
