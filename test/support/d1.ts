import { d1 as adapter } from "@lucia-auth/adapter-sqlite";
import type { KeySchema } from "lucia-auth";
import { d1 } from "../../src/stores/d1.js";
import { importHeavy } from "../matrix/heavy.js";
import { createAuth, type Database } from "./database.js";
import { type OpenOptions, quoteOwnTables, schema, SQLITE, toKey } from "./databases.js";

interface D1Statement {
	bind(...values: unknown[]): D1Statement;
	all(): Promise<{ results: unknown[] }>;
	run(): Promise<unknown>;
}

interface D1 {
	prepare(sql: string): D1Statement;
	batch(statements: D1Statement[]): Promise<unknown>;
}

interface MiniflareModule {
	readonly Miniflare: new (options: object) => {
		getD1Database(name: string): Promise<D1>;
		dispose(): Promise<void>;
	};
}

// A D1 error has a cause, which the adapter reads. The error loses its cause on the way from Miniflare's
// worker to Node.
const withCause = (error: Error): never => {
	error.cause ??= new Error(error.message.replace("D1_ERROR: ", ""));
	throw error;
};

// Miniflare fails fetches when hundreds are in flight.
const MAX_AT_ONCE = 8;

const limited = () => {
	let underWay = 0;
	const waiting: (() => void)[] = [];
	return async <Result>(run: () => Promise<Result>): Promise<Result> => {
		if (underWay >= MAX_AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve));
		else underWay++;
		try {
			return await run();
		} finally {
			const next = waiting.shift();
			if (next) next();
			else underWay--;
		}
	};
};

const withCauses = (db: D1): D1 => {
	const limit = limited();
	const originals = new WeakMap<D1Statement, D1Statement>();
	const wrap = (statement: D1Statement): D1Statement => {
		const wrapped: D1Statement = {
			bind: (...values) => wrap(statement.bind(...values)),
			all: () => limit(() => statement.all()).catch(withCause),
			run: () => limit(() => statement.run()).catch(withCause),
		};
		originals.set(wrapped, statement);
		return wrapped;
	};
	return {
		prepare: (sql) => wrap(db.prepare(sql)),
		batch: (statements) =>
			db
				.batch(statements.map((statement) => originals.get(statement) ?? statement))
				.catch(withCause),
	};
};

/** D1 on Miniflare, of its own. */
export const openD1 = async (
	options?: OpenOptions,
): Promise<Database & { readonly raw: object }> => {
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
	for (const text of schema(SQLITE, options)) await sql(text);
	const statements: string[] = [];
	const limited = withCauses(db);
	const counted: D1 = {
		...limited,
		prepare: (text) => {
			statements.push(text);
			return limited.prepare(text);
		},
	};
	return {
		raw: db,
		defaultSource: createAuth(adapter(counted as never)),
		nativeSource: d1(counted),
		name: "main",
		createStore: (tables) => d1(counted, { tables }),
		ownTables: quoteOwnTables(SQLITE),
		statements,
		sql,
		keys: async () => ((await sql("SELECT * FROM auth_key")) as KeySchema[]).map(toKey),
		close: () => miniflare.dispose(),
	};
};
