// Alphabets and their sizes, the smallest first. The first one that a string fits limits the bits that
// each of its characters holds.
const ALPHABETS: readonly (readonly [RegExp, number])[] = [
	[/^[0-9]*$/, 10],
	[/^([0-9a-f]*|[0-9A-F]*)$/, 16],
	[/^[0-9a-zA-Z]*$/, 62],
];
const VISIBLE_ASCII = 94;

/**
 * The maximum entropy of a random string like this one, in bits. Its real entropy is not known
 * from one string.
 */
export const maxBits = (value: string): number => {
	const size = ALPHABETS.find(([alphabet]) => alphabet.test(value))?.[1] ?? VISIBLE_ASCII;
	return value.length * Math.log2(size);
};
