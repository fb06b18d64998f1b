import { median, quantile } from "simple-statistics";

/** Median, and the quartiles as the spread. */
export const summary = (values) => ({
	median: median(values),
	low: quantile(values, 0.25),
	high: quantile(values, 0.75),
	rounds: values.length,
});

// Between which two values the median of all rounds that there might have been lies, about 95 times in
// 100: by their ranks, whatever the distribution.
const interval = (values) => {
	const ranks = 0.98 / Math.sqrt(values.length);
	return {
		low: quantile(values, Math.max(0, 0.5 - ranks)),
		high: quantile(values, Math.min(1, 0.5 + ranks)),
	};
};

/**
 * How many times faster one contender was than another: the median over the rounds of the ratio
 * within each round, so that what slows a whole round down slows both; and its 95 % interval.
 */
export const ratio = (rates, others) => {
	// Who was too slow has had one round alone.
	const rounds = Math.min(rates.length, others.length);
	const ratios = rates.slice(0, rounds).map((rate, round) => rate / others[round]);
	return { median: median(ratios), ...interval(ratios), rounds };
};
