import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { tokenError } from "./support/errors.js";
import { TOKEN_KINDS } from "./support/handlers.js";
import { readTyped } from "../src/typed.js";
import { openForEach, sqlite } from "./support/sqlite.js";

openForEach();

const name = fc
	.string({ unit: "grapheme", minLength: 1, maxLength: 40 })
	.filter((value) => !value.includes(":") && !value.includes("\0"));
const visible = fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code));
const value = fc.string({ unit: visible, minLength: 1, maxLength: 100 });

describe.each(TOKEN_KINDS)("tokens of $kind", ({ make }) => {
	const handlerOf = (name: string, value: string) => {
		// Handlers know nothing of each other, so two of them must not make the same token at one time.
		vi.advanceTimersByTime(1);
		return make(sqlite.auth, name, { expiresIn: 60, generate: () => value });
	};

	test("validate once with any name and value", async () => {
		await fc.assert(
			fc.asyncProperty(name, value, async (name, value) => {
				const handler = handlerOf(name, value);
				expect(`${await handler.issue("user")}`).toBe(value);
				expect(`${await handler.getToken(value, "user")}`).toBe(value);
				expect((await handler.getAllUserTokens("user")).map(String)).toEqual([value]);
				expect(`${await handler.validate(value, "user")}`).toBe(value);
				await expect(handler.validate(value, "user")).rejects.toEqual(tokenError("INVALID_TOKEN"));
				expect(sqlite.tokens()).toEqual([]);
			}),
			{
				numRuns: 300,
				examples: [":", ".", "::", "name:a", "user.a"].map((value) => ["name", value]),
			},
		);
	});

	test("never validate with changed, added or removed characters", async () => {
		await fc.assert(
			fc.asyncProperty(value, fc.nat(), fc.string(), fc.nat(1), async (value, at, insert, drop) => {
				const position = at % (value.length + 1);
				const changed = value.slice(0, position) + insert + value.slice(position + drop);
				// The tests of what people type have the rest.
				fc.pre(readTyped(changed, undefined) !== value);
				const handler = handlerOf("name", value);
				await handler.issue("user");
				await expect(handler.validate(changed, "user")).rejects.toEqual(
					tokenError("INVALID_TOKEN"),
				);
				await handler.validate(value, "user");
			}),
			{ numRuns: 300 },
		);
	});

	test("stay invisible to handlers of another name", async () => {
		await fc.assert(
			fc.asyncProperty(name, name, value, async (first, second, value) => {
				fc.pre(first !== second);
				await handlerOf(first, value).issue("user");
				const other = handlerOf(second, value);
				for (const use of [other.validate, other.getToken]) {
					await expect(use(value, "user")).rejects.toEqual(tokenError("INVALID_TOKEN"));
				}
				expect(await other.getAllUserTokens("user")).toEqual([]);
				await other.invalidate(value, "user");
				await other.invalidateAllUserTokens("user");
				await handlerOf(first, value).validate(value, "user");
			}),
			{ numRuns: 300 },
		);
	});
});
