import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { idToken } from "../src/index.js";
import { tokenError } from "./support/errors.js";
import { openSqlite, type Sqlite } from "./support/sqlite.js";

let sqlite: Sqlite;
beforeEach(() => {
	sqlite = openSqlite();
});
afterEach(() => sqlite.db.close());

describe("an id token", () => {
	test("identifies its user without a user ID", async () => {
		const handler = idToken(sqlite.auth, "magic-link", { expiresIn: 60 });
		const [alice, bob] = [await sqlite.createUser("alice"), await sqlite.createUser("bob")];
		const [first, second] = [await handler.issue(alice), await handler.issue(bob)];
		await expect(handler.validate(`${second}`)).resolves.toHaveProperty("userId", bob);
		await expect(handler.validate(`${first}`)).resolves.toHaveProperty("userId", alice);
	});

	test("has 43 letters and digits, and the key ID NAME:TOKEN", async () => {
		const token = await idToken(sqlite.auth, "magic-link", { expiresIn: 60 }).issue(
			await sqlite.createUser("alice"),
		);
		expect(`${token}`).toMatch(/^[a-zA-Z0-9]{43}$/);
		expect(sqlite.keys()[0]?.id).toBe(`magic-link:${token}`);
		expect(token.key.providerId).toBe("magic-link");
		expect(token.key.providerUserId).toBe(`${token}`);
	});

	test("can contain the characters that separate the parts of a key ID", async () => {
		const values = [":", ".", "a:b", "alice.a", "::"].values();
		const handler = idToken(sqlite.auth, "name", {
			expiresIn: 60,
			generate: () => String(values.next().value),
		});
		const alice = await sqlite.createUser("alice");
		for (let count = 0; count < 5; count++) {
			const token = await handler.issue(alice);
			expect(String((await handler.getAllUserTokens(alice))[0])).toBe(`${token}`);
			await expect(handler.validate(`${token}`)).resolves.toHaveProperty("userId", alice);
		}
	});

	test("is invalid with its name or the colon of a claim in front", async () => {
		const handler = idToken(sqlite.auth, "name", { expiresIn: 60 });
		const token = await handler.issue(await sqlite.createUser());
		for (const value of [`name:${token}`, `:${token}`, `:name:${token}`]) {
			await expect(handler.validate(value)).rejects.toEqual(tokenError("INVALID_TOKEN"));
		}
	});
});
