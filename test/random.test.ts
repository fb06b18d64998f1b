import { describe, expect, onTestFinished, test, vi } from "vitest";
import { DIGITS, generateRandomString, LETTERS_AND_DIGITS, maxBits } from "../src/random.js";

describe("generateRandomString", () => {
	/** Lets crypto fill its arrays with these bytes, over and over, and counts what it is asked for. */
	const stubCrypto = (bytes: readonly number[]) => {
		const asked: number[] = [];
		let next = 0;
		const stub = vi.spyOn(crypto, "getRandomValues").mockImplementation((array) => {
			const view = array as unknown as Uint8Array;
			asked.push(view.length);
			for (let index = 0; index < view.length; index++) {
				view[index] = bytes[next++ % bytes.length] as number;
			}
			return array;
		});
		onTestFinished(() => stub.mockRestore());
		return asked;
	};
	const ALL_BYTES = Array.from({ length: 256 }, (_, byte) => byte);

	test.each([
		[DIGITS, 250],
		[LETTERS_AND_DIGITS, 248],
	])(
		"of %j takes %i of 256 bytes, and drops those that would favor the first characters",
		(alphabet, length) => {
			stubCrypto(ALL_BYTES);
			const twice = alphabet.repeat((2 * length) / alphabet.length);
			expect(generateRandomString(2 * length, alphabet)).toBe(twice);
		},
	);

	test("asks again for as long as it has too few bytes", () => {
		// Of these 64, one counts.
		const asked = stubCrypto([7, ...Array<number>(63).fill(255)]);
		expect(generateRandomString(8, DIGITS)).toBe("7".repeat(8));
		expect(asked.length).toBeGreaterThan(8);
		expect(new Set(asked).size).toBe(1);
	});

	test.each([
		[8, DIGITS, 14],
		[43, LETTERS_AND_DIGITS, 58],
		[255, DIGITS, 318],
	])("asks once for %i of %j, for a few bytes more than it needs", (length, alphabet, bytes) => {
		const asked = stubCrypto(ALL_BYTES.filter((byte) => byte < 248));
		generateRandomString(length, alphabet);
		expect(asked).toEqual([bytes]);
	});

	test("keeps no bytes between calls: what it returns depends on what crypto returns in that call alone", () => {
		// As in two processes that start from one snapshot, whose generators had been used before.
		const draw = (before: number) => {
			for (let calls = 0; calls < before; calls++) generateRandomString(5, DIGITS);
			stubCrypto(ALL_BYTES.map((byte) => (byte * 167 + 13) % 256));
			const drawn = [generateRandomString(8, DIGITS), generateRandomString(8, DIGITS)];
			vi.restoreAllMocks();
			return drawn;
		};
		const [first, second] = draw(0);
		expect(first).not.toBe(second);
		for (const before of [1, 2, 3, 50]) expect(draw(before)).toEqual([first, second]);
	});
});

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
