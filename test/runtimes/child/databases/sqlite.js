import { betterSqlite3 as adapter } from "@lucia-auth/adapter-sqlite";
import { betterSqlite3 } from "@lucia-auth/tokens/better-sqlite3";
import lucia from "lucia-auth";
import { SCHEMA } from "../schema.js";

const MODULES = { libsql: "libsql", "node-sqlite": "node:sqlite", "bun-sqlite": "bun:sqlite" };

/** Opens a SQLite of the runtime, or the addon libsql. */
export const open = async (name) => {
	const { default: Addon, DatabaseSync: Database = Addon } = await import(MODULES[name]);
	const db = new Database(":memory:");
	for (const text of ["PRAGMA foreign_keys = ON", ...SCHEMA]) db.exec(text);
	return {
		stores: {
			// Lucia's adapter passes values as an array, which node:sqlite refuses.
			...(name !== "node-sqlite" && {
				"default store": lucia({ adapter: adapter(db), env: "DEV" }),
			}),
			"better-sqlite3 store": betterSqlite3(db),
		},
		sql: async (text, values) => {
			const statement = db.prepare(text);
			return text.startsWith("SELECT") ? statement.all(...values) : statement.run(...values);
		},
	};
};
