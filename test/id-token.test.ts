import { beforeEach, expect, test } from "vitest";
import { idToken } from "../src/index.js";
import { tokenError } from "./support/errors.js";
import { openStopped, type Sqlite } from "./support/sqlite.js";

let sqlite: Sqlite;
beforeEach(async () => {
	sqlite = await openStopped();
});

test("an id token identifies its user without a user id", async () => {
	const handler = idToken(sqlite.auth, "magic-link", { expiresIn: 60 });
	const [alice, bob] = [await sqlite.createUser("alice"), await sqlite.createUser("bob")];
	const [first, second] = [await handler.issue(alice), await handler.issue(bob)];
	await expect(handler.validate(`${second}`)).resolves.toHaveProperty("userId", bob);
	await expect(handler.validate(`${first}`)).resolves.toHaveProperty("userId", alice);
});

test("an id token is invalid with its name or the colon of a claim in front", async () => {
	const handler = idToken(sqlite.auth, "name", { expiresIn: 60 });
	const token = await handler.issue(await sqlite.createUser());
	for (const value of [`name:${token}`, `:${token}`, `:name:${token}`]) {
		await expect(handler.validate(value)).rejects.toEqual(tokenError("INVALID_TOKEN"));
	}
});
