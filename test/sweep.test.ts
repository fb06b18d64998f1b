import { describe, expect, test, vi } from "vitest";
import { idToken, type KeyStore, type SweptBatch } from "../src/index.js";

/** A handler on a store that sweeps in these batches, and the arguments of its calls. */
const open = (batches: readonly SweptBatch[], onBatch: (index: number) => void = () => {}) => {
	const calls: unknown[][] = [];
	const missing = async (): Promise<never> => {
		throw new Error("not expected");
	};
	const store: KeyStore = {
		insert: missing,
		get: missing,
		consume: missing,
		delete: missing,
		getAllByUser: missing,
		deleteAllByUser: missing,
		deleteExpiredByUser: missing,
		async deleteExpired(...args) {
			onBatch(calls.push(args));
			return batches[calls.length - 1] as SweptBatch;
		},
	};
	return { handler: idToken(store, "name"), calls };
};

const BATCHES = [{ deleted: 3, next: "a" }, { deleted: 0, next: "b" }, { deleted: 2 }];

describe("deleteExpiredTokens", () => {
	test("goes on where the last batch ended, at the time at which it began, and counts what it deleted", async () => {
		vi.useFakeTimers({ now: 1000, toFake: ["Date"] });
		try {
			const { handler, calls } = open(BATCHES, () => vi.advanceTimersByTime(1000));
			expect(await handler.deleteExpiredTokens()).toBe(5);
			expect(calls).toEqual([
				["name:", 1000, ""],
				["name:", 1000, "a"],
				["name:", 1000, "b"],
			]);
		} finally {
			vi.useRealTimers();
		}
	});

	test("lets others run between two batches", async () => {
		const order: string[] = [];
		const { handler } = open(BATCHES, (index) => {
			order.push(`batch ${index}`);
			setTimeout(() => order.push("other"));
		});
		await handler.deleteExpiredTokens();
		expect(order).toEqual(["batch 1", "other", "batch 2", "other", "batch 3"]);
	});

	test("ends when its signal aborts, and returns how many rows it has deleted", async () => {
		const controller = new AbortController();
		const { signal } = controller;
		const { handler, calls } = open(BATCHES, (index) => index === 2 && controller.abort());
		expect(await handler.deleteExpiredTokens({ signal })).toBe(3);
		expect(calls).toHaveLength(2);
		expect(await handler.deleteExpiredTokens({ signal })).toBe(0);
		expect(calls).toHaveLength(2);
	});

	test.each<[string, unknown]>([
		["options must be an object", null],
		["abort is not an option: the options are signal", { abort: true }],
		...[null, true, {}, new AbortController()].map((signal): [string, unknown] => [
			"signal must be an AbortSignal",
			{ signal },
		]),
	])("throws a TypeError, and deletes nothing: %s", async (message, options) => {
		const { handler, calls } = open(BATCHES);
		await expect(handler.deleteExpiredTokens(options as never)).rejects.toEqual(
			new TypeError(message),
		);
		expect(calls).toEqual([]);
	});

	test("passes the error of a batch on", async () => {
		const { handler } = open(BATCHES, () => {
			throw new Error("connection lost");
		});
		await expect(handler.deleteExpiredTokens()).rejects.toThrow("connection lost");
	});
});
