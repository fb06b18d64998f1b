import { describe, expect, test } from "vitest";
import { isStorable, isTokenValue } from "../../src/value/bounds.js";
import { NOT_STRINGS, NOT_TOKENS, UNSTORABLE_STRINGS } from "../support/values.js";

describe("isStorable", () => {
	test.each(["a", "a".repeat(255), "a.b:c'd\"e%f_g", "ä 🔑", " "])("accepts %j", (value) => {
		expect(isStorable(value)).toBe(true);
	});

	test.each([...NOT_STRINGS, ...UNSTORABLE_STRINGS])("rejects %s", (_, value) => {
		expect(isStorable(value)).toBe(false);
	});
});

describe("isTokenValue", () => {
	test("accepts all visible ASCII characters", () => {
		const visible = String.fromCharCode(...Array.from({ length: 94 }, (_, index) => 0x21 + index));
		expect(isTokenValue(visible, 94)).toBe(true);
	});

	test.each([...NOT_STRINGS, ...NOT_TOKENS])("rejects %s", (_, value) => {
		expect(isTokenValue(value, 255)).toBe(false);
	});

	test("accepts up to the given number of characters", () => {
		expect(isTokenValue("a".repeat(250), 250)).toBe(true);
		expect(isTokenValue("a".repeat(251), 250)).toBe(false);
	});
});
