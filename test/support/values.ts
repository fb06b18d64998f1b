const throwing = () => {
	throw new Error("got");
};

/** Values that are not strings, each with the name that tests report it under. */
export const NOT_STRINGS: readonly (readonly [string, unknown])[] = [
	["undefined", undefined],
	["null", null],
	["a boolean", true],
	["a number", 42],
	["NaN", Number.NaN],
	["a bigint", 42n],
	["a symbol", Symbol("token")],
	["a function", () => "token"],
	["an object", {}],
	["an object without a prototype", Object.create(null)],
	["an object with a toString", { toString: () => "token" }],
	["an object whose getters throw", new Proxy({}, { get: throwing })],
	["an array", ["token"]],
	["a String object", new String("token")],
	["a Date", new Date(0)],
	["bytes", new Uint8Array(43)],
];

/** Strings that are neither a token value nor a user id. */
export const UNSTORABLE_STRINGS: readonly (readonly [string, string])[] = [
	["the empty string", ""],
	["a NUL", "abc\0def"],
	["a lone high surrogate", "abc\ud800"],
	["a lone low surrogate", "\udc00abc"],
	["256 characters", "a".repeat(256)],
	["10 MB", "a".repeat(10_000_000)],
];

/** Strings that are not a token value: visible ASCII, no longer than an id. */
export const NOT_TOKENS: readonly (readonly [string, string])[] = [
	...UNSTORABLE_STRINGS,
	["only spaces", " \n\t"],
	["DEL", "abc\x7f"],
	["an accented letter", "abcé"],
	["a ligature with an accent", "ﬁancé"],
	["an emoji", "🔑"],
];
