import { median, quantile } from "simple-statistics";

/** Median, and the quartiles as the spread. */
export const summary = (values) => ({
	median: median(values),
	low: quantile(values, 0.25),
	high: quantile(values, 0.75),
	rounds: values.length,
});

// The 95% confidence interval of the median. It uses ranks, so it holds for any distribution.
const interval = (values) => {
	const ranks = 0.98 / Math.sqrt(values.length);
	return {
		low: quantile(values, Math.max(0, 0.5 - ranks)),
		high: quantile(values, Math.min(1, 0.5 + ranks)),
	};
};

/**
 * How many times as fast one contender was as another: the median of the ratios within each round, and its
 * 95% interval. Anything that slows down a whole round slows down both.
 */
export const ratio = (rates, others) => {
	// A contender that was too slow has only one round.
	const rounds = Math.min(rates.length, others.length);
	const ratios = rates.slice(0, rounds).map((rate, round) => rate / others[round]);
	return { median: median(ratios), ...interval(ratios), rounds };
};
