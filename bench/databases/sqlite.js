import { betterSqlite3 as luciaAdapter } from "@lucia-auth/adapter-sqlite";
import { betterSqlite3 as nativeStore } from "@lucia-auth/tokens/better-sqlite3";
import BetterSqlite3 from "better-sqlite3";
import { SqliteDialect } from "kysely";
import Libsql from "libsql";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { allContenders } from "../contenders/all.js";
import { counter } from "../counter.js";
import { versions } from "../machine.js";
import { EVERYONE, luciaRows, luciaSchema, OTHERS, TOKENS_OF_OTHERS } from "./schema.js";

const statementsOn = (db) => {
	const insert = db.prepare(
		`INSERT INTO auth_key (id, user_id, primary_key, hashed_password, expires)
		VALUES (?, ?, 0, NULL, ?)`,
	);
	const take = db.prepare("DELETE FROM auth_key WHERE id = ? RETURNING id, user_id, expires");
	const list = db.prepare("SELECT id, user_id, expires FROM auth_key WHERE user_id = ?");
	const revokeAll = db.prepare("DELETE FROM auth_key WHERE user_id = ?");
	return {
		insert: (id, userId, expires) => insert.run(id, userId, expires),
		// Not get(), which on libsql does not run a statement to its end.
		take: (id) => take.all(id)[0],
		list: (userId) => list.all(userId),
		revokeAll: async (userId) => revokeAll.run(userId),
	};
};

const sqlite = (name, Database) => ({
	name,
	networked: false,

	async open(url, { later }) {
		const folder = await mkdtemp(join(tmpdir(), "lucia-tokens-bench-"));
		later(() => rm(folder, { recursive: true }));
		const db = new Database(join(folder, "bench.db"));
		later(async () => db.close());
		// As its documentation recommends for the web; a commit then does not wait for the disk.
		db.pragma("journal_mode = WAL");
		db.pragma("synchronous = NORMAL");
		db.pragma("foreign_keys = ON");
		for (const text of luciaSchema({ text: "TEXT", boolean: "INTEGER" })) db.exec(text);
		const addUser = db.prepare("INSERT INTO auth_user VALUES (?)");
		for (const id of EVERYONE) addUser.run(id);

		const addKey = db.prepare("INSERT INTO auth_key VALUES (?, ?, 0, NULL, ?)");
		const fill = async (userIds, count) => {
			db.exec("BEGIN");
			for (const rows of luciaRows(userIds, count)) for (const row of rows) addKey.run(row);
			db.exec("COMMIT");
		};
		await fill(OTHERS, TOKENS_OF_OTHERS);

		const direct = await allContenders({
			statements: statementsOn(db),
			adapter: luciaAdapter(db),
			nativeStore: nativeStore(db),
			betterAuthDatabase: {
				dialect: new SqliteDialect({ database: db }),
				type: "sqlite",
				// As if it got the Database itself. It does not recognize libsql's.
				transaction: true,
			},
		});
		db.exec(`INSERT INTO verification (id, identifier, value, expiresAt, createdAt, updatedAt)
			SELECT id, id, '{"type":"magic-link","email":"other@example.com"}',
				'2100-01-01T00:00:00.000Z', '2020-01-01T00:00:00.000Z', '2020-01-01T00:00:00.000Z'
			FROM auth_key`);
		db.exec("ANALYZE");

		const countLeft = db.prepare(
			"SELECT count(*) AS tokens FROM auth_key WHERE user_id NOT LIKE 'other%'",
		);
		const { sqlite: engine } = db.prepare("SELECT sqlite_version() AS sqlite").all([])[0];
		return {
			version: `${name} ${versions[name]}, SQLite ${engine}`,
			settings: { journal_mode: "wal", synchronous: "normal" },
			contenders: { direct },
			fill,
			count: counter([
				[Object.getPrototypeOf(addUser), ["run", "all", "get", "iterate"]],
				[Database.prototype, ["exec"]],
			]),
			tokensLeft: async () => countLeft.all([])[0].tokens,
			empty: async () => db.exec("DELETE FROM auth_key WHERE user_id NOT LIKE 'other%'"),
			settle: async () => {
				db.pragma("wal_checkpoint(TRUNCATE)");
			},
		};
	},
});

export const libsql = sqlite("libsql", Libsql);
export const betterSqlite3 = sqlite("better-sqlite3", BetterSqlite3);
