import { DatabaseSync } from "node:sqlite";
import { betterSqlite3 } from "@lucia-auth/tokens/better-sqlite3";
import { SCHEMA } from "./schema.js";

// Without the default store: Lucia's adapter passes values as an array, which node:sqlite refuses.
export const open = async () => {
	const db = new DatabaseSync(":memory:");
	db.exec("PRAGMA foreign_keys = ON");
	for (const text of SCHEMA) db.exec(text);
	return {
		stores: { "better-sqlite3 store": betterSqlite3(db) },
		sql: async (text, values) => db.prepare(text).all(...values),
	};
};
