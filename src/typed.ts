import { VISIBLE_ASCII } from "./key-id.js";

// A token has at most 255 characters. A person adds no more than a space after each. What is longer costs nothing.
const MAX_TYPED_LENGTH = 512;

// White space, characters that are not seen, such as those that set a direction, and the dashes of all
// scripts, except the one of ASCII. A Japanese keyboard puts a mark of its own where a dash is meant.
const UNSEEN =
	/[\p{White_Space}\p{Default_Ignorable_Code_Point}\p{Cf}\u2800\u30fc\uff70]|(?!-)\p{Dash}/gu;
const DIGIT = /\p{Nd}/u;
const DIGITS = /\p{Nd}/gu;

/** The value of a decimal digit. Unicode has the digits of a script, or of several, in a row from 0 to 9. */
const digitValue = (digit: string): string => {
	const code = digit.codePointAt(0) as number;
	let first = code;
	while (DIGIT.test(String.fromCodePoint(first - 1))) first--;
	return `${(code - first) % 10}`;
};

/** What the tokens of a handler consist of, if its own generator makes them. */
export interface Alphabet {
	/** Whether a string consists of the alphabet's characters alone. */
	readonly includes: (value: string) => boolean;
	/** Removes dashes from a string, and sets its letters to the alphabet's one case. */
	readonly fold: (value: string) => string;
}

export const toAlphabet = (characters: string): Alphabet => {
	const set = new Set(characters);
	const hasUpper = /[A-Z]/.test(characters);
	const hasLower = /[a-z]/.test(characters);
	const dashes = set.has("-") ? /(?!)/g : /-/g;
	return {
		includes: (value) => [...value].every((character) => set.has(character)),
		fold: (value) => {
			const text = value.replace(dashes, "");
			if (hasUpper === hasLower) return text;
			return hasUpper ? text.toUpperCase() : text.toLowerCase();
		},
	};
};

/**
 * Reads what a person typed or pasted. A possible token is taken as it is: visible ASCII, or only characters
 * of the handler's alphabet if it has one. Anything else is read as people mean it: full-width and other
 * forms as the plain ones (NFKC), the decimal digits of any script as 0 to 9, and without white space,
 * characters that are not seen, and dashes of other scripts than ASCII. With an alphabet, ASCII dashes go,
 * too, unless it has one, and letters get its case if it has only one.
 *
 * So a string stands for at most one token, and a guess is as hard as it was.
 *
 * @param value what was typed
 * @param alphabet of the handler's own generator
 * @returns the token that it may be
 */
export const readTyped = (value: string, alphabet: Alphabet | undefined): string => {
	if (value.length > MAX_TYPED_LENGTH || alphabet?.includes(value)) return value;
	const ascii = VISIBLE_ASCII.test(value)
		? value
		: value
				.replace(UNSEEN, "")
				.normalize("NFKC")
				.replace(UNSEEN, "")
				.replace(DIGITS, digitValue)
				.normalize("NFKC");
	const folded = alphabet?.fold(ascii);
	// Another generator may have made what the alphabet has no characters for.
	return folded !== undefined && alphabet?.includes(folded) ? folded : ascii;
};
