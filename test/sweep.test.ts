import { describe, expect, onTestFinished, test, vi } from "vitest";
import { idToken, type KeyStore, passwordToken, type SweptBatch } from "../src/index.js";
import { memory } from "../src/stores/memory.js";
import { openStopped } from "./support/sqlite.js";

const BATCHES = [{ deleted: 3, next: "a" }, { deleted: 0, next: "b" }, { deleted: 2 }];

describe.each([
	["idToken", idToken],
	["passwordToken", passwordToken],
] as const)("deleteExpiredTokens of %s", (_, make) => {
	/** A handler on a store that sweeps in these batches, and the arguments of its calls. */
	const open = (batches: readonly SweptBatch[], onBatch: (index: number) => void = () => {}) => {
		const calls: unknown[][] = [];
		const store: KeyStore = {
			...memory(),
			async deleteExpired(...args) {
				onBatch(calls.push(args));
				return batches[calls.length - 1] as SweptBatch;
			},
		};
		return { handler: make(store, "name"), calls };
	};

	test("goes on where the last batch ended, at the time at which it began, and counts what it deleted", async () => {
		vi.useFakeTimers({ now: 1000, toFake: ["Date"] });
		onTestFinished(() => void vi.useRealTimers());
		const { handler, calls } = open(BATCHES, () => vi.advanceTimersByTime(1000));
		expect(await handler.deleteExpiredTokens()).toBe(5);
		expect(calls).toEqual([
			["name:", 1000, ""],
			["name:", 1000, "a"],
			["name:", 1000, "b"],
		]);
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

	test.each([null, true, {}, new AbortController()])(
		"takes only an AbortSignal for its signal, and deletes nothing: %o",
		async (signal) => {
			const { handler, calls } = open(BATCHES);
			await expect(handler.deleteExpiredTokens({ signal } as never)).rejects.toEqual(
				new TypeError("signal must be an AbortSignal"),
			);
			expect(calls).toEqual([]);
		},
	);

	test("throws on a store that cannot delete the tokens of all users, such as the default store", async () => {
		const handler = make((await openStopped()).auth, "name");
		await expect(handler.deleteExpiredTokens()).rejects.toEqual(
			new TypeError("This store cannot delete the expired tokens of all users"),
		);
	});

	test("passes the error of a batch on", async () => {
		const { handler } = open(BATCHES, () => {
			throw new Error("connection lost");
		});
		await expect(handler.deleteExpiredTokens()).rejects.toThrow("connection lost");
	});
});
