import { describe, expect, inject, onTestFinished, test, vi } from "vitest";
import { idToken, passwordToken } from "../../src/index.js";
import { pg, type PgOptions, type PgPool } from "../../src/stores/pg.js";
import { type OpenOptions, openPostgres, postgres } from "../support/database.js";
import { tokenError } from "../support/errors.js";
import { passCases, toOwnHarness } from "../support/harness.js";
import { OWN_TABLES } from "../support/schema.js";
import {
	callAll,
	expectNumericExpiry,
	expectOneWinner,
	guess,
	key,
	passAll,
	withUser,
} from "./matrix.js";

const url = inject("postgres");

const open = (options?: OpenOptions, config?: postgres.PoolConfig) =>
	withUser(openPostgres(url, options, config));

const failing = (code: string) => Object.assign(new Error(`failed: ${code}`), { code });

describe.skipIf(url === "")("pg", () => {
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
		await db.sql(`INSERT INTO ${db.ownTables.user} (id) VALUES (?)`, ["u"]);
		const prepared = () => db.sql("SELECT name FROM pg_prepared_statements ORDER BY name");
		const useAll = (pool: PgPool, options?: PgOptions) => callAll(pg(pool, options));
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
		/** A pool that refuses statements with a name, as a server does on which they are not prepared. */
		const openUnprepared = (code: string) => {
			const isNamed: boolean[] = [];
			const pool: PgPool = {
				totalCount: 0,
				query: async ({ name }) => {
					isNamed.push(name !== undefined);
					if (name) throw failing(code);
					return { rows: [], rowCount: 1 };
				},
			};
			return { pool, isNamed };
		};

		test.each(["42P05", "26000", "0A000"])(
			"and the store stops naming statements: %s",
			async (code) => {
				const { pool, isNamed } = openUnprepared(code);
				const store = pg(pool);
				await Promise.all([store.insert(key), store.get(key.id)]);
				await store.consume(key.id);
				expect(isNamed).toEqual([true, true, false, false, false]);
			},
		);

		test("but only once", async () => {
			const query = vi.fn(() => Promise.reject(failing("26000")));
			await expect(pg({ totalCount: 0, query }).get(key.id)).rejects.toThrow("26000");
			expect(query).toHaveBeenCalledTimes(2);
		});

		test("and no other error stops it", async () => {
			const { pool, isNamed } = openUnprepared("42P01");
			const store = pg(pool);
			for (let call = 0; call < 2; call++) {
				await expect(store.get(key.id)).rejects.toThrow("42P01");
			}
			expect(isNamed).toEqual([true, true]);
		});

		test("outside of the app's transaction, where the error is the first one", async () => {
			const db = await open({}, { max: 1 });
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
		const refusing = pg({ query: () => Promise.reject(failing("22021")) });
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

	test.each(['varchar(255) COLLATE "en-x-icu"', 'text COLLATE "POSIX"', "varchar(255) COLLATE ci"])(
		"every case passes with ids of the type %s",
		async (type) => {
			const db = await open();
			await db.sql(
				"CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
			);
			for (const column of ["auth_user.id", "auth_key.user_id", "auth_key.id"]) {
				const [table = "", name = ""] = column.split(".");
				await db.sql(`ALTER TABLE ${table} ALTER COLUMN ${name} TYPE ${type}`);
			}
			await passAll(db);
		},
	);

	test("revoke alone needs the permission to update, as docs/production.md says", async () => {
		const db = await open({}, { max: 1 });
		const role = `role_${db.name}`;
		await db.sql(`CREATE ROLE ${role};
			GRANT USAGE ON SCHEMA ${db.name} TO ${role}; GRANT SELECT ON auth_user TO ${role};
			GRANT SELECT, INSERT, DELETE ON auth_key TO ${role}; SET ROLE ${role}`);
		onTestFinished(async () => {
			await db.sql(`RESET ROLE; DROP OWNED BY ${role}; DROP ROLE ${role}`);
		});
		const store = pg(db.pool);
		const links = idToken(store, "n", { expiresIn: 60, maxTokensPerUser: 3, minInterval: 60 });
		const codes = passwordToken(store, "c", { expiresIn: 60 });
		await links.validate(await links.issue("u"));
		await codes.validate(await codes.issue("u"), "u");
		await links.deleteExpiredTokens();
		const revoke = () => store.consumeAndRevoke?.("n:none", "u", ["n:"], 0);
		await expect(revoke()).rejects.toThrow("permission denied");
		await db.sql(`RESET ROLE; GRANT UPDATE ON auth_key TO ${role}; SET ROLE ${role}`);
		expect(await revoke()).toBeNull();
	});

	test("every case passes on custom tables, without prepared statements", async () => {
		const db = await open();
		const store = pg(db.pool, { prepare: false, tables: OWN_TABLES });
		await passCases(toOwnHarness(db, store));
	});

	test("one of ten concurrent calls wins when transactions are repeatable read by default", async () => {
		const options = "-c default_transaction_isolation=repeatable\\ read";
		const db = await open({}, { options });
		await expectOneWinner(pg(db.pool));
	});

	test.each(["40001", "40P01"])(
		"a statement that PostgreSQL rolled back is retried ten times: %s",
		async (code) => {
			const query = vi.fn(async () => ({ rows: [], rowCount: 1 }));
			for (let times = 0; times < 10; times++) query.mockRejectedValueOnce(failing(code));
			await pg({ query }).insert(key);
			expect(query).toHaveBeenCalledTimes(11);
			query.mockReset().mockRejectedValue(failing(code));
			await expect(pg({ query }).insert(key)).rejects.toThrow(code);
			expect(query).toHaveBeenCalledTimes(11);
		},
	);

	test.each([
		["a known user's reaches the caller: a schema with a mistake", async () => [{}], "22003"],
		["an unknown user's is INVALID_USER_ID", async () => [], "INVALID_USER_ID"],
		[
			"an unknown user's is INVALID_USER_ID in a transaction, which it aborted",
			() => Promise.reject(failing("25P02")),
			"INVALID_USER_ID",
		],
	])("an error of what a column cannot hold: %s", async (_, findUser, message) => {
		const store = pg({
			query: async ({ text }) => {
				if (text.startsWith("SELECT")) return { rows: await findUser(), rowCount: null };
				throw failing("22003");
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
		const storeFor = (code: string) => pg({ query: () => Promise.reject(failing(code)) });
		expect(await storeFor("23503").takeAttempts?.(guess)).toEqual([]);
		await expect(storeFor("53300").takeAttempts?.(guess)).rejects.toThrow("53300");
	});

	test("a guess that lost an attempt to another call asks for that code's alone again", async () => {
		const row = (id: string, is_taken: boolean) => ({ id, user_id: "u", expires: 1, is_taken });
		const results = [
			[row(":n:a 1 1", true), row(":n:b 1 1", false)],
			[row(":n:b 1 3", false)],
			[row(":n:b 1 2", true)],
		];
		const tried: unknown[] = [];
		const store = pg({
			query: async ({ values }) => {
				tried.push(structuredClone(values.find(Array.isArray)));
				return { rows: results.shift() ?? [], rowCount: null };
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
		const empty: PgPool = { query: async () => ({ rows: [], rowCount: 0 }) };
		for (const pool of [db.pool, client, wrapper, empty]) {
			expect(await pg(pool).isInTransaction?.()).toBe(false);
		}
		for (const isolation of ["READ COMMITTED", "SERIALIZABLE"]) {
			await client.query(`BEGIN ISOLATION LEVEL ${isolation}`);
			expect(await pg(client).isInTransaction?.()).toBe(true);
			await client.query("ROLLBACK");
			expect(await pg(client).isInTransaction?.()).toBe(false);
		}
		client.release();
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
		await callAll(store);
		expect(plans).toHaveLength(13);
		for (const plan of plans) {
			expect(plan).toContain("Index");
			expect(plan).not.toMatch(/Seq Scan on auth/);
		}
	});
});
