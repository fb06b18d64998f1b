import { describe, expect, test } from "vitest";
import { passwordToken } from "../src/index.js";
import { tokenError } from "./support/errors.js";
import { openForEach, sqlite } from "./support/sqlite.js";

openForEach();

const always = (value: string) => ({ expiresIn: 60, generate: () => value });

describe("a password token", () => {
	test("is valid only for its user, and another user may have the same", async () => {
		const handler = passwordToken(sqlite.auth, "code", always("12345678"));
		const [alice, bob] = [await sqlite.createUser("alice"), await sqlite.createUser("bob")];
		const token = await handler.issue(alice);
		for (const use of [handler.validate, handler.getToken]) {
			await expect(use(`${token}`, bob)).rejects.toEqual(tokenError("INVALID_TOKEN"));
			await expect(use(token, bob)).rejects.toEqual(tokenError("INVALID_TOKEN"));
		}
		await handler.invalidate(token, bob);
		await handler.issue(bob);
		await expect(handler.validate(`${token}`, alice)).resolves.toHaveProperty("userId", alice);
		await expect(handler.validate(`${token}`, bob)).resolves.toHaveProperty("userId", bob);
	});

	test("is listed in full for a user whose id contains a dot, unlike in 1.0.2", async () => {
		const handler = passwordToken(sqlite.auth, "code", always("12.34"));
		const user = await sqlite.createUser("first.last");
		await handler.issue(user);
		expect((await handler.getAllUserTokens(user)).map(String)).toEqual(["12.34"]);
	});

	test("does not validate for another user whose id and token make the same key id", async () => {
		const [a, ab] = [await sqlite.createUser("a"), await sqlite.createUser("a.b")];
		const handler = passwordToken(sqlite.auth, "code", always("b.c"));
		await handler.issue(a);
		for (const use of [handler.validate, handler.getToken]) {
			await expect(use("c", ab)).rejects.toEqual(tokenError("INVALID_TOKEN"));
		}
		await handler.invalidate("c", ab);
		await handler.invalidateAllUserTokens(ab);
		expect(await handler.getAllUserTokens(ab)).toEqual([]);
		await expect(handler.validate("b.c", a)).resolves.toHaveProperty("userId", a);
	});

	test("cannot be issued to a user whose id leaves no room for it", async () => {
		const handler = passwordToken(sqlite.auth, "code", { expiresIn: 60 });
		const longest = await sqlite.createUser(
			"u".repeat(255 - ":code:.12345678 102000000000000 999".length),
		);
		const tooLong = await sqlite.createUser(`${longest}u`);
		const token = await handler.issue(longest);
		await expect(handler.validate(token, longest)).resolves.toHaveProperty("userId", longest);
		await expect(handler.issue(tooLong)).rejects.toEqual(tokenError("INVALID_USER_ID"));
		await expect(handler.validate("12345678", tooLong)).rejects.toEqual(
			tokenError("INVALID_TOKEN"),
		);
	});
});
