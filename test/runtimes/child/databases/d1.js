import { d1 as adapter } from "@lucia-auth/adapter-sqlite";
import { d1 } from "@lucia-auth/tokens/d1";
import lucia from "lucia-auth";
import { SCHEMA } from "../schema.js";

export const open = async (db) => {
	await db.batch(SCHEMA.map((text) => db.prepare(text)));
	return {
		stores: {
			"default store": lucia({ adapter: adapter(db), env: "DEV" }),
			"d1 store": d1(db),
		},
		sql: async (text, values) => {
			const statement = db.prepare(text).bind(...values);
			return (await statement.all()).results;
		},
	};
};
