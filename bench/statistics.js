import { median, quantile } from "simple-statistics";

/** Median, and the quartiles as the spread. */
export const summary = (values) => ({
	median: median(values),
	low: quantile(values, 0.25),
	high: quantile(values, 0.75),
});

/**
 * How many times faster one contender was than another: the median over the rounds of the ratio
 * within each round, so that what slows a whole round down slows both.
 */
export const ratio = (rates, others) => summary(rates.map((rate, round) => rate / others[round]));

/** A copy in random order. */
export const shuffled = (items) => {
	const copy = [...items];
	for (let last = copy.length - 1; last > 0; last--) {
		const other = Math.floor(Math.random() * (last + 1));
		[copy[last], copy[other]] = [copy[other], copy[last]];
	}
	return copy;
};
