import { performance } from "node:perf_hooks";
import { shuffled } from "./statistics.js";

/**
 * Makes `count` calls, `underWay` of them at any time.
 *
 * @returns the answers, and the milliseconds that all of them took
 */
export const timed = async (underWay, count, call) => {
	const answers = new Array(count);
	let next = 0;
	const caller = async () => {
		while (next < count) {
			const i = next++;
			answers[i] = await call(i);
		}
	};
	const start = performance.now();
	await Promise.all(Array.from({ length: Math.min(underWay, count) }, caller));
	return { answers, milliseconds: performance.now() - start };
};

/**
 * Lets contenders take turns, in another order each round. Each of them is warmed up first by turns
 * that do not count, and that tell how many calls take `milliseconds`.
 *
 * @param turn makes `count` calls of each operation, and returns { operation: milliseconds }
 * @param least how many calls a turn makes at least, a multiple of which it makes
 * @param most how many it makes at most
 * @returns { contender: { operation: [calls per second in each round] } }
 */
export const takeTurns = async (contenders, turn, { rounds, milliseconds, least, most }) => {
	const counts = new Map();
	for (const contender of shuffled(contenders)) {
		const first = Object.values(await turn(contender, least));
		const slowest = Math.max(...first) / least;
		const count = Math.ceil(milliseconds / slowest / least) * least;
		counts.set(contender, Math.max(least, Math.min(most, count)));
		if (counts.get(contender) > least) await turn(contender, counts.get(contender));
	}

	const rates = Object.fromEntries(contenders.map(({ name }) => [name, {}]));
	for (let round = 0; round < rounds; round++) {
		for (const contender of shuffled(contenders)) {
			const count = counts.get(contender);
			// What one contender leaves to the garbage collector is not the next one's to pay.
			globalThis.gc?.();
			for (const [operation, took] of Object.entries(await turn(contender, count))) {
				(rates[contender.name][operation] ??= []).push((count / took) * 1000);
			}
		}
	}
	return rates;
};
