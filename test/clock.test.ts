import { expect, test, vi } from "vitest";
import { isExpired, now, secondsFromNow } from "../src/clock.js";

test("the clock counts durations in seconds and times in whole milliseconds", () => {
	vi.useFakeTimers({ now: 1_000_000 });
	expect(now()).toBe(1_000_000);
	expect(secondsFromNow(60)).toBe(1_060_000);
	expect(secondsFromNow(0.0015)).toBe(1_000_001);
	vi.useRealTimers();
});

test("the clock expires a token one millisecond after its last valid millisecond", () => {
	expect(isExpired(1000, 999)).toBe(false);
	expect(isExpired(1000, 1000)).toBe(false);
	expect(isExpired(1000, 1001)).toBe(true);
});
