import { describe, expect, test, vi } from "vitest";
import { isExpired, now, secondsFromNow } from "../src/clock.js";

describe("the clock", () => {
	test("counts durations in seconds and moments in whole milliseconds", () => {
		vi.useFakeTimers({ now: 1_000_000 });
		expect(now()).toBe(1_000_000);
		expect(secondsFromNow(60)).toBe(1_060_000);
		expect(secondsFromNow(0.0015)).toBe(1_000_001);
		vi.useRealTimers();
	});

	test("expires a token one millisecond after its last valid millisecond", () => {
		expect(isExpired(1000, 999)).toBe(false);
		expect(isExpired(1000, 1000)).toBe(false);
		expect(isExpired(1000, 1001)).toBe(true);
	});
});
