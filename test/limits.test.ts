import { describe, expect, test } from "vitest";
import { isStorable, isTokenValue } from "../src/limits.js";
import { NOT_STRINGS, NOT_TOKENS, UNSTORABLE_STRINGS } from "./support/values.js";

describe("isStorable", () => {
	test.each(["a", "a".repeat(255), "a.b:c'd\"e%f_g", "ä 🔑", " "])("takes %j", (value) => {
		expect(isStorable(value)).toBe(true);
	});

	test.each([...NOT_STRINGS, ...UNSTORABLE_STRINGS])("refuses %s", (_, value) => {
		expect(isStorable(value)).toBe(false);
	});
});

describe("isTokenValue", () => {
	test("takes all visible ASCII characters", () => {
		const visible = String.fromCharCode(...Array.from({ length: 94 }, (_, index) => 0x21 + index));
		expect(isTokenValue(visible, "name:")).toBe(true);
	});

	test.each([...NOT_STRINGS, ...NOT_TOKENS])("refuses %s", (_, value) => {
		expect(isTokenValue(value, "name:")).toBe(false);
	});

	test("takes what fits an id of 255 characters, prefix included", () => {
		expect(isTokenValue("a".repeat(250), "name:")).toBe(true);
		expect(isTokenValue("a".repeat(251), "name:")).toBe(false);
	});
});
