import { generateRandomString as publishedGenerator } from "../../node_modules/published/utils/nanoid.js";
import { describe, expect, test, vi } from "vitest";
import { DIGITS, generateRandomString, LETTERS_AND_DIGITS } from "../../src/value/random.js";

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

	test("drops bytes that would favor the first characters, and uses every other byte once", () => {
		const getRandomValues = vi.spyOn(crypto, "getRandomValues");
		getRandomValues.mockImplementation((bytes) => {
			const array = bytes as unknown as Uint8Array;
			array.forEach((_, index) => (array[index] = index));
			return bytes;
		});
		// Draw the rest of the bytes drawn before.
		while (getRandomValues.mock.calls.length === 0) generateRandomString(1, DIGITS);
		const drawn = generateRandomString(499, DIGITS);
		getRandomValues.mockRestore();
		// 256 values a round: 0 to 249 count, 250 to 255 do not. The loop above has used the first.
		const round = Array.from({ length: 250 }, (_, byte) => byte % 10).join("");
		expect(drawn).toBe(`${round}${round}`.slice(1));
	});
});
