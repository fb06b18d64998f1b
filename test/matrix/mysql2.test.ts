import { describe, expect, inject, test, vi } from "vitest";
import { idToken, passwordToken } from "../../src/index.js";
import { mysql2, type Mysql2Pool } from "../../src/stores/mysql2.js";
import { openMysql, type OpenOptions } from "../support/database.js";
import { tokenError } from "../support/errors.js";
import { passCases, toHarness } from "../support/harness.js";
import {
	expectNumericExpiry,
	expectOneWinner,
	guess,
	key,
	LATER,
	matrix,
	passAll,
	SOURCES,
	withUser,
} from "./matrix.js";

const url = inject("mysql");

const open = (options?: OpenOptions, config?: Parameters<typeof openMysql>[2]) =>
	withUser(openMysql(url, options, config));

type Execute = Mysql2Pool["execute"];

/** A store on a server that says it is MySQL, which does not return what it deletes. */
const onMysql = (execute: Execute) =>
	mysql2({
		execute: async (sql, values) =>
			sql.startsWith("SHOW")
				? [[{ Variable_name: "version", Value: "8.4.0" }], []]
				: execute(sql, values),
	});

const failing = (errno: number) => Object.assign(new Error(`failed: ${errno}`), { errno });

matrix("MySQL or MariaDB", (options) => openMysql(url, options), url !== "");

describe.skipIf(url === "")("MySQL or MariaDB, besides", () => {
	test.each(["utf8mb4_unicode_ci", "utf8mb4_bin"])(
		"every case passes with the collation %s",
		async (collation) => passAll(await open({ collation })),
	);

	test("an expiry can be a string", async () => {
		await expectNumericExpiry(await open({}, { supportBigNumbers: true, bigNumberStrings: true }));
	});

	test.each(SOURCES)(
		"on a lenient server, a token whose expiry a DATETIME has lost is never valid: %s",
		async (source) => {
			const db = await open({}, { connectionLimit: 1 });
			await db.sql("ALTER TABLE auth_key MODIFY expires DATETIME");
			await db.sql("SET SESSION sql_mode = ''");
			const links = idToken(db[source], "link", { expiresIn: 600 });
			const codes = passwordToken(db[source], "code", { expiresIn: 600 });
			const [link, code] = [await links.issue("u"), await codes.issue("u")];
			const lost = /^The column expires must|INVALID_TOKEN/;
			await expect(links.validate(link)).rejects.toThrow(lost);
			await expect(codes.validate(code, "u")).rejects.toThrow(Error);
		},
	);

	// Only MariaDB has snapshot isolation, its default from 11.6 on: a row that has changed is an error there.
	test.each([
		"TRANSACTION ISOLATION LEVEL READ UNCOMMITTED",
		"TRANSACTION ISOLATION LEVEL READ COMMITTED",
		"TRANSACTION ISOLATION LEVEL REPEATABLE READ",
		"TRANSACTION ISOLATION LEVEL SERIALIZABLE",
		"innodb_snapshot_isolation = ON",
	])("one of ten concurrent calls wins with %s", async (setting) => {
		const db = await open({}, { connectionLimit: 11 });
		const connections = await Promise.all(
			Array.from({ length: 10 }, () => db.pool.getConnection()),
		);
		for (const connection of connections) {
			await connection.query(`SET SESSION ${setting}`).catch(() => {});
		}
		// As in a pool, whose statements run again after a deadlock.
		const stores = connections.map((connection) =>
			mysql2({ execute: (sql, values) => connection.execute(sql, values) }),
		);
		await expectOneWinner(db.nativeSource, stores);
		for (const connection of connections) connection.release();
	});

	test.each(["READ COMMITTED", "REPEATABLE READ"])(
		"a user who is deleted during issue is unknown: %s",
		async (isolation) => {
			const db = await open();
			const [one, other] = [await db.pool.getConnection(), await db.pool.getConnection()];
			await one.query(`SET SESSION TRANSACTION ISOLATION LEVEL ${isolation}`);
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
			await db.sql("INSERT INTO auth_user (id) VALUES ('v')");
			await db.nativeSource.insert(key);
			const store = onMysql(async (sql, values) => {
				if (sql.startsWith("DELETE")) await db.sql(`UPDATE auth_key SET ${change}`);
				return db.pool.execute(sql, values);
			});
			expect(await store.consume(key.id)).toBeNull();
			expect(await db.keys()).toHaveLength(1);
		},
	);

	test("every case passes with the statements for MySQL, which knows no RETURNING", async () => {
		const db = await open();
		const store = onMysql((sql, values) => {
			expect(sql).not.toContain("RETURNING");
			return db.pool.execute(sql, values);
		});
		await passCases(toHarness(db, store));
	});

	test("consumeAndDelete returns the key on MySQL even if the other one cannot be deleted", async () => {
		const db = await open();
		const store = onMysql(async (sql, values) => {
			if (values.includes("n:other")) throw new Error("connection lost");
			return db.pool.execute(sql, values);
		});
		await store.insert(key);
		expect(await store.consumeAndDelete?.(key, "n:other")).toEqual(key);
		expect(await store.consumeAndDelete?.(key, "n:other")).toBeNull();
	});

	test("an error reaches the caller of a guess on MySQL", async () => {
		const store = onMysql(() => Promise.reject(new Error("connection lost")));
		await expect(store.takeAttempts?.(guess)).rejects.toThrow("connection lost");
	});

	test.each([
		["ON", 2],
		["OFF", 1],
	])(
		"attempts are taken one by one on Galera, whose nodes crash at the one statement: wsrep %s",
		async (Value, expected) => {
			const db = await open();
			await db.nativeSource.insert(key);
			const statements: string[] = [];
			const store = mysql2({
				execute: async (sql, values) => {
					const [rows, fields] = await db.pool.execute(sql, values);
					if (sql.startsWith("SHOW")) {
						return [[...(rows as unknown[]), { Variable_name: "wsrep_on", Value }], fields];
					}
					statements.push(sql);
					return [rows, fields];
				},
			});
			expect(await store.takeAttempts?.(guess)).toHaveLength(1);
			expect(statements).toHaveLength(expected);
			expect(await db.keys()).toHaveLength(2);
		},
	);

	test.each([
		["was chosen to end a deadlock", 1213],
		["wanted an attempt that another call took", 1062],
		["the server is too old for", 1064],
	])("a guess is made one by one if its statement %s", async (_what, errno) => {
		const db = await open();
		await db.nativeSource.insert(key);
		const store = (errno: number) =>
			mysql2({
				execute: async (sql, values) => {
					if (sql.includes("WITH mine")) throw failing(errno);
					return db.pool.execute(sql, values);
				},
			});
		const last = { ...guess, maxAttempts: 1 };
		await expect(store(1040).takeAttempts?.(last)).rejects.toThrow("1040");
		expect(await store(errno).takeAttempts?.(last)).toEqual([{ ...key, id: `:n:a ${LATER} 1` }]);
		expect(await store(errno).takeAttempts?.(last)).toEqual([]);
	});

	test("the store asks for the server version once, and again after a failure", async () => {
		const db = await open();
		const execute = vi.fn<Execute>((sql, values) => db.pool.execute(sql, values));
		execute.mockRejectedValueOnce(new Error("connection lost"));
		const store = mysql2({ execute });
		await expect(store.consume(key.id)).rejects.toThrow("connection lost");
		for (let count = 0; count < 2; count++) {
			await store.insert(key);
			expect(await store.consume(key.id)).toEqual(key);
		}
		const asked = execute.mock.calls.filter(([sql]) => sql.startsWith("SHOW"));
		expect(asked).toHaveLength(2);
	});

	test("a statement that a deadlock rolled back is retried ten times", async () => {
		const execute = vi.fn<Execute>(async () => [{ affectedRows: 1 }, []]);
		for (let times = 0; times < 10; times++) execute.mockRejectedValueOnce(failing(1213));
		await mysql2({ execute }).insert(key);
		expect(execute).toHaveBeenCalledTimes(11);
		execute.mockReset().mockRejectedValue(failing(1213));
		await expect(mysql2({ execute }).insert(key)).rejects.toThrow("1213");
		expect(execute).toHaveBeenCalledTimes(11);
	});

	test("a deadlock reaches the caller in the caller's transaction", async () => {
		const db = await open();
		await db.sql("INSERT INTO auth_user (id) VALUES ('v')");
		await db.nativeSource.insert(key);
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

	test("each statement uses an index", async () => {
		const db = await open();
		const rows = Array.from({ length: 2000 }, (_, n) => n);
		await db.sql("INSERT INTO auth_user (id) VALUES ?", [rows.map((n) => [`u${n}`])]);
		await db.sql("INSERT INTO auth_key VALUES ?", [
			rows.map((n) => [`n:${n}`, `u${n}`, false, null, 1]),
		]);
		await db.sql("ANALYZE TABLE auth_user, auth_key");
		type Plan = { table: string; key: string | null; rows: string | number }[];
		const plans: Plan[] = [];
		const explain: Execute = async (sql, values) => {
			if (sql.startsWith("SHOW")) return db.pool.execute(sql, values);
			const [plan] = await db.pool.execute(`EXPLAIN ${sql}`, values);
			plans.push(plan as unknown as Plan);
			const isChange = /^(INSERT|DELETE)/.test(sql) && !sql.includes("RETURNING");
			return [isChange ? { affectedRows: 1 } : [{ ...key, user_id: "u1", id: "n:1" }], []];
		};
		const own = { id: "n:1", userId: "u1", expires: LATER };
		const mysql = onMysql(explain);
		await mysql.insert(own);
		await mysql.consume(own.id);
		await mysql.delete(own.id, "u1");
		await mysql.getAllByUser("u1", "n:");
		await mysql.deleteAllByUser("u1", "n:");
		await mysql.deleteExpiredByUser("u1", "n:", 0);
		expect(plans).toHaveLength(7);

		const mariadb = mysql2({ execute: explain });
		await mariadb.consumeAndDelete?.(own, "n:2");
		const [both] = plans.splice(7).flat();
		expect([both?.key, Number(both?.rows)]).toEqual(["PRIMARY", 2]);

		await mariadb.takeAttempts?.({ ...guess, userId: "u1" });
		const ofTables = plans
			.splice(7)
			.flatMap((plan) => plan.filter(({ table }) => /^auth/.test(table)));
		expect(ofTables.length).toBeGreaterThanOrEqual(2);
		for (const row of [...plans.flat(), ...ofTables]) {
			// The row of the table that an INSERT writes to has no plan.
			if (row.table === "auth_key" && row.rows === null) continue;
			expect(row.key, JSON.stringify(row)).toMatch(/PRIMARY|auth_key_user_id/);
			expect(Number(row.rows)).toBe(1);
		}
	});
});
