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

// So many turns tell how long a call takes: the shortest does, since only what is slow comes by chance.
const TRIALS = 3;

const ROUNDS_UNTIL_SETTLED = 10;

/**
 * Lets contenders take turns, in another order each round. All make as many calls in a turn, since
 * the first of them cost more than the rest: as many as the first contender makes in `milliseconds`.
 *
 * @param turn makes `count` calls of each operation, and returns { operation: milliseconds }
 * @param least how many calls a turn makes at least, a multiple of which it makes
 * @param most how many it makes at most
 * @param warmUp milliseconds of each contender's turns that do not count
 * @param patience who needs more milliseconds than this for a turn has that one alone
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
