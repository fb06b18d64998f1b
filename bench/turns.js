import { performance } from "node:perf_hooks";
import { setImmediate } from "node:timers/promises";
import { shuffle, sum } from "simple-statistics";

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

// How many turns measure the duration of a call. The shortest counts, because chance only slows calls down.
const TRIALS = 3;

const ROUNDS_UNTIL_SETTLED = 10;

/**
 * Lets contenders take turns, in a new order each round. In a turn, all make the same number of calls,
 * because the first calls cost more: as many as the first contender makes in `milliseconds`.
 *
 * @param turn makes `count` calls of each operation, and returns { operation: milliseconds }
 * @param least the minimum number of calls in a turn, which is always a multiple of it
 * @param most the maximum number of calls in a turn
 * @param warmUp how long each contender warms up, in milliseconds
 * @param patience a contender whose turn takes more milliseconds than this gets only that turn
 * @param settle lets the database tidy up
 * @returns { contender: { operation: [calls per second in each round] } }
 */
export const takeTurns = async (
	contenders,
	turn,
	{ rounds, milliseconds, least, most, warmUp, patience = Infinity, settle },
) => {
	const takeTurn = async (contender, count) => {
		// Drivers of SQLite never wait, and timers, signals and what was freed want their turn, too.
		await setImmediate();
		// What one contender leaves to the garbage collector is not the next one's to pay.
		globalThis.gc?.({ type: "minor" });
		return turn(contender, count);
	};

	await settle?.();
	let slowest = Infinity;
	for (let trial = 0; trial < TRIALS; trial++) {
		const times = Object.values(await takeTurn(contenders[0], least));
		slowest = Math.min(slowest, Math.max(...times) / least);
	}
	const wanted = Math.ceil(milliseconds / slowest / least) * least;
	const count = Math.max(least, Math.min(most, wanted));

	const rates = Object.fromEntries(contenders.map(({ name }) => [name, {}]));
	const note = ({ name }, times) => {
		for (const [operation, took] of Object.entries(times)) {
			(rates[name][operation] ??= []).push((count / took) * 1000);
		}
	};
	const staying = [];
	for (const contender of shuffle(contenders)) {
		const end = performance.now() + warmUp;
		let times;
		do times = await takeTurn(contender, count);
		while (performance.now() < end);
		if (sum(Object.values(times)) > patience) note(contender, times);
		else staying.push(contender);
	}
	for (let round = 0; round < rounds; round++) {
		if (round % ROUNDS_UNTIL_SETTLED === 0) await settle?.();
		for (const contender of shuffle(staying)) note(contender, await takeTurn(contender, count));
	}
	return rates;
};
