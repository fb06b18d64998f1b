import { Database } from "bun:sqlite";
import { betterSqlite3 as adapter } from "@lucia-auth/adapter-sqlite";
import { betterSqlite3 } from "@lucia-auth/tokens/better-sqlite3";
import lucia from "lucia-auth";
import { SCHEMA } from "./schema.js";

export const open = async () => {
	const db = new Database(":memory:");
	db.run("PRAGMA foreign_keys = ON");
	for (const text of SCHEMA) db.run(text);
	return {
		stores: {
			"default store": lucia({ adapter: adapter(db), env: "DEV" }),
			"better-sqlite3 store": betterSqlite3(db),
		},
		sql: async (text, values) => db.prepare(text).all(...values),
	};
};
