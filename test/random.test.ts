import { generateRandomString as publishedGenerator } from "../node_modules/published/utils/nanoid.js";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { DIGITS, generateRandomString, LETTERS_AND_DIGITS, maxBits } from "../src/random.js";

// The value that chi-square exceeds once in a million runs of a fair generator, by degrees of
// freedom: 9 for digits, 61 for letters and digits.
const ONE_IN_A_MILLION = { 9: 45.08, 61: 126.6 };

const counts = (draw: () => string, rounds: number, alphabet: string): number[] => {
	const found = new Map([...alphabet].map((character) => [character, 0]));
	for (let round = 0; round < rounds; round++) {
		for (const character of draw()) found.set(character, (found.get(character) ?? 0) + 1);
	}
	return [...found.values()];
};

const chiSquare = (observed: number[]): number => {
	const expected = observed.reduce((sum, count) => sum + count, 0) / observed.length;
	return observed.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
};

describe("generateRandomString", () => {
	test.each([1, 2, 8, 43, 255, 5000])("returns %i characters of the alphabet", (length) => {
		expect(generateRandomString(length, DIGITS)).toMatch(new RegExp(`^[0-9]{${length}}$`));
		expect(generateRandomString(length, LETTERS_AND_DIGITS)).toMatch(
			new RegExp(`^[a-zA-Z0-9]{${length}}$`),
		);
	});

	test("draws 6-digit codes without bias, where the published generator is biased", () => {
		const rounds = 200_000;
		const ours = chiSquare(counts(() => generateRandomString(6, DIGITS), rounds, DIGITS));
		const published = chiSquare(counts(() => publishedGenerator(6, DIGITS), rounds, DIGITS));
		expect(ours).toBeLessThan(ONE_IN_A_MILLION[9]);
		expect(published).toBeGreaterThan(ONE_IN_A_MILLION[9]);
	});

	test("draws letters and digits without bias", () => {
		const draw = () => generateRandomString(43, LETTERS_AND_DIGITS);
		expect(chiSquare(counts(draw, 50_000, LETTERS_AND_DIGITS))).toBeLessThan(ONE_IN_A_MILLION[61]);
	});

	test("draws every position without bias", () => {
		for (let position = 0; position < 8; position++) {
			const draw = () => generateRandomString(8, DIGITS).charAt(position);
			expect(chiSquare(counts(draw, 20_000, DIGITS))).toBeLessThan(ONE_IN_A_MILLION[9]);
		}
	});

	test("never returns the same string twice", () => {
		const drawn = Array.from({ length: 10_000 }, () =>
			generateRandomString(43, LETTERS_AND_DIGITS),
		);
		expect(new Set(drawn).size).toBe(drawn.length);
	});

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

	test("drops bytes that would favor the first characters, and uses every other byte once", () => {
		stubCrypto(ALL_BYTES);
		// 256 values a round: 0 to 249 count, 250 to 255 do not.
		const round = Array.from({ length: 250 }, (_, byte) => byte % 10).join("");
		expect(generateRandomString(250, DIGITS)).toBe(round);
	});

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
