import { existsSync } from "node:fs";
import { inspect } from "node:util";
import type { Adapter, KeySchema, SessionSchema } from "lucia-auth";

interface Rows<Schema> {
	get: () => Promise<Schema[]>;
	insert: (row: Schema) => Promise<void>;
	clear: () => Promise<void>;
}

export interface AdapterTestRows {
	readonly user: Rows<{ id: string; username: string }>;
	readonly session: Rows<SessionSchema>;
	readonly key: Rows<KeySchema>;
}

type TestAdapter = (adapter: Adapter, rows: AdapterTestRows, endProcess: boolean) => Promise<void>;

// Lucia's own adapter tests for v1 (3.0.1) are on the registry only inside its adapters. They are not in the
// lockfile, and `npm install` removes what `npm ci` has installed.
const location = new URL(
	"../../node_modules/@lucia-auth/adapter-sqlite/node_modules/@lucia-auth/adapter-test/index.js",
	import.meta.url,
);

/**
 * Lucia's own tests of adapters.
 *
 * @returns the names of the tests that passed
 * @throws Error with the output so far: a test failed, or the tests are not installed
 */
export const runAdapterTest = async (
	adapter: Adapter,
	rows: AdapterTestRows,
): Promise<readonly string[]> => {
	if (!existsSync(location)) {
		throw new Error("@lucia-auth/adapter-test 3.0.1 is missing: run `npm ci`");
	}
	const { testAdapter } = (await import(location.href)) as { testAdapter: TestAdapter };
	const { log, error, dir } = console;
	const lines: string[] = [];
	console.log = console.error = (line: string) => lines.push(line);
	console.dir = (value: unknown) => lines.push(inspect(value, { depth: null }));
	try {
		await testAdapter(adapter, rows, false);
	} catch (cause) {
		throw new Error(lines.join("\n"), { cause });
	} finally {
		Object.assign(console, { log, error, dir });
	}
	return lines.filter((line) => line.includes("[Success]"));
};
