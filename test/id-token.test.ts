import { expect, test } from "vitest";
import { idToken } from "../src/index.js";
import { openForEach, sqlite } from "./support/sqlite.js";

openForEach();

test("an id token identifies its user without a user id", async () => {
	const handler = idToken(sqlite.auth, "magic-link", { expiresIn: 60 });
	const [alice, bob] = [await sqlite.createUser("alice"), await sqlite.createUser("bob")];
	const [first, second] = [await handler.issue(alice), await handler.issue(bob)];
	await expect(handler.validate(`${second}`)).resolves.toHaveProperty("userId", bob);
	await expect(handler.validate(`${first}`)).resolves.toHaveProperty("userId", alice);
});
