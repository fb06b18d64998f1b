import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { passwordToken } from "../src/index.js";
import { tokenError } from "./support/errors.js";
import { openSqlite, type Sqlite } from "./support/sqlite.js";
import { NOT_STRINGS, UNSTORABLE_STRINGS } from "./support/values.js";

let sqlite: Sqlite;
beforeEach(() => {
	sqlite = openSqlite();
});
afterEach(() => sqlite.db.close());

const always = (value: string) => ({ expiresIn: 60, generate: () => value });

describe("a password token", () => {
	test("has 8 digits, and the key id NAME:USERID.TOKEN", async () => {
		const token = await passwordToken(sqlite.auth, "code", { expiresIn: 60 }).issue(
			await sqlite.createUser("alice"),
		);
		expect(`${token}`).toMatch(/^[0-9]{8}$/);
		expect(sqlite.keys()[0]?.id).toBe(`code:alice.${token}`);
		expect(token.key.providerId).toBe("code");
		expect(token.key.providerUserId).toBe(`alice.${token}`);
	});

	test("is valid only for the user it was issued to", async () => {
		const handler = passwordToken(sqlite.auth, "code", { expiresIn: 60 });
		const [alice, bob] = [await sqlite.createUser("alice"), await sqlite.createUser("bob")];
		const token = await handler.issue(alice);
		for (const use of [handler.validate, handler.getToken]) {
			await expect(use(`${token}`, bob)).rejects.toEqual(tokenError("INVALID_TOKEN"));
			await expect(use(token, bob)).rejects.toEqual(tokenError("INVALID_TOKEN"));
		}
		await handler.invalidate(token, bob);
		await expect(handler.validate(`${token}`, alice)).resolves.toHaveProperty("userId", alice);
	});

	test("can be the same for two users", async () => {
		const handler = passwordToken(sqlite.auth, "code", always("12345678"));
		const [alice, bob] = [await sqlite.createUser("alice"), await sqlite.createUser("bob")];
		await handler.issue(alice);
		await handler.issue(bob);
		await handler.validate("12345678", alice);
		await expect(handler.validate("12345678", bob)).resolves.toHaveProperty("userId", bob);
	});

	test.each([...NOT_STRINGS, ...UNSTORABLE_STRINGS])(
		"is invalid with %s as the user id, without a query",
		async (_, value) => {
			const handler = passwordToken(sqlite.auth, "code", { expiresIn: 60 });
			const token = await handler.issue(await sqlite.createUser());
			sqlite.calls.length = 0;
			for (const use of [handler.validate, handler.getToken]) {
				await expect(use(token, value as string)).rejects.toEqual(tokenError("INVALID_TOKEN"));
			}
			await expect(handler.invalidate(token, value as string)).resolves.toBeUndefined();
			expect(sqlite.calls).toEqual([]);
		},
	);

	test("is listed in full for a user whose id contains a dot", async () => {
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
