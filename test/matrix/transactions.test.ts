import { describe, expect, test } from "vitest";
import { idToken, passwordToken } from "../../src/index.js";
import { pg } from "../../src/stores/pg.js";
import { transactOn } from "../support/database.js";
import { type DriverDb, DRIVERS, openPostgresJs } from "../support/drivers.js";
import { tokenError } from "../support/errors.js";
import { withUser } from "./matrix.js";

const openReserved = async (): Promise<DriverDb> => {
	const db = await openPostgresJs();
	const connect = async () => {
		const reserved = await db.raw.reserve();
		return {
			reserved,
			query: async (text: string) => reserved.unsafe(text, [], { prepare: false }),
			release: () => reserved.release(),
		};
	};
	return { ...db, transact: transactOn(connect, ({ reserved }) => pg(reserved)) };
};

const CONNECTIONS = Object.entries({
	...DRIVERS,
	"a reserved connection of postgres.js": { ...DRIVERS["postgres.js"], open: openReserved },
});

const INVALID_TOKEN = tokenError("INVALID_TOKEN");

describe.each(CONNECTIONS)("in a transaction of the app's, %s", (_name, { isThere, open }) => {
	test.skipIf(!isThere)("a handler with limits throws, and counts nothing", async () => {
		const { nativeSource, transact } = await withUser(open());
		const codes = passwordToken(nativeSource, "code", { expiresIn: 60 });
		const right = `${await codes.issue("u")}`;
		for (const end of ["ROLLBACK", "COMMIT"] as const) {
			expect(await nativeSource.isInTransaction?.()).toBe(false);
			await transact(end, async (store) => {
				expect(await store.isInTransaction?.()).toBe(true);
				const inside = passwordToken(store, "code");
				for (const value of [...Array<string>(6).fill("wrong"), right]) {
					await expect(inside.validate(value, "u")).rejects.toThrow(/^maxAttempts .*transaction/);
					await expect(inside.getToken(value, "u")).rejects.toThrow(/^maxAttempts .*transaction/);
				}
				const spaced = idToken(store, "link", { expiresIn: 60, minInterval: 60 });
				await expect(spaced.issue("u")).rejects.toThrow(/^minInterval .*transaction/);
			});
		}
		await idToken(nativeSource, "link", { expiresIn: 60, minInterval: 60 }).issue("u");
		for (let count = 0; count < 4; count++) {
			await expect(codes.validate("wrong", "u")).rejects.toEqual(INVALID_TOKEN);
		}
		expect((await codes.validate(right, "u")).userId).toBe("u");
	});

	test.skipIf(!isThere)("links and the app's own writes take effect together", async () => {
		const { nativeSource, transact, sql } = await withUser(open());
		const links = idToken(nativeSource, "link", { expiresIn: 60 });
		const token = `${await links.issue("u")}`;
		for (const [end, username] of [
			["ROLLBACK", null],
			["COMMIT", "new"],
		] as const) {
			let issued = "";
			await transact(end, async (store, run) => {
				const inside = idToken(store, "link", { expiresIn: 60 });
				expect((await inside.validate(token)).userId).toBe("u");
				await expect(inside.validate(token)).rejects.toEqual(INVALID_TOKEN);
				issued = `${await inside.issue("u")}`;
				await run("UPDATE auth_user SET username = 'new' WHERE id = 'u'");
			});
			expect(await sql("SELECT username FROM auth_user")).toMatchObject([{ username }]);
			// Rolled back, the used token is good again, and the new one is gone.
			const left = end === "ROLLBACK" ? token : issued;
			expect((await links.getAllUserTokens("u")).map(String)).toEqual([left]);
		}
	});
});
