import { setImmediate } from "node:timers/promises";
import { median, quantile, shuffle } from "simple-statistics";

/** A contender gave a wrong result, so its speed does not matter. */
export class WrongResult extends Error {}

export const check = (holds, { name }, message) => {
	if (!holds) throw new WrongResult(`${name}: ${message}`);
};

/**
 * Makes a call for each item, `inFlight` of them at any time.
 *
 * @returns the results, and the milliseconds that all of them took
 */
export const timed = async (inFlight, items, call) => {
	const results = new Array(items.length);
	let next = 0;
	const caller = async () => {
		while (next < items.length) {
			const i = next++;
			results[i] = await call(items[i], i);
		}
	};
	const start = performance.now();
	await Promise.all(Array.from({ length: inFlight }, caller));
	return { results, milliseconds: performance.now() - start };
};

/**
 * Lets contenders take turns, in a new order each round. The first rounds warm up.
 *
 * @param turn returns { operation: milliseconds }
 * @param rounds at least so many, and more until `seconds` have passed
 * @returns { operation: { contender: [milliseconds in each round] } }
 */
export const takeTurns = async ({ settle }, contenders, turn, { warmUp, rounds, seconds }) => {
	const times = {};
	const end = performance.now() + seconds * 1000;
	for (let round = -warmUp; round < rounds || performance.now() < end; round++) {
		await settle();
		for (const contender of shuffle(contenders)) {
			// The driver of SQLite never waits, and signals want their turn, too.
			await setImmediate();
			// What one contender leaves to the garbage collector is not the next one's to pay.
			globalThis.gc?.({ type: "minor" });
			const took = await turn(contender);
			if (round < 0) continue;
			for (const [operation, milliseconds] of Object.entries(took)) {
				((times[operation] ??= {})[contender.name] ??= []).push(milliseconds);
			}
		}
	}
	return times;
};

/**
 * How many times as fast one contender was as another: the median of the ratios within each round, and its
 * 95% interval. Anything that slows down a whole round slows down both. The interval uses ranks, so it holds
 * for any distribution.
 *
 * @returns [median, low, high]
 */
export const ratio = (times, others) => {
	const ratios = times.map((time, round) => others[round] / time);
	const ranks = 0.98 / Math.sqrt(ratios.length);
	const [low, high] = [Math.max(0, 0.5 - ranks), Math.min(1, 0.5 + ranks)];
	return [median(ratios), quantile(ratios, low), quantile(ratios, high)];
};
