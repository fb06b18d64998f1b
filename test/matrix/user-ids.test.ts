import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";
import { idToken, passwordToken } from "../../src/index.js";
import type { Database } from "../support/database.js";
import {
	openLibsql,
	openMysql,
	type OpenOptions,
	openPostgres,
	OWN_TABLES,
} from "../support/databases.js";
import { openLibsqlClient, openMariadb, openPglite, openPostgresJs } from "../support/drivers.js";
import { tokenError } from "../support/errors.js";
import { isInstalled } from "./heavy.js";

const [postgres, mysql] = [inject("postgres"), inject("mysql")];

type DatabaseName =
	| "PostgreSQL"
	| "postgres.js"
	| "PGlite"
	| "MySQL or MariaDB"
	| "mariadb"
	| "libsql"
	| "@libsql/client";

/** Some drivers have no default store. */
type Opened = Omit<Database, "defaultSource" | "statements"> & Partial<Database>;

const DATABASES: Readonly<
	Record<DatabaseName, readonly [isThere: boolean, open: (options: OpenOptions) => Promise<Opened>]>
> = {
	"postgres.js": [
		postgres !== "" && isInstalled("postgres"),
		(options) => openPostgresJs(postgres, options),
	],
	PGlite: [isInstalled("@electric-sql/pglite"), openPglite],
	mariadb: [mysql !== "" && isInstalled("mariadb"), (options) => openMariadb(mysql, options)],
	"@libsql/client": [
		isInstalled("@libsql/client"),
		(options) => openLibsqlClient(options, { intMode: "bigint" }),
	],
	PostgreSQL: [postgres !== "", (options) => openPostgres(postgres, options)],
	"MySQL or MariaDB": [mysql !== "", (options) => openMysql(mysql, options)],
	libsql: [true, openLibsql],
};

/** A type of user ids. */
interface World {
	readonly database: DatabaseName;
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

const ADAPTED: readonly World[] = [
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
	{ database: "libsql", type: "INTEGER", ...SMALL },
	{ database: "libsql", type: "INTEGER", ...LARGE, isRounded: true },
	{ database: "libsql", type: "TEXT COLLATE NOCASE", ...TEXTS },
];

// The drivers that Lucia 1 has no adapter for.
const WITHOUT_ADAPTER: readonly (readonly [on: DatabaseName, DatabaseName])[] = [
	["PostgreSQL", "postgres.js"],
	["PostgreSQL", "PGlite"],
	["MySQL or MariaDB", "mariadb"],
	["libsql", "@libsql/client"],
];

const WORLDS = [
	...ADAPTED,
	...WITHOUT_ADAPTER.flatMap(([on, driver]) =>
		ADAPTED.filter(({ database }) => database === on).map((world) => ({
			...world,
			database: driver,
		})),
	),
];

const unhandled: unknown[] = [];
const collect = (error: unknown): void => {
	unhandled.push(error);
};
beforeAll(() => {
	process.on("unhandledRejection", collect);
});
afterEach(async () => {
	await new Promise((resolve) => setTimeout(resolve, 5));
	expect(unhandled.splice(0)).toEqual([]);
});
afterAll(() => {
	process.off("unhandledRejection", collect);
});

const SOURCES = ["default store", "native store", "native store on custom tables"] as const;

const open = (db: Opened, source: (typeof SOURCES)[number]) => {
	const isCustom = source === "native store on custom tables";
	const { user, key } = isCustom ? db.ownTables : { user: "auth_user", key: "auth_key" };
	const store = isCustom ? db.createStore(OWN_TABLES) : db.nativeSource;
	return {
		source: (source === "default store" && db.defaultSource) || store,
		createUser: (id: string) => db.sql(`INSERT INTO ${user} (id) VALUES (?)`, [id]),
		keys: () => db.sql(`SELECT * FROM ${key} ORDER BY id`),
	};
};

const OPTIONS = { expiresIn: 600 };
const LIMITS = { ...OPTIONS, minInterval: 600, maxTokensPerUser: 2 };

const INVALID_TOKEN = tokenError("INVALID_TOKEN");
const INVALID_USER_ID = tokenError("INVALID_USER_ID");

const NAMED = WORLDS.map(
	(world) =>
		[
			`${world.database}, user ids of type ${[world.type, world.collation].join(" ").trim()}, ${world.own}`,
			world,
		] as const,
);

describe.each(NAMED)("%s", (_name, world) => {
	const [isThere, openDatabase] = DATABASES[world.database];
	const { own, other, spellings, misfits, isRounded = false } = world;

	const isAdapted = ADAPTED.includes(world);
	const sources = SOURCES.filter((source) => isAdapted || source !== "default store");

	describe.skipIf(!isThere).each(sources)("%s", (name) => {
		let db: Opened;
		let opened: ReturnType<typeof open>;
		beforeEach(async () => {
			const { type, collation } = world;
			db = await openDatabase({ userId: type, ...(collation !== undefined && { collation }) });
			opened = open(db, name);
			for (const id of [own, other]) await opened.createUser(id);
		});
		afterEach(() => db.close());

		if (isRounded && name === "default store") {
			test("a rounded id is an error, and no user", async () => {
				const { source } = opened;
				const link = idToken(source, "link", OPTIONS);
				const code = passwordToken(source, "code", OPTIONS);
				const rounded = String(Number(own));
				for (const id of [own, other, rounded]) {
					await expect(link.issue(id)).rejects.toThrow(TypeError);
					await expect(code.issue(id)).rejects.toThrow(TypeError);
					await expect(link.getAllUserTokens(id)).rejects.toThrow(TypeError);
				}
				expect(await opened.keys()).toEqual([]);
				const token = await idToken(db.nativeSource, "link", OPTIONS).issue(own);
				await expect(link.getToken(token)).rejects.toThrow(TypeError);
				await expect(link.validate(token)).rejects.toThrow(TypeError);
				expect(await opened.keys()).toHaveLength(1);
			});
			return;
		}

		test("every method returns the user's id as the database has it", async () => {
			const { source, keys } = opened;
			for (const options of [OPTIONS, LIMITS]) {
				const link = idToken(source, "link", options);
				const code = passwordToken(source, "code", options);
				for (const id of [own, other]) {
					const [linked, coded] = [await link.issue(id), await code.issue(id)];
					expect((await link.getAllUserTokens(id)).map(({ userId }) => userId)).toEqual([id]);
					expect((await code.getAllUserTokens(id)).map(({ userId }) => userId)).toEqual([id]);
					expect((await link.getToken(linked)).userId).toBe(id);
					expect((await code.getToken(coded, id)).userId).toBe(id);
					expect((await link.validate(linked)).userId).toBe(id);
					expect((await code.validate(coded, id)).userId).toBe(id);
					await idToken(source, "link", OPTIONS).issue(id);
					await passwordToken(source, "code", OPTIONS).issue(id);
					for (const handler of [link, code]) {
						await handler.deleteExpiredUserTokens(id);
						expect(await handler.getAllUserTokens(id)).toHaveLength(1);
						await handler.invalidateAllUserTokens(id);
					}
				}
			}
			const left = (await keys()) as { id: string }[];
			expect(left.filter(({ id }) => !id.startsWith(":"))).toEqual([]);
		});

		test("every method takes any other spelling for an unknown user, and leaves all as it is", async () => {
			const { source, keys } = opened;
			const links = [OPTIONS, LIMITS].map((options) => idToken(source, "link", options));
			const codes = [OPTIONS, LIMITS].map((options) => passwordToken(source, "code", options));
			const linked = await links[0]?.issue(own);
			const coded = `${await codes[0]?.issue(own)}`;
			const before = await keys();
			for (const id of [...spellings, ...misfits]) {
				for (const handler of [...links, ...codes]) {
					await expect(handler.issue(id), id).rejects.toEqual(INVALID_USER_ID);
					await expect(handler.getAllUserTokens(id), id).rejects.toEqual(INVALID_USER_ID);
					await handler.invalidateAllUserTokens(id);
					await handler.deleteExpiredUserTokens(id);
				}
				for (const code of codes) {
					for (const value of [coded, "wrong"]) {
						await expect(code.getToken(value, id), id).rejects.toEqual(INVALID_TOKEN);
						await expect(code.validate(value, id), id).rejects.toEqual(INVALID_TOKEN);
						await code.invalidate(value, id);
					}
				}
			}
			expect(await keys()).toEqual(before);
			expect((await links[0]?.validate(`${linked}`))?.userId).toBe(own);
			expect((await codes[0]?.validate(coded, own))?.userId).toBe(own);
		});

		test("one interval and one set of attempts count for a user", async () => {
			const { source } = opened;
			const [link, code] = [
				idToken(source, "link", LIMITS),
				passwordToken(source, "code", { ...LIMITS, maxAttempts: 2 }),
			];
			const coded = await code.issue(own);
			await link.issue(own);
			for (const id of [own, ...spellings]) {
				const message = id === own ? "ISSUED_RECENTLY" : "INVALID_USER_ID";
				await expect(link.issue(id), id).rejects.toHaveProperty("message", message);
				await expect(code.issue(id), id).rejects.toHaveProperty("message", message);
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
});
