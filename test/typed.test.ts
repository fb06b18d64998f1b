import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { idToken, passwordToken } from "../src/index.js";
import { readTyped, toAlphabet } from "../src/typed.js";
import { tokenError } from "./support/errors.js";
import { openForEach, sqlite } from "./support/sqlite.js";

const DIGITS = toAlphabet("0123456789");
const UPPER = toAlphabet("BCDFGHJKMNPQRSTVWXYZ23456789");
const LOWER = toAlphabet("bcdfghjkmnpqrstvwxyz-");

describe("what people type and paste", () => {
	test.each([
		["spaces", " 1234 5678 "],
		["an ideographic space", "1234\u30005678"],
		["a next line", "12345678\u0085"],
		["zero-width characters", "\u200b1234\u200c\u200d5678\u2060\ufeff"],
		["direction characters", "\u200e\u202a1234\u2066\u20695678\u202c\u061c"],
		["a soft hyphen", "1234\u00ad5678"],
		["a variation selector", "12345678\ufe0f"],
		["a braille blank", "1234\u28005678"],
		["a dash", "1234-5678"],
		["an en dash", "1234\u20135678"],
		["a minus sign", "1234\u22125678"],
		["a full-width dash", "1234\uff0d5678"],
		["a Japanese prolonged sound mark", "１２３４ー５６７８"],
		["full-width digits", "１２３４５６７８"],
		["Arabic digits", "١٢٣٤٥٦٧٨"],
		["mathematical digits", "𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖"],
		["circled digits", "①②③④⑤⑥⑦⑧"],
		["digits of several scripts", "１٢۳४5678"],
	])("%s in a code of digits are read as meant", (_, typed) => {
		expect(readTyped(typed, DIGITS)).toBe("12345678");
	});

	test.each([
		["lower case", "bcdf-ghjk"],
		["full-width letters", "ｂｃｄｆ　ｇｈｊｋ"],
		["a zero-width space", "BCDF GHJK\u200b"],
	])("%s in a code of capital letters is read as meant", (_, typed) => {
		expect(readTyped(typed, UPPER)).toBe("BCDFGHJK");
	});

	test("an alphabet keeps the dash that it has, and a possible token is taken as it is", () => {
		expect(readTyped("BC-DF", LOWER)).toBe("bc-df");
		expect(readTyped("bc-df", LOWER)).toBe("bc-df");
		expect(readTyped("aB-c", undefined)).toBe("aB-c");
		// From an earlier generator.
		expect(readTyped("aB-c", DIGITS)).toBe("aB-c");
		expect(readTyped("a-1", UPPER)).toBe("a-1");
	});

	test("every decimal digit of Unicode has its value", () => {
		const characters = Array.from({ length: 0x110000 }, (_, code) => String.fromCodePoint(code));
		const digits = characters.filter((character) => /\p{Nd}/u.test(character));
		expect(digits.length).toBeGreaterThan(600);
		for (let at = 0; at < digits.length; at += 10) {
			expect(readTyped(digits.slice(at, at + 10).join(""), undefined)).toBe("0123456789");
		}
	});

	test("what is longer than any token costs nothing", () => {
		const long = "\u200b".repeat(513);
		expect(readTyped(long, DIGITS)).toBe(long);
		expect(readTyped(`${long.slice(2)}1`, DIGITS)).toBe("1");
	});

	test("each string names one candidate, which names itself", () => {
		const alphabets = [undefined, DIGITS, UPPER, LOWER];
		const character = fc.oneof(
			fc.string({ unit: "binary", minLength: 1, maxLength: 1 }),
			fc.constantFrom(..."aB1-_ \u200b\u2013\u0301\u00a8\uff0d\ufe63١１ﬁ"),
		);
		fc.assert(
			fc.property(
				fc.string({ unit: character, maxLength: 20 }),
				fc.constantFrom(...alphabets),
				(typed, alphabet) => {
					const read = readTyped(typed, alphabet);
					expect(readTyped(read, alphabet)).toBe(read);
					// A token of visible ASCII is not changed, unless the alphabet says so.
					if (/^[\x21-\x7e]+$/.test(typed) && !alphabet) expect(read).toBe(typed);
				},
			),
			{ numRuns: 20_000 },
		);
	});
});

describe("a handler", () => {
	const user = "user";
	openForEach();

	test("takes a pasted link's token and a typed code in every method, at the cost of one attempt for a wrong one", async () => {
		const links = idToken(sqlite.auth, "link", { expiresIn: 60 });
		const codes = passwordToken(sqlite.auth, "code", { expiresIn: 60, maxAttempts: 2 });
		const paste = (token: unknown) =>
			`\u200e ${String(token).slice(0, 4)} ${String(token).slice(4)}\n`;
		const link = await links.issue(user);
		expect((await links.getToken(paste(link))).toString()).toBe(`${link}`);
		expect((await links.validate(paste(link))).key).toEqual(link.key);
		await links.invalidate(paste(await links.issue(user)));
		expect(await links.getAllUserTokens(user)).toEqual([]);

		const code = await codes.issue(user);
		const wrong = `${code}`.replace(/./g, (digit) => `${(Number(digit) + 1) % 10}`);
		await expect(codes.validate(paste(wrong), user)).rejects.toEqual(tokenError("INVALID_TOKEN"));
		expect((await codes.validate(paste(code), user)).toString()).toBe(`${code}`);

		const another = await codes.issue(user);
		for (const typed of [paste(wrong), wrong]) {
			await expect(codes.validate(typed, user)).rejects.toEqual(tokenError("INVALID_TOKEN"));
		}
		await expect(codes.validate(another, user)).rejects.toEqual(tokenError("INVALID_TOKEN"));
	});

	test("takes a Token as it is, and what generate makes in its own case", async () => {
		const generate = () => "Ab-12";
		const codes = passwordToken(sqlite.auth, "code", { expiresIn: 60, generate });
		const token = await codes.issue(user);
		await expect(codes.validate("ab-12", user)).rejects.toEqual(tokenError("INVALID_TOKEN"));
		await expect(codes.validate("Ab12", user)).rejects.toEqual(tokenError("INVALID_TOKEN"));
		await expect(codes.validate(" Ab-12 ", user)).resolves.toHaveProperty("userId", user);
		await codes.invalidate(token, user);
		const digits = passwordToken(sqlite.auth, "code", { expiresIn: 60 });
		await codes.issue(user);
		// A handler without this generate takes it, too.
		await expect(digits.validate("Ab-12", user)).resolves.toHaveProperty("userId", user);
	});
});
