import { betterSqlite3 as adapter } from "@lucia-auth/adapter-sqlite";
import { betterSqlite3 } from "@lucia-auth/tokens/better-sqlite3";
import Database from "libsql";
import lucia from "lucia-auth";
import { SCHEMA } from "./schema.js";

export const open = async () => {
	const db = new Database(":memory:");
	db.pragma("foreign_keys = ON");
	db.exec(SCHEMA.join(";"));
	return {
		stores: {
			"default store": lucia({ adapter: adapter(db), env: "DEV" }),
			"better-sqlite3 store": betterSqlite3(db),
		},
		sql: async (text, values) => {
			const statement = db.prepare(text);
			return text.startsWith("SELECT") ? statement.all(values) : statement.run(values);
		},
	};
};
