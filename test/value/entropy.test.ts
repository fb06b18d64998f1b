import { expect, test } from "vitest";
import { maxBits } from "../../src/value/entropy.js";

test.each([
	["1234567890", 10 * Math.log2(10)],
	["0123456789abcdef", 16 * 4],
	["0123456789ABCDEF", 16 * 4],
	["abcdefgh", 8 * Math.log2(62)],
	["ABCDEFGH", 8 * Math.log2(62)],
	["aBcDeFgH", 8 * Math.log2(62)],
	["0123456789abcdefABCDEF", 22 * Math.log2(62)],
	["a-b_c", 5 * Math.log2(94)],
	["", 0],
])("%j holds at most %d bits", (value, bits) => {
	expect(maxBits(value)).toBeCloseTo(bits, 10);
});
