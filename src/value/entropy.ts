// A random string holds at most so many bits for each of its characters: the tighter, the fewer
// different characters it is made of.
const ALPHABETS: readonly (readonly [RegExp, number])[] = [
	[/^[0-9]*$/, 10],
	[/^([0-9a-f]*|[0-9A-F]*)$/, 16],
	[/^[0-9a-zA-Z]*$/, 62],
];
const VISIBLE_ASCII = 94;

/**
 * The most bits that a random string of these characters can hold: what it does hold cannot be told
 * from one string.
 */
export const maxBits = (value: string): number => {
	const size = ALPHABETS.find(([alphabet]) => alphabet.test(value))?.[1] ?? VISIBLE_ASCII;
	return value.length * Math.log2(size);
};
