import { performance } from "node:perf_hooks";
import { sum } from "simple-statistics";
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
 * Lets contenders take turns, in another order each round. All make as many calls in a turn, since
 * the first of them cost more than the rest: as many as the first contender makes in `milliseconds`.
 *
 * @param turn makes `count` calls of each operation, and returns { operation: milliseconds }
 * @param least how many calls a turn makes at least, a multiple of which it makes
 * @param most how many it makes at most
 * @param patience who needs more milliseconds than this for a turn has no other one
 * @returns { contender: { operation: [calls per second in each round] } }
 */
export const takeTurns = async (
	contenders,
	turn,
	{ rounds, milliseconds, least, most, patience = Infinity },
) => {
	await turn(contenders[0], least);
	const slowest = Math.max(...Object.values(await turn(contenders[0], least))) / least;
	const wanted = Math.ceil(milliseconds / slowest / least) * least;
	const count = Math.max(least, Math.min(most, wanted));

	const rates = Object.fromEntries(contenders.map(({ name }) => [name, {}]));
	const note = ({ name }, times) => {
		for (const [operation, took] of Object.entries(times)) {
			(rates[name][operation] ??= []).push((count / took) * 1000);
		}
	};
	const staying = [];
	for (const contender of shuffled(contenders)) {
		const times = await turn(contender, count);
		// For the others it is the warm-up, and does not count.
		if (sum(Object.values(times)) > patience) note(contender, times);
		else staying.push(contender);
	}
	for (let round = 0; round < rounds; round++) {
		for (const contender of shuffled(staying)) note(contender, await turn(contender, count));
	}
	return rates;
};
