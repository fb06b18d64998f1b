import { expect } from "vitest";
import type { Actor } from "./racers.js";

/** The outcomes of calls to `validate`: successes by token, and failures by message. */
export interface Tally {
	/** The number of successes of every token, including 0. */
	readonly successes: Map<string, number>;
	/** By message. */
	readonly failures: Record<string, number>;
}

export const newTally = (tokens: readonly string[]): Tally => ({
	successes: new Map(tokens.map((token) => [token, 0])),
	failures: {},
});

export const addSuccess = ({ successes }: Tally, token: string): void => {
	successes.set(token, (successes.get(token) ?? 0) + 1);
};

export const addFailures = ({ failures }: Tally, more: Readonly<Record<string, number>>): void => {
	for (const [message, count] of Object.entries(more)) {
		failures[message] = (failures[message] ?? 0) + count;
	}
};

/** Calls `validate` and notes what came of it. */
export const attempt = async (
	tally: Tally,
	validate: Actor["validate"],
	token: string,
): Promise<void> => {
	try {
		await validate(token);
		addSuccess(tally, token);
	} catch (error) {
		addFailures(tally, { [(error as Error).message]: 1 });
	}
};

const sum = (numbers: Iterable<number>): number => [...numbers].reduce((a, b) => a + b, 0);

export const countSuccesses = ({ successes }: Tally): number => sum(successes.values());

export const countFailures = ({ failures }: Tally): number => sum(Object.values(failures));

/** Checks that each token succeeded once, and that every other call got `INVALID_TOKEN`. */
export const expectExactlyOnce = (tally: Tally): void => {
	expect(Object.keys(tally.failures)).toEqual(["INVALID_TOKEN"]);
	expect(new Set(tally.successes.values())).toEqual(new Set([1]));
};

/** The summary of a test in its output. */
export const report = (name: string, counts: Readonly<Record<string, number>>): void => {
	const list = Object.entries(counts).map(([what, count]) => `${count} ${what}`);
	console.log(`${name}: ${list.join(", ")}`);
};

/** Runs a function on all items, in batches of `size` concurrent calls. */
export const inBatches = async <Item>(
	items: readonly Item[],
	size: number,
	run: (item: Item, index: number) => Promise<unknown>,
): Promise<void> => {
	for (let start = 0; start < items.length; start += size) {
		await Promise.all(
			items.slice(start, start + size).map((item, index) => run(item, start + index)),
		);
	}
};

/** The same order in every run: within blocks, so that processes stay near each other. */
export const shuffled = <Item>(items: readonly Item[], seed: number, block = 100): Item[] => {
	let state = seed;
	const random = (): number => {
		state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
		return state / 2 ** 32;
	};
	const result: Item[] = [];
	for (let start = 0; start < items.length; start += block) {
		const part = items.slice(start, start + block).map((item) => ({ item, key: random() }));
		result.push(...part.sort((a, b) => a.key - b.key).map(({ item }) => item));
	}
	return result;
};
