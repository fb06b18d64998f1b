import { d1 } from "@lucia-auth/adapter-sqlite";
import type { KeySchema } from "lucia-auth";
import { describe } from "vitest";
import { createAuth, toHarness } from "../support/database.js";
import { schema, SQLITE, toKey } from "../support/databases.js";
import { behaviour, type Contender } from "./behaviour.js";
import { importHeavy, isInstalled } from "./heavy.js";

interface D1Statement {
	bind(...values: unknown[]): D1Statement;
	all(): Promise<{ results: unknown[] }>;
	run(): Promise<unknown>;
}

interface D1 {
	prepare(sql: string): D1Statement;
}

interface Miniflare {
	getD1Database(name: string): Promise<D1>;
	dispose(): Promise<void>;
}

interface MiniflareModule {
	readonly Miniflare: new (options: object) => Miniflare;
}

// An error of D1 has a cause, which the adapter looks at. On its way from Miniflare's worker to Node
// it loses it.
const withCause = (error: Error): never => {
	error.cause ??= new Error(error.message.replace("D1_ERROR: ", ""));
	throw error;
};

const withCauses = (db: D1): D1 => {
	const wrap = (statement: D1Statement): D1Statement => ({
		bind: (...values) => wrap(statement.bind(...values)),
		all: () => statement.all().catch(withCause),
		run: () => statement.run().catch(withCause),
	});
	return { prepare: (sql) => wrap(db.prepare(sql)) };
};

const open = async (): Promise<Contender> => {
	const { Miniflare } = await importHeavy<MiniflareModule>("miniflare");
	const miniflare = new Miniflare({
		modules: true,
		script: "export default {}",
		d1Databases: ["DB"],
	});
	const db = await miniflare.getD1Database("DB");
	const sql = async (text: string, values: unknown[] = []): Promise<unknown[]> =>
		(
			await db
				.prepare(text)
				.bind(...values)
				.all()
		).results;
	for (const text of schema(SQLITE)) await sql(text);
	const source = createAuth(d1(withCauses(db) as never));
	const keys = async () => ((await sql("SELECT * FROM auth_key")) as KeySchema[]).map(toKey);
	return { ...toHarness({ sql, keys }, source), source, close: () => miniflare.dispose() };
};

describe.skipIf(!isInstalled("miniflare"))("D1 on Miniflare", () => {
	behaviour("defaultSource", open);
});
