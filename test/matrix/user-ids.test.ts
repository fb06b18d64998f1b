import type { Auth } from "lucia-auth";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { idToken, type KeyStore, passwordToken } from "../../src/index.js";
import { type DriverDb, DRIVERS } from "../support/drivers.js";
import { tokenError } from "../support/errors.js";

/** A type of user ids. */
interface World {
	readonly database: "PostgreSQL" | "MySQL or MariaDB" | "SQLite";
	readonly type: string;
	readonly collation?: string;
	/** A user's id, as the database spells it. */
	readonly own: string;
	/** Another user's. */
	readonly other: string;
	/** What the database may take for `own`. */
	readonly spellings: readonly string[];
	/** What the column cannot hold, or not read. */
	readonly misfits: readonly string[];
	/** Whether the driver rounds the ids that Lucia's adapter reads. */
	readonly isRounded?: boolean;
}

const UUID = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
const OTHER_UUID = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12";
const UUIDS = {
	own: UUID,
	other: OTHER_UUID,
	spellings: [UUID.toUpperCase(), UUID.replaceAll("-", ""), `{${UUID}}`, ` ${UUID}`, `${UUID} `],
	misfits: ["nobody", "1e30", "😀"],
};

const numbers = (own: string, other: string) => ({
	own,
	other,
	spellings: [`0${own}`, `+${own}`, ` ${own}`, `${own} `, `${own}.0`, `${own}e0`, `${own}x`],
	misfits: ["nobody", "1e30", "99999999999999999999", "-1", "0x", "é", "😀"],
});
// MySQL reads `nobody` as 0.
const SMALL = numbers("7", "0");
// A double cannot tell them apart.
const LARGE = numbers("9007199254740993", "9007199254740992");

const TEXTS = {
	own: "lookalike-ä1",
	other: "lookalike-b1",
	spellings: ["LOOKALIKE-Ä1", "lookalike-a1", "lookalike-a\u03081", "lookalike-ä1 "],
	misfits: ["nobody", "😀", "lookalike-ä1😀", "日本"],
};

const WORLDS: readonly World[] = [
	{ database: "PostgreSQL", type: "UUID", ...UUIDS },
	{ database: "PostgreSQL", type: "CHAR(36)", ...UUIDS },
	{
		database: "PostgreSQL",
		type: "CHAR(40)",
		...UUIDS,
		// So PostgreSQL returns it.
		own: UUID.padEnd(40),
		other: OTHER_UUID.padEnd(40),
		spellings: [UUID, `${UUID} `, UUID.padEnd(41), UUID.toUpperCase().padEnd(40)],
	},
	{ database: "PostgreSQL", type: "INTEGER", ...SMALL },
	{ database: "PostgreSQL", type: "BIGINT", ...LARGE },
	{ database: "MySQL or MariaDB", type: "UUID", ...UUIDS },
	{ database: "MySQL or MariaDB", type: "INT", ...SMALL },
	{ database: "MySQL or MariaDB", type: "BIGINT", ...LARGE, isRounded: true },
	{ database: "MySQL or MariaDB", type: "CHAR(36)", ...UUIDS },
	{ database: "MySQL or MariaDB", type: "CHAR(40)", ...UUIDS },
	...[
		"latin1_swedish_ci",
		"utf8mb3_general_ci",
		"utf8mb4_general_ci",
		"utf8mb4_unicode_ci",
		"utf8mb4_bin",
	].map((collation) => ({
		database: "MySQL or MariaDB" as const,
		type: "VARCHAR(255)",
		collation,
		...TEXTS,
	})),
	{ database: "SQLite", type: "INTEGER", ...SMALL },
	{ database: "SQLite", type: "INTEGER", ...LARGE, isRounded: true },
	{ database: "SQLite", type: "TEXT COLLATE NOCASE", ...TEXTS },
];

const KINDS = ["default store", "native store"] as const;

const OPTIONS = { expiresIn: 600 };
const LIMITS = { ...OPTIONS, minInterval: 600, maxTokensPerUser: 2 };

const INVALID_TOKEN = tokenError("INVALID_TOKEN");
const INVALID_USER_ID = tokenError("INVALID_USER_ID");

const CASES = WORLDS.flatMap((world) =>
	Object.entries(DRIVERS)
		.filter(([, { database }]) => database === world.database)
		.flatMap(([driver, { isThere, open }], at) =>
			KINDS.slice(at === 0 ? 0 : 1).map((kind) => {
				const type = [world.type, world.collation].join(" ").trim();
				const name = `${driver}, user ids of type ${type}, ${world.own}, ${kind}`;
				return { name, isThere, open, world, kind };
			}),
		),
);

for (const { name, isThere, open, world, kind } of CASES) {
	const { type, collation, own, other, spellings, misfits, isRounded = false } = world;

	describe.skipIf(!isThere)(name, () => {
		let db: DriverDb;
		let source: Auth | KeyStore;
		beforeEach(async () => {
			db = await open({ userId: type, ...(collation !== undefined && { collation }) });
			source = (kind === "default store" && db.defaultSource) || db.nativeSource;
			await db.sql("INSERT INTO auth_user (id) VALUES (?), (?)", [own, other]);
		});
		afterEach(() => db.close());

		const keys = () => db.sql("SELECT * FROM auth_key ORDER BY id");

		const toHandlers = (options: typeof OPTIONS) =>
			[idToken(source, "link", options), passwordToken(source, "code", options)] as const;

		if (isRounded && kind === "default store") {
			test("a rounded id is an error, and no user", async () => {
				const [link, code] = toHandlers(OPTIONS);
				for (const id of [own, other, String(Number(own))]) {
					await expect(link.issue(id)).rejects.toThrow(TypeError);
					await expect(code.issue(id)).rejects.toThrow(TypeError);
					await expect(link.getAllUserTokens(id)).rejects.toThrow(TypeError);
				}
				expect(await keys()).toEqual([]);
				const token = await idToken(db.nativeSource, "link", OPTIONS).issue(own);
				await expect(link.getToken(token)).rejects.toThrow(TypeError);
				await expect(link.validate(token)).rejects.toThrow(TypeError);
				expect(await keys()).toHaveLength(1);
			});
			return;
		}

		test("every method returns the user's id as the database has it", async () => {
			for (const id of [own, other]) {
				const [link, code] = toHandlers(LIMITS);
				const [linked, coded] = [await link.issue(id), await code.issue(id)];
				for (const handler of [link, code]) {
					await handler.deleteExpiredUserTokens(id);
					expect((await handler.getAllUserTokens(id)).map(({ userId }) => userId)).toEqual([id]);
				}
				expect((await link.getToken(linked)).userId).toBe(id);
				expect((await code.getToken(coded, id)).userId).toBe(id);
				expect((await link.validate(linked)).userId).toBe(id);
				expect((await code.validate(coded, id)).userId).toBe(id);

				for (const handler of toHandlers(OPTIONS)) {
					await handler.issue(id);
					await handler.invalidateAllUserTokens(id);
					expect(await handler.getAllUserTokens(id)).toEqual([]);
				}
			}
		});

		test("every method takes any other spelling for an unknown user, and leaves all as it is", async () => {
			const [link, code] = toHandlers(OPTIONS);
			const [linked, coded] = [await link.issue(own), `${await code.issue(own)}`];
			const before = await keys();
			for (const id of [...spellings, ...misfits]) {
				for (const handler of [link, code, ...toHandlers(LIMITS)]) {
					await expect(handler.issue(id), id).rejects.toEqual(INVALID_USER_ID);
					await expect(handler.getAllUserTokens(id), id).rejects.toEqual(INVALID_USER_ID);
					await handler.invalidateAllUserTokens(id);
					await handler.deleteExpiredUserTokens(id);
				}
				for (const value of [coded, "wrong"]) {
					await expect(code.getToken(value, id), id).rejects.toEqual(INVALID_TOKEN);
					await expect(code.validate(value, id), id).rejects.toEqual(INVALID_TOKEN);
					await code.invalidate(value, id);
				}
			}
			expect(await keys()).toEqual(before);
			expect((await link.validate(linked)).userId).toBe(own);
			expect((await code.validate(coded, own)).userId).toBe(own);
		});

		test("one interval and one set of attempts count for a user", async () => {
			const link = idToken(source, "link", LIMITS);
			const code = passwordToken(source, "code", { ...LIMITS, maxAttempts: 2 });
			await link.issue(own);
			const coded = await code.issue(own);
			for (const handler of [link, code]) {
				await expect(handler.issue(own)).rejects.toEqual(tokenError("ISSUED_RECENTLY"));
			}
			// The other user has limits of its own.
			await link.issue(other);
			const others = await code.issue(other);
			for (const id of [...spellings, own, own]) {
				await expect(code.validate("wrong", id), id).rejects.toEqual(INVALID_TOKEN);
			}
			await expect(code.validate(coded, own)).rejects.toEqual(INVALID_TOKEN);
			expect((await code.validate(others, other)).userId).toBe(other);
		});
	});
}
