import { describe, expect, inject, onTestFinished, test, vi } from "vitest";
import { idToken, passwordToken } from "../../src/index.js";
import { toKeyStore } from "../../src/stores/lucia.js";
import { pg, type PgOptions, type PgPool } from "../../src/stores/pg.js";
import { casesOf, toHarness, toOwnHarness } from "../support/database.js";
import { openPostgres, OWN_TABLES, postgres } from "../support/databases.js";
import { tokenError } from "../support/errors.js";
import { expectNumericExpiry } from "./behavior.js";

const url = inject("postgres");
const LATER = 4_000_000_000_000;

type Rest = Parameters<typeof openPostgres> extends [string, ...infer Options] ? Options : never;

// Dropped at the end of its test, whether or not it passes.
const open: (...options: Rest) => ReturnType<typeof openPostgres> = async (...options) => {
	const db = await openPostgres(url, ...options);
	onTestFinished(() => db.close());
	return db;
};

describe.skipIf(url === "")("pg", () => {
	const key = { id: "n:a", userId: "u", expires: LATER };
	const guess = { id: "n:a", userId: "u", prefix: "n:", maxAttempts: 5, now: 0 };

	test.each([
		["a BigInt", BigInt],
		["a number", Number],
		["a string", String],
	])("an expiry can be %s", async (_type, parse) => {
		const types = new postgres.TypeOverrides();
		types.setTypeParser(postgres.types.builtins.INT8, parse as (text: string) => unknown);
		const db = await open({}, { types });
		await expectNumericExpiry(db);
	});

	test("each statement is prepared under one name, or not at all", async () => {
		const db = await open({}, { max: 1 });
		await db.sql("INSERT INTO auth_user (id) VALUES (?)", ["u"]);
		await db.sql(`INSERT INTO ${db.ownTables.user} (id) VALUES (?)`, ["u"]);
		const prepared = () => db.sql("SELECT name FROM pg_prepared_statements ORDER BY name");
		const useAll = async (pool: PgPool, options?: PgOptions): Promise<void> => {
			const store = pg(pool, options);
			await store.insert(key);
			await store.get(key.id);
			await store.consume(key.id);
			await store.takeAttempts?.(guess);
			await store.consumeAndDelete?.(key, "n:b");
			await store.getAllByUser("u", "n:");
			await store.deleteAllByUser("u", "n:");
			await store.deleteExpiredByUser("u", "n:", 0);
			await store.insert(key);
			await store.deleteExpired?.("n:", LATER + 1, "");
			await store.deleteOldest?.("u", "n:", 1, LATER);
		};
		await useAll(db.pool, { prepare: false });
		// A client may be in a transaction of the app's, which a failed statement would end.
		const client = await db.pool.connect();
		await useAll(client).finally(() => client.release());
		expect(await prepared()).toEqual([]);
		await useAll(db.pool);
		await useAll(db.pool);
		expect(await prepared()).toHaveLength(11);
		await useAll(db.pool, { tables: OWN_TABLES });
		await useAll(db.pool);
		expect(await prepared()).toHaveLength(22);
	});

	describe("a statement that is not prepared where it arrives runs again without a name", () => {
		/** A pool that sends, in place of a name that the server lacks, what a pooler's client gets. */
		const openFailing = (code: string) => {
			const sent: (string | undefined)[] = [];
			const pool: PgPool = {
				totalCount: 0,
				query: async ({ name }) => {
					sent.push(name);
					if (name) throw Object.assign(new Error("prepared"), { code });
					return { rows: [], rowCount: 1 };
				},
			};
			return { pool, sent };
		};

		test.each(["42P05", "26000", "0A000"])(
			"and the store stops naming statements: %s",
			async (code) => {
				const { pool, sent } = openFailing(code);
				const store = pg(pool);
				await Promise.all([store.insert(key), store.get(key.id)]);
				await store.consume(key.id);
				expect(sent.map(Boolean)).toEqual([true, true, false, false, false]);
			},
		);

		test("but only once", async () => {
			const { pool, sent } = openFailing("26000");
			const failing: PgPool = {
				...pool,
				query: (query) => pool.query({ ...query, name: query.name ?? "a" }),
			};
			await expect(pg(failing).get(key.id)).rejects.toThrow("prepared");
			expect(sent).toHaveLength(2);
		});

		test("and no other error stops it", async () => {
			const { pool, sent } = openFailing("42P01");
			const store = pg(pool);
			for (let call = 0; call < 2; call++) {
				await expect(store.get(key.id)).rejects.toThrow("prepared");
			}
			expect(sent.map(Boolean)).toEqual([true, true]);
		});

		test("outside of the app's transaction, where the error is the first one", async () => {
			const db = await open({}, { max: 1 });
			await db.sql("INSERT INTO auth_user (id) VALUES (?)", ["u"]);
			const client = await db.pool.connect();
			try {
				const store = pg(client, { prepare: true });
				await store.insert(key);
				await client.query("DEALLOCATE ALL");
				await client.query("BEGIN");
				await expect(store.insert({ ...key, id: "n:b" })).rejects.toHaveProperty("code", "26000");
				await client.query("ROLLBACK");
				expect(await store.consume(key.id)).toEqual(key);
			} finally {
				client.release();
			}
		});
	});

	test("a sweep of a name that the encoding lacks deletes nothing", async () => {
		const refusing = pg({
			query: async () => {
				throw Object.assign(new Error("character"), { code: "22021" });
			},
		});
		expect(await refusing.deleteExpired?.("é:", 0, "")).toEqual({ deleted: 0 });
	});

	test("a driver that renames columns is a TypeError, and no user", async () => {
		const renaming = pg({
			query: async () => ({ rows: [{ id: "n:a", userId: "u", expires: 1 }], rowCount: 1 }),
		});
		await expect(renaming.get("n:a")).rejects.toEqual(
			new TypeError("The driver must return a column as user_id"),
		);
	});

	test.each(['varchar(255) COLLATE "en-x-icu"', "varchar(255) COLLATE ci", 'text COLLATE "POSIX"'])(
		"every case passes with ids of the type %s",
		async (type) => {
			const db = await open();
			await db.sql(
				"CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
			);
			await db.sql(`ALTER TABLE auth_key ALTER COLUMN id TYPE ${type}`);
			for (const { name, run } of casesOf("native")) {
				// No two ids may differ only in letter case there.
				if (!type.includes("ci") || !/byte for byte|prefix|expired keys|newest/.test(name)) {
					await run(toHarness(db, pg(db.pool)));
				}
			}
		},
	);

	test("revoke alone needs the permission to update, as docs/production.md says", async () => {
		const db = await open({}, { max: 1 });
		const role = `role_${db.name}`;
		const store = pg(db.pool);
		const run = (sql: string) => db.sql(sql);
		await run(`CREATE ROLE ${role}`);
		onTestFinished(async () => {
			await run(`RESET ROLE; DROP OWNED BY ${role}; DROP ROLE ${role}`);
		});
		await run(`GRANT USAGE ON SCHEMA ${db.name} TO ${role}`);
		await run(`GRANT SELECT ON auth_user TO ${role}`);
		await run(`GRANT SELECT, INSERT, DELETE ON auth_key TO ${role}`);
		await run("INSERT INTO auth_user (id) VALUES ('u')");
		await run(`SET ROLE ${role}`);
		const links = idToken(store, "n", { expiresIn: 60, maxTokensPerUser: 3, minInterval: 60 });
		const codes = passwordToken(store, "c", { expiresIn: 60 });
		await links.validate(await links.issue("u"));
		await codes.validate(await codes.issue("u"), "u");
		await links.deleteExpiredTokens();
		const revoke = () => store.consumeAndRevoke?.("n:none", "u", ["n:"], 0);
		await expect(revoke()).rejects.toThrow("permission denied");
		await run("RESET ROLE");
		await run(`GRANT UPDATE ON auth_key TO ${role}`);
		await run(`SET ROLE ${role}`);
		expect(await revoke()).toBeNull();
	});

	test("every case passes without prepared statements", async () => {
		const db = await open();
		const { pool } = db;
		const store = pg(pool, { prepare: false });
		for (const { run } of casesOf("native")) await run(toHarness(db, store));
		const ownStore = pg(pool, { prepare: false, tables: OWN_TABLES });
		for (const { run } of casesOf("own tables")) await run(toOwnHarness(db, ownStore));
	});

	test("one of ten concurrent calls wins without errors when transactions are repeatable read by default", async () => {
		const options = "-c default_transaction_isolation=repeatable\\ read";
		const db = await open({}, { options });
		await db.sql("INSERT INTO auth_user (id) VALUES (?)", ["u"]);
		for (let round = 0; round < 20; round++) {
			await pg(db.pool).insert(key);
			const calls = Array.from({ length: 10 }, () => pg(db.pool).consume(key.id));
			expect((await Promise.all(calls)).filter((one) => one !== null)).toHaveLength(1);
		}
	});

	test.each(["40001", "40P01"])(
		"a statement that PostgreSQL rolled back is retried ten times: %s",
		async (code) => {
			let failures = 0;
			const failing = (times: number) => {
				failures = 0;
				return pg({
					query: async () => {
						if (failures++ < times) throw Object.assign(new Error("rolled back"), { code });
						return { rows: [], rowCount: 1 };
					},
				});
			};
			await failing(10).insert(key);
			expect(failures).toBe(11);
			await expect(failing(11).insert(key)).rejects.toThrow("rolled back");
			expect(failures).toBe(11);
		},
	);

	test.each([
		[
			"a known user's reaches the caller: a schema with a mistake",
			async () => [{}],
			"out of range",
		],
		["an unknown user's is INVALID_USER_ID", async () => [], "INVALID_USER_ID"],
		[
			"an unknown user's is INVALID_USER_ID in a transaction, which it aborted",
			() => Promise.reject(Object.assign(new Error("aborted"), { code: "25P02" })),
			"INVALID_USER_ID",
		],
	])("an error of what a column cannot hold: %s", async (_, findUser, message) => {
		const store = pg({
			query: async ({ text }) => {
				if (text.startsWith("SELECT")) return { rows: await findUser(), rowCount: null };
				throw Object.assign(new Error("out of range"), { code: "22003" });
			},
		});
		await expect(store.insert(key)).rejects.toThrow(message);
	});

	test.each([undefined, "lost", new Error("lost")])(
		"any other error reaches the caller without a retry: %s",
		async (error) => {
			const query = vi.fn(() => Promise.reject(error as Error));
			await expect(pg({ query }).insert(key)).rejects.toBe(error);
			expect(query).toHaveBeenCalledOnce();
		},
	);

	test("the first error reaches the caller in the caller's transaction", async () => {
		const db = await open();
		await db.sql("INSERT INTO auth_user (id) VALUES (?)", ["u"]);
		await pg(db.pool).insert(key);
		const client = await db.pool.connect();
		await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
		expect(await pg(client).get(key.id)).toEqual(key);
		expect(await pg(db.pool).consume(key.id)).toEqual(key);
		await expect(pg(client).consume(key.id)).rejects.toHaveProperty("code", "40001");
		// After the caller's own failure it is the caller's error, too.
		await expect(pg(client).get(key.id)).rejects.toHaveProperty("code", "25P02");
		await client.query("ROLLBACK");
		expect(await pg(client).consume(key.id)).toBeNull();
		client.release();
	});

	test("a user who is deleted during issue is unknown", async () => {
		const db = await open();
		await db.sql("INSERT INTO auth_user (id) VALUES (?)", ["u"]);
		const other = await db.pool.connect();
		await other.query("BEGIN");
		await other.query("DELETE FROM auth_user");
		const issued = expect(pg(db.pool).insert(key)).rejects.toEqual(tokenError("INVALID_USER_ID"));
		await new Promise((resolve) => setTimeout(resolve, 200));
		await other.query("COMMIT");
		other.release();
		await issued;
	});

	test("a user who is deleted during a guess has no codes, and any other error reaches the caller", async () => {
		const failing = (code: string) =>
			pg({ query: () => Promise.reject(Object.assign(new Error("failed"), { code })) });
		expect(await failing("23503").takeAttempts?.(guess)).toEqual([]);
		await expect(failing("53300").takeAttempts?.(guess)).rejects.toThrow("failed");
	});

	test("a guess that lost an attempt to another call asks for that code's alone again", async () => {
		const row = (id: string, is_taken: boolean) => ({ id, user_id: "u", expires: 1, is_taken });
		const answers = [
			[row(":n:a 1 1", true), row(":n:b 1 1", false)],
			[row(":n:b 1 3", false)],
			[row(":n:b 1 2", true)],
		];
		const tried: unknown[] = [];
		const store = pg({
			query: async ({ values }) => {
				tried.push(structuredClone(values.find(Array.isArray)));
				return { rows: answers.shift() ?? [], rowCount: null };
			},
		});
		const taken = await store.takeAttempts?.(guess);
		expect(taken?.map(({ id }) => id)).toEqual([":n:a 1 1", ":n:b 1 2"]);
		expect(tried).toEqual([[], [":n:a 1 ", ":n:b 1 1"], [":n:a 1 ", ":n:b 1 1", ":n:b 1 3"]]);
	});

	test("only a client in a transaction of the app's is in a transaction", async () => {
		const db = await open();
		const client = await db.pool.connect();
		const wrapper: PgPool = { query: (query) => db.pool.query(query) };
		const answersNothing: PgPool = { query: async () => ({ rows: [], rowCount: 0 }) };
		for (const pool of [db.pool, client, wrapper, answersNothing]) {
			expect(await pg(pool).isInTransaction?.()).toBe(false);
		}
		for (const isolation of ["READ COMMITTED", "SERIALIZABLE"]) {
			await client.query(`BEGIN ISOLATION LEVEL ${isolation}`);
			expect(await pg(client).isInTransaction?.()).toBe(true);
			await client.query("SELECT 1");
			expect(await pg(client).isInTransaction?.()).toBe(true);
			await client.query("ROLLBACK");
			expect(await pg(client).isInTransaction?.()).toBe(false);
		}
		client.release();
	});

	test("comparisons are exact on a column whose collation ignores case", async () => {
		const db = await open();
		await db.sql(
			"CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
		);
		for (const column of ["auth_user.id", "auth_key.user_id", "auth_key.id"]) {
			const [table = "", name = ""] = column.split(".");
			await db.sql(`ALTER TABLE ${table} ALTER COLUMN ${name} TYPE VARCHAR(255) COLLATE nocase`);
		}
		await db.sql("INSERT INTO auth_user (id) VALUES (?)", ["u"]);
		for (const store of [pg(db.pool), toKeyStore(db.defaultSource)]) {
			await store.insert(key);
			expect(await store.get("n:A")).toBeNull();
			expect(await store.consume("n:A")).toBeNull();
			expect(await store.consume("n:a", "U")).toBeNull();
			await store.deleteAllByUser("U", "n:");
			await store.deleteAllByUser("u", "N:");
			await expect(store.getAllByUser("U", "n:")).rejects.toEqual(tokenError("INVALID_USER_ID"));
			expect(await store.consume("n:a")).toEqual(key);
		}
	});

	test("user IDs can have the type UUID", async () => {
		const db = await open({ foreignKeys: false });
		const userId = crypto.randomUUID();
		await db.sql("ALTER TABLE auth_user ALTER COLUMN id TYPE UUID USING id::uuid");
		await db.sql("ALTER TABLE auth_key ALTER COLUMN user_id TYPE UUID USING user_id::uuid");
		await db.sql("INSERT INTO auth_user (id) VALUES (?)", [userId]);
		for (const store of [pg(db.pool), toKeyStore(db.defaultSource)]) {
			const mine = { ...key, userId };
			await store.insert(mine);
			expect(await store.getAllByUser(userId, "n:")).toEqual([mine]);
			await store.deleteExpiredByUser(userId, "n:", 0);
			expect(await store.consume(key.id, userId)).toEqual(mine);
			await store.deleteAllByUser(userId, "n:");
		}
	});

	test("each statement uses an index", async () => {
		const db = await open({}, { max: 1 });
		await db.sql("INSERT INTO auth_user (id) SELECT 'u' || n FROM generate_series(1, 20000) n");
		await db.sql(
			"INSERT INTO auth_key SELECT 'n:' || n, 'u' || n, false, NULL, 1 FROM generate_series(1, 20000) n",
		);
		await db.sql("ANALYZE auth_user");
		await db.sql("ANALYZE auth_key");
		const plans: string[] = [];
		const store = pg({
			query: async ({ text, values }) => {
				// As many parameters as values, all of them needed: a generic plan is what counts.
				await db.pool.query("SET plan_cache_mode = force_generic_plan");
				const { rows } = await db.pool.query({ text: `EXPLAIN ${text}`, values });
				plans.push((rows as { "QUERY PLAN": string }[]).map((row) => row["QUERY PLAN"]).join("\n"));
				const isBatch = text.includes("AS batch");
				return { rows: isBatch ? [{ last: "n:10", size: 1, expired: 1 }] : [], rowCount: 0 };
			},
		});
		await store.insert(key).catch(() => {});
		await store.get(key.id);
		await store.consume(key.id, "u");
		await store.consumeAndDelete?.(key, "n:2");
		await store.takeAttempts?.(guess);
		await store.getAllByUser("u", "n:").catch(() => {});
		await store.deleteAllByUser("u", "n:");
		await store.deleteExpiredByUser("u", "n:", 0);
		await store.deleteOldest?.("u", "n:", 3, LATER);
		await store.deleteExpired?.("n:", 0, "");
		expect(plans).toHaveLength(12);
		for (const plan of plans) {
			expect(plan).toContain("Index");
			expect(plan).not.toMatch(/Seq Scan on auth/);
		}
	});
});
