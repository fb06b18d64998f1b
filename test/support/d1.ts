import { once } from "node:events";
import { Agent, type IncomingMessage, request } from "node:http";
import { text } from "node:stream/consumers";
import { d1 as adapter } from "@lucia-auth/adapter-sqlite";
import { d1 } from "../../src/stores/d1.js";
import { importHeavy } from "../matrix/heavy.js";
import { createAuth, nativeOn, type OpenOptions } from "./database.js";
import { schema, SQLITE } from "./schema.js";

interface Statement {
	readonly sql: string;
	readonly values: readonly unknown[];
}

interface Result {
	readonly results: unknown[];
}

// A worker has the databases. It runs the statements of a request in one batch, as D1 does.
const WORKER = `export default {
	async fetch(request, env) {
		const { name, statements } = await request.json();
		const prepared = statements.map(({ sql, values }) => env[name].prepare(sql).bind(...values));
		try {
			const isOne = prepared.length === 1;
			return Response.json(isOne ? [await prepared[0].all()] : await env[name].batch(prepared));
		} catch ({ message, cause }) {
			return Response.json({ message, cause: cause?.message }, { status: 500 });
		}
	},
}`;

const NAMES = Array.from({ length: 40 }, (_, at) => `DB${at}`);

let miniflare: Promise<URL> | undefined;
let opened = 0;

// One Miniflare for all databases of a test file. It ends with the process.
const startMiniflare = async (): Promise<URL> => {
	const { Miniflare } = await importHeavy<{
		Miniflare: new (options: object) => { readonly ready: Promise<URL> };
	}>("miniflare");
	return new Miniflare({ modules: true, script: WORKER, d1Databases: NAMES }).ready;
};

// Miniflare's own client blocks this process at each call, and loses connections that it keeps alive or that are
// too many. So each call has a connection of its own, and a few are open at once.
const agent = new Agent({ keepAlive: false, maxSockets: 8 });

const run = async (name: string, statements: readonly Statement[]): Promise<Result[]> => {
	const call = request(await (miniflare ??= startMiniflare()), { method: "POST", agent });
	call.end(JSON.stringify({ name, statements }));
	const [response] = (await once(call, "response")) as [IncomingMessage];
	const body = JSON.parse(await text(response)) as Result[] & { message: string; cause?: string };
	if (response.statusCode === 200) return body;
	// Lucia's adapter reads the cause.
	throw new Error(body.message, body.cause === undefined ? {} : { cause: new Error(body.cause) });
};

/** What the stores, Lucia's adapters, and the pages use of D1. */
const toD1 = (name: string, statements: string[] = []) => {
	const prepare = (sql: string, values: readonly unknown[] = []) => {
		const statement = { sql, values };
		const all = async (): Promise<Result> => {
			statements.push(sql);
			const [result] = (await run(name, [statement])) as [Result];
			return result;
		};
		return {
			...statement,
			bind: (...values: unknown[]) => prepare(sql, values),
			all,
			run: all,
			first: async () => (await all()).results[0] ?? null,
		};
	};
	return { prepare, batch: (statements: readonly Statement[]) => run(name, statements) };
};

/** A database of D1 on Miniflare. */
export const openD1 = async (options?: OpenOptions) => {
	const name = NAMES[opened++];
	if (name === undefined) throw new Error("Miniflare has no more databases");
	const raw = toD1(name);
	await raw.batch(schema(SQLITE, options).map((sql) => raw.prepare(sql)));
	const sql = async (text: string, values: unknown[] = []): Promise<unknown[]> =>
		(await raw.prepare(text, values).all()).results;
	const statements: string[] = [];
	const counted = toD1(name, statements);
	return {
		...nativeOn(SQLITE, sql, (options) => d1(counted, options)),
		raw,
		defaultSource: createAuth(adapter(counted as never)),
		name: "main",
		statements,
		close: async () => {},
	};
};
