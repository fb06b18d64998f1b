import { mysql2 as luciaAdapter } from "@lucia-auth/adapter-mysql";
import { mysql2 as nativeStore } from "@lucia-auth/tokens/mysql2";
import mysql from "mysql2";
import { allContenders } from "../contenders/all.js";
import { counter } from "../counter.js";
import {
	EVERYONE,
	luciaRows,
	luciaSchema,
	OTHERS,
	TOKENS_OF_OTHERS,
	toAddress,
	uniqueName,
} from "./schema.js";

const statementsOn = (pool) => {
	const execute = async (sql, values) => (await pool.execute(sql, values))[0];
	return {
		insert: (id, userId, expires) =>
			execute(
				`INSERT INTO auth_key (id, user_id, primary_key, hashed_password, expires)
				VALUES (?, ?, 0, NULL, ?)`,
				[id, userId, expires],
			),
		take: async (id) =>
			(await execute("DELETE FROM auth_key WHERE id = ? RETURNING id, user_id, expires", [id]))[0],
		list: (userId) =>
			execute("SELECT id, user_id, expires FROM auth_key WHERE user_id = ?", [userId]),
		revokeAll: (userId) => execute("DELETE FROM auth_key WHERE user_id = ?", [userId]),
	};
};

export const mariadb = {
	name: "MariaDB",
	variable: "MYSQL_URL",
	defaultUrl: "mysql://root@127.0.0.1:3306",
	port: 3306,
	networked: true,

	async open(url, { connections, through, later }) {
		const address = toAddress(url, this.port);
		const name = uniqueName();
		const admin = mysql.createConnection(address).promise();
		later(() => admin.end());
		await admin.query(`CREATE DATABASE ${name}`);
		later(() => admin.query(`DROP DATABASE ${name}`));
		await admin.query(`USE ${name}`);
		const newPool = (to) => {
			const pool = mysql.createPool({
				...address,
				...to,
				database: name,
				connectionLimit: connections,
			});
			later(() => pool.promise().end());
			return pool;
		};
		const pools = { direct: newPool({}), delayed: newPool(through) };

		for (const text of luciaSchema({ text: "VARCHAR(255)", boolean: "TINYINT(1)" })) {
			await admin.query(text);
		}
		await admin.query("INSERT INTO auth_user VALUES ?", [EVERYONE.map((id) => [id])]);
		// This connection only fills tables, and is faster without checks.
		await admin.query("SET foreign_key_checks = 0, unique_checks = 0");
		const fill = async (userIds, count) => {
			for (const rows of luciaRows(userIds, count)) {
				await admin.query("INSERT INTO auth_key VALUES ?", [
					rows.map(([id, userId, expires]) => [id, userId, 0, null, expires]),
				]);
			}
		};
		await fill(OTHERS, TOKENS_OF_OTHERS);

		const contendersOn = (pool) =>
			allContenders({
				statements: statementsOn(pool),
				adapter: luciaAdapter(pool),
				nativeStore: nativeStore(pool),
				betterAuthDatabase: pool,
			});
		const contenders = {
			direct: await contendersOn(pools.direct.promise()),
			delayed: await contendersOn(pools.delayed.promise()),
		};
		await admin.query(`INSERT INTO verification (id, identifier, value, expiresAt, createdAt, updatedAt)
			SELECT LEFT(id, 36), id, '{"type":"magic-link","email":"other@example.com"}',
				now() + INTERVAL 1 DAY, now(), now() FROM auth_key`);
		await admin.query("ANALYZE TABLE auth_key, verification");

		const [[{ version, flush, log }]] = await admin.query(
			"SELECT version() AS version, @@innodb_flush_log_at_trx_commit AS flush, @@log_bin AS log",
		);
		return {
			version: `MariaDB ${/^[\d.]+/.exec(version)[0]}`,
			settings: { innodb_flush_log_at_trx_commit: flush, log_bin: log },
			contenders,
			fill,
			ping: (network) => pools[network].promise().execute("SELECT 1"),
			count: counter([[mysql.Connection.prototype, ["query", "execute"]]]),
			tokensLeft: async () => {
				const [[{ tokens }]] = await admin.query(
					"SELECT count(*) AS tokens FROM auth_key WHERE user_id NOT LIKE 'other%'",
				);
				return Number(tokens);
			},
			empty: () => admin.query("DELETE FROM auth_key WHERE user_id NOT LIKE 'other%'"),
			settle: async () => {},
		};
	},
};
