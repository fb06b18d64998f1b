import { describe, expect, inject, onTestFinished, test, vi } from "vitest";
import { mysql2, type Mysql2Pool } from "../../src/stores/mysql2.js";
import { idToken, passwordToken } from "../../src/index.js";
import { keyStoreCases } from "../../src/testing.js";
import { openMysql } from "../support/databases.js";
import { toHarness } from "../support/database.js";
import { tokenError } from "../support/errors.js";
import { behavior, expectNumericExpiry } from "./behavior.js";
import { KINDS, matrix } from "./matrix.js";

const url = inject("mysql");
const LATER = 4_000_000_000_000;
const key = { id: "n:a", userId: "u", expires: LATER };
// What MySQL says of itself, which does not return what it deletes.
const asMysql: [unknown, unknown] = [[{ Variable_name: "version", Value: "8.4.0" }], []];
const SOURCES = ["defaultSource", "nativeSource"] as const;

// MySQL 8 and MariaDB call the variable by different names.
const setIsolation = async (
	connection: { query: (sql: string) => Promise<unknown> },
	isolation: string,
): Promise<unknown> =>
	connection
		.query(`SET SESSION transaction_isolation = '${isolation}'`)
		.catch(() => connection.query(`SET SESSION tx_isolation = '${isolation}'`));

type Rest = Parameters<typeof openMysql> extends [string, ...infer Options] ? Options : never;

// Dropped at the end of its test, whether or not it passes.
const open: (...options: Rest) => ReturnType<typeof openMysql> = async (...options) => {
	const db = await openMysql(url, ...options);
	onTestFinished(() => db.close());
	return db;
};

matrix("MySQL or MariaDB", (options) => openMysql(url, options), url !== "");

describe.skipIf(url === "").each(["utf8mb4_unicode_ci", "utf8mb4_bin"])(
	"MySQL or MariaDB, %s",
	(collation) => {
		for (const source of SOURCES) {
			const opened = async () => {
				const db = await openMysql(url, { collation });
				return { ...toHarness(db, db[source]), source: db[source], close: () => db.close() };
			};
			behavior(source, opened, KINDS[source]);
		}
	},
);

describe.skipIf(url === "")("MySQL or MariaDB, besides", () => {
	test.each(SOURCES)("latin1 columns work for the characters they support: %s", async (source) => {
		const db = await open({ collation: "latin1_swedish_ci" });
		const handler = idToken(db[source], "né", { expiresIn: 60, generate: () => "Token" });
		await db.sql("INSERT INTO auth_user (id) VALUES (?)", ["ü"]);
		await handler.issue("ü");
		await expect(handler.issue("u")).rejects.toEqual(tokenError("INVALID_USER_ID"));
		await expect(handler.validate("token")).rejects.toEqual(tokenError("INVALID_TOKEN"));
		expect(await handler.getAllUserTokens("ü")).toHaveLength(1);
		expect((await handler.validate("Token")).userId).toBe("ü");
	});

	test.each(SOURCES)(
		"on a lenient server, a token whose expiry a DATETIME has lost is never valid: %s",
		async (source) => {
			const db = await open({}, { connectionLimit: 1 });
			await db.sql("INSERT INTO auth_user (id) VALUES ('u')");
			await db.sql("ALTER TABLE auth_key MODIFY expires DATETIME");
			await db.sql("SET SESSION sql_mode = ''");
			const links = idToken(db[source], "link", { expiresIn: 600 });
			const codes = passwordToken(db[source], "code", { expiresIn: 600 });
			const [link, code] = [await links.issue("u"), await codes.issue("u")];
			expect(await db.sql("SELECT id FROM auth_key")).toHaveLength(2);
			const clock = vi.spyOn(Date, "now");
			onTestFinished(() => clock.mockRestore());
			for (const years of [0, 5]) {
				clock.mockReturnValue(link.expiresAt.getTime() + years * 365 * 24 * 60 * 60 * 1000);
				for (const operation of ["getToken", "validate"] as const) {
					await expect(links[operation](link)).rejects.toThrow(
						/^The column expires must|INVALID_TOKEN/,
					);
					await expect(codes[operation](code, "u")).rejects.toThrow(Error);
				}
			}
		},
	);

	test.each([
		["as a string", { supportBigNumbers: true, bigNumberStrings: true }],
		["as a number", {}],
	])("an expiry may come %s", async (_type, config) => {
		const db = await open({}, config);
		await expectNumericExpiry(db);
	});

	test.each(["READ-UNCOMMITTED", "READ-COMMITTED", "REPEATABLE-READ", "SERIALIZABLE"])(
		"at most one of ten concurrent calls wins when transactions are %s by default",
		async (isolation) => {
			const db = await open();
			const pool: Mysql2Pool = {
				execute: async (sql, values) => {
					const connection = await db.pool.getConnection();
					try {
						await setIsolation(connection, isolation);
						return await connection.execute(sql, values);
					} finally {
						connection.release();
					}
				},
			};
			await db.sql("INSERT INTO auth_user (id) VALUES (?)", ["u"]);
			for (let round = 0; round < 20; round++) {
				await mysql2(pool).insert(key);
				const calls = Array.from({ length: 10 }, () => mysql2(pool).consume(key.id));
				expect((await Promise.all(calls)).filter((one) => one !== null)).toHaveLength(1);
			}
		},
	);

	test.each(["READ-COMMITTED", "REPEATABLE-READ"])(
		"a user who is deleted during issue is unknown: %s",
		async (isolation) => {
			const db = await open();
			await db.sql("INSERT INTO auth_user (id) VALUES (?)", ["u"]);
			const [one, other] = [await db.pool.getConnection(), await db.pool.getConnection()];
			await setIsolation(one, isolation);
			await other.query("BEGIN");
			await other.query("DELETE FROM auth_user");
			const issued = expect(mysql2(one).insert(key)).rejects.toEqual(tokenError("INVALID_USER_ID"));
			await new Promise((resolve) => setTimeout(resolve, 200));
			await other.query("COMMIT");
			await issued;
			for (const connection of [one, other]) connection.release();
		},
	);

	test.each(["user_id = 'v'", "expires = 1"])(
		"consume leaves a key that replaced the one it read: %s",
		async (change) => {
			const db = await open();
			await db.sql("INSERT INTO auth_user (id) VALUES ('u'), ('v')");
			await mysql2(db.pool).insert(key);
			const store = mysql2({
				execute: async (sql, values) => {
					if (sql.startsWith("SHOW")) return asMysql;
					if (sql.startsWith("DELETE")) await db.sql(`UPDATE auth_key SET ${change}`);
					return db.pool.execute(sql, values);
				},
			});
			expect(await store.consume(key.id)).toBeNull();
			expect(await db.keys()).toHaveLength(1);
		},
	);

	test("one of many concurrent calls wins by the count of deleted rows, as on MySQL", async () => {
		const db = await open();
		await db.sql("INSERT INTO auth_user (id) VALUES ('u')");
		const statements: string[] = [];
		const store = mysql2({
			execute: async (sql, values) => {
				statements.push(sql);
				return sql.startsWith("SHOW") ? asMysql : db.pool.execute(sql, values);
			},
		});
		for (let round = 0; round < 20; round++) {
			await store.insert(key);
			const results = await Promise.all(Array.from({ length: 20 }, () => store.consume(key.id)));
			expect(results.filter((result) => result !== null)).toEqual([key]);
		}
		expect(statements.filter((sql) => sql.startsWith("SHOW"))).toHaveLength(1);
		expect(statements.filter((sql) => sql.includes("RETURNING"))).toEqual([]);
	});

	test("consumeAndDelete returns the key on MySQL even if the other one cannot be deleted", async () => {
		const db = await open();
		await db.sql("INSERT INTO auth_user (id) VALUES ('u')");
		const store = mysql2({
			execute: async (sql, values) => {
				if (values.includes("n:other")) throw new Error("connection lost");
				return sql.startsWith("SHOW") ? asMysql : db.pool.execute(sql, values);
			},
		});
		await store.insert(key);
		expect(await store.consumeAndDelete?.(key, "n:other")).toEqual(key);
		expect(await store.consumeAndDelete?.(key, "n:other")).toBeNull();
	});

	test("attempts are taken one by one on Galera, whose nodes crash at the one statement", async () => {
		const db = await open();
		await db.sql("INSERT INTO auth_user (id) VALUES ('u')");
		for (const [wsrep, expected] of [
			["ON", 2],
			["OFF", 1],
		] as const) {
			const statements: string[] = [];
			const store = mysql2({
				execute: async (sql, values) => {
					const [rows, fields] = await db.pool.execute(sql, values);
					if (!sql.startsWith("SHOW")) statements.push(sql);
					const isRow = (row: unknown) =>
						(row as { Variable_name: string }).Variable_name !== "wsrep_on";
					return sql.startsWith("SHOW")
						? [
								[...(rows as unknown[]).filter(isRow), { Variable_name: "wsrep_on", Value: wsrep }],
								fields,
							]
						: [rows, fields];
				},
			});
			await db.sql("DELETE FROM auth_key");
			await store.insert(key);
			statements.length = 0;
			const guess = { userId: "u", prefix: "n:", id: "n:x", maxAttempts: 5, now: 0 };
			expect(await store.takeAttempts?.(guess)).toHaveLength(1);
			expect(statements).toHaveLength(expected);
			expect(await db.keys()).toHaveLength(2);
		}
	});

	test("an error reaches the caller of a guess on MySQL", async () => {
		const store = mysql2({
			execute: async (sql) => {
				if (sql.startsWith("SHOW")) return asMysql;
				throw new Error("connection lost");
			},
		});
		const guess = { userId: "u", prefix: "n:", id: "n:a", maxAttempts: 5, now: 0 };
		await expect(store.takeAttempts?.(guess)).rejects.toThrow("connection lost");
	});

	test.each([
		["was chosen to end a deadlock", 1213],
		["wanted an attempt that another call took", 1062],
		["the server is too old for", 1064],
	])("a guess is made one by one if its statement %s", async (_what, errno) => {
		const db = await open();
		await db.sql("INSERT INTO auth_user (id) VALUES ('u')");
		const failing = (errno: number) =>
			mysql2({
				execute: async (sql, values) => {
					if (!sql.includes("WITH mine")) return db.pool.execute(sql, values);
					throw Object.assign(new Error("failed"), { errno });
				},
			});
		await failing(errno).insert(key);
		const guess = { userId: "u", prefix: "n:", id: "n:wrong", maxAttempts: 1, now: 0 };
		const attempt = { ...key, id: `:n:a ${LATER} 1` };
		await expect(failing(1040).takeAttempts?.(guess)).rejects.toThrow("failed");
		expect(await failing(errno).takeAttempts?.(guess)).toEqual([attempt]);
		expect(await failing(errno).takeAttempts?.(guess)).toEqual([]);
	});

	test("only a connection in a transaction of the app's is in a transaction", async () => {
		const db = await open();
		const connection = await db.pool.getConnection();
		expect(await mysql2(db.pool).isInTransaction?.()).toBe(false);
		expect(await mysql2(connection).isInTransaction?.()).toBe(false);
		await connection.beginTransaction();
		expect(await mysql2(connection).isInTransaction?.()).toBe(true);
		await connection.rollback();
		expect(await mysql2(connection).isInTransaction?.()).toBe(false);
		connection.release();
	});

	test("every case passes with the statements for MySQL", async () => {
		const db = await open();
		const store = mysql2({
			execute: async (sql, values) =>
				sql.startsWith("SHOW") ? asMysql : db.pool.execute(sql, values),
		});
		for (const { run } of keyStoreCases) await run(toHarness(db, store));
	});

	test("the store asks for the server version again after a failure", async () => {
		const db = await open();
		await db.sql("INSERT INTO auth_user (id) VALUES ('u')");
		let fails = true;
		const store = mysql2({
			execute: async (sql, values) => {
				if (fails) throw new Error("connection lost");
				return db.pool.execute(sql, values);
			},
		});
		await expect(store.consume(key.id)).rejects.toThrow("connection lost");
		fails = false;
		await store.insert(key);
		expect(await store.consume(key.id)).toEqual(key);
	});

	test("a statement that a deadlock rolled back is retried ten times", async () => {
		let deadlocks = 0;
		const deadlock = (times: number) => {
			deadlocks = 0;
			return mysql2({
				execute: async () => {
					if (deadlocks++ < times) throw Object.assign(new Error("Deadlock"), { errno: 1213 });
					return [{ affectedRows: 1 }, []];
				},
			});
		};
		await deadlock(10).insert(key);
		expect(deadlocks).toBe(11);
		await expect(deadlock(11).insert(key)).rejects.toThrow("Deadlock");
	});

	test("a deadlock reaches the caller in the caller's transaction", async () => {
		const db = await open();
		await db.sql("INSERT INTO auth_user (id) VALUES ('u'), ('v')");
		await mysql2(db.pool).insert(key);
		const [one, other] = [await db.pool.getConnection(), await db.pool.getConnection()];
		await one.query("BEGIN");
		await one.query("UPDATE auth_user SET username = 'a' WHERE id = 'v'");
		await other.query("BEGIN");
		// The transaction that has changed less is rolled back.
		const rows = Array.from({ length: 100 }, (_, n) => [`w${n}`]);
		await other.query("INSERT INTO auth_user (id) VALUES ?", [rows]);
		await other.query("UPDATE auth_key SET expires = expires + 1");
		const waits = expect(mysql2(one).delete(key.id)).rejects.toHaveProperty("errno", 1213);
		await other.query("UPDATE auth_user SET username = 'b' WHERE id = 'v'");
		await waits;
		await other.query("ROLLBACK");
		expect(await db.keys()).toHaveLength(1);
		for (const connection of [one, other]) connection.release();
	});

	test("one of ten concurrent calls wins when a changed row is an error in a snapshot", async () => {
		const db = await open({}, { connectionLimit: 11 });
		await db.sql("INSERT INTO auth_user (id) VALUES (?)", ["u"]);
		const connections = await Promise.all(
			Array.from({ length: 10 }, () => db.pool.getConnection()),
		);
		for (const connection of connections) {
			// MariaDB's alone, and its default from 11.6 on.
			await connection.query("SET SESSION innodb_snapshot_isolation = ON").catch(() => {});
		}
		for (let round = 0; round < 20; round++) {
			await mysql2(db.pool).insert(key);
			const calls = connections.map((connection) => mysql2(connection).consume(key.id));
			expect((await Promise.all(calls)).filter((one) => one !== null)).toHaveLength(1);
		}
		for (const connection of connections) connection.release();
	});

	test("each statement uses an index", async () => {
		const db = await open();
		const rows = Array.from({ length: 2000 }, (_, n) => n);
		await db.sql("INSERT INTO auth_user (id) VALUES ?", [rows.map((n) => [`u${n}`])]);
		await db.sql("INSERT INTO auth_key VALUES ?", [
			rows.map((n) => [`n:${n}`, `u${n}`, false, null, 1]),
		]);
		await db.sql("ANALYZE TABLE auth_user, auth_key");
		const plans: { table: string; key: string | null; rows: string | number }[][] = [];
		const explained = (version: typeof asMysql | null) =>
			mysql2({
				execute: async (sql, values) => {
					if (sql.startsWith("SHOW")) return version ?? db.pool.execute(sql, values);
					const [plan] = await db.pool.execute(`EXPLAIN ${sql}`, values);
					plans.push(plan as never);
					const isChange = /^(INSERT|DELETE)/.test(sql) && !sql.includes("RETURNING");
					return [isChange ? { affectedRows: 1 } : [{ ...key, user_id: "u1", id: "n:1" }], []];
				},
			});
		const store = explained(asMysql);
		await store.insert({ ...key, userId: "u1" });
		await store.consume("n:1");
		await store.delete("n:1", "u1");
		await store.getAllByUser("u1", "n:");
		await store.deleteAllByUser("u1", "n:");
		await store.deleteExpiredByUser("u1", "n:", 0);
		expect(plans).toHaveLength(7);
		await explained(null).consumeAndDelete?.({ ...key, id: "n:1", userId: "u1" }, "n:2");
		const [both] = plans.splice(7).flat();
		expect([both?.key, Number(both?.rows)]).toEqual(["PRIMARY", 2]);
		const guess = { userId: "u1", prefix: "n:", id: "n:1", maxAttempts: 5, now: 0 };
		await explained(null).takeAttempts?.(guess);
		plans.push(plans.splice(7).flatMap((plan) => plan.filter(({ table }) => /^auth/.test(table))));
		expect(plans.at(-1)?.length).toBeGreaterThanOrEqual(2);
		for (const row of plans.flat()) {
			// The row of the table that an INSERT writes to has no plan.
			if (row.table === "auth_key" && row.rows === null) continue;
			expect(row.key, JSON.stringify(row)).toMatch(/PRIMARY|auth_key_user_id/);
			expect(Number(row.rows)).toBe(1);
		}
	});
});
