import { describe, expect, test, vi } from "vitest";
import { idToken } from "../../src/index.js";
import { createFault } from "../support/faults.js";
import { NOW, openStopped, STORES } from "../support/sqlite.js";

const MINUTE = 60_000;

describe.each(STORES)("maxTokensPerUser on %s", (_, source) => {
	const open = async () => {
		const sqlite = await openStopped();
		const links = (maxTokensPerUser: number, expiresIn = 60) =>
			idToken(source(sqlite), "name", { expiresIn, maxTokensPerUser });
		const listed = async () => (await links(1).getAllUserTokens("user")).map(String);
		const insert = (token: string, expires: number) =>
			sqlite.insertKey({ id: `name:${token}`, user_id: "user", expires });
		return { sqlite, links, listed, insert };
	};

	test("treats the last issued token as the newest, in one millisecond or after the clock is set back", async () => {
		const { links, listed } = await open();
		for (const time of [NOW, NOW, NOW, NOW - 2000, NOW - MINUTE]) {
			vi.setSystemTime(time);
			const token = await links(1).issue("user");
			expect(await listed()).toEqual([`${token}`]);
		}
		// Nor does a life that is a little shorter from now on make a new token the older one.
		const token = await links(1, 30).issue("user");
		expect(await listed()).toEqual([`${token}`]);
	});

	test("ignores other users, other names, and other keys", async () => {
		const { sqlite, links } = await open();
		await links(1).issue(await sqlite.createUser("other"));
		sqlite.insertKey({ id: "name2:token", user_id: "user", expires: NOW });
		sqlite.insertKey({ id: "name:login", user_id: "user" });
		for (let count = 0; count < 3; count++) await links(1).issue("user");
		expect(sqlite.keys()).toHaveLength(4);
	});

	test("deletes the oldest tokens in any order of the list", async () => {
		const { links, listed, insert } = await open();
		insert("newer", NOW + 50_000);
		insert("oldest", NOW + 10_000);
		insert("outlasting", NOW + 3_600_000);
		insert("older", NOW + 20_000);
		const token = await links(2).issue("user");
		expect(token.expiresAt.getTime()).toBe(NOW + MINUTE);
		expect(await listed()).toEqual(["newer", `${token}`]);
	});

	test.each([
		[179_999, 240_000],
		[180_000, MINUTE],
		[180_001, MINUTE],
	])(
		"issues a token after one that expires up to three minutes later: %d ms",
		async (later, lasts) => {
			const { links, insert } = await open();
			insert("other", NOW + MINUTE + later);
			const token = await links(5).issue("user");
			expect(token.expiresAt.getTime()).toBe(NOW + lasts);
		},
	);

	test("keeps one of two tokens from machines whose clocks differ by three minutes", async () => {
		const { links, listed } = await open();
		const issued = [0, 179_999].map((ahead) => {
			vi.setSystemTime(NOW + ahead);
			return links(1).issue("user");
		});
		await Promise.all(issued);
		expect(await listed()).toHaveLength(1);
	});
});

test("maxTokensPerUser deletes nothing before the new token is stored", async () => {
	const fault = createFault();
	const { auth } = await openStopped(fault.wrap);
	const links = idToken(auth, "name", { expiresIn: 60, maxTokensPerUser: 1 });
	const first = await links.issue("user");
	// After the list, the insert.
	fault.at = fault.calls.length + 1;
	await expect(links.issue("user")).rejects.toBe(fault.error);
	expect((await links.getAllUserTokens("user")).map(String)).toEqual([`${first}`]);
});
