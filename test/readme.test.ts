import { readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import ts from "typescript";
import * as tokens from "../src/index.js";
import { openSqlite, type Sqlite } from "./support/sqlite.js";

// Runs every TypeScript block of the README as the module that it is. What a block takes for granted
// is here: the user, the mail that is sent, and the value that comes back from the mail.

type Run = (
	require: (name: string) => unknown,
	exports: object,
	user: object,
	sendMail: (to: string, text: string) => Promise<void>,
) => Promise<void>;

const AsyncFunction = (async () => {}).constructor as new (...source: string[]) => Run;

const blocks = [
	...readFileSync(new URL("../README.md", import.meta.url), "utf8").matchAll(
		/^```ts\n(.*?)^```$/gms,
	),
].map(([, code = ""]) => code);

let sqlite: Sqlite;
const mails: { to: string; text: string }[] = [];

beforeEach(() => {
	sqlite = openSqlite();
	mails.length = 0;
	// A block reads `value` after it has sent the mail: the last word or path segment of that.
	Object.defineProperty(globalThis, "value", {
		configurable: true,
		get: () => /[^/ ]+$/.exec(mails.at(-1)?.text ?? "")?.[0],
	});
	vi.spyOn(console, "log").mockImplementation(() => {});
});
afterEach(() => {
	Reflect.deleteProperty(globalThis, "value");
	vi.restoreAllMocks();
	sqlite.db.close();
});

const run = async (code: string): Promise<void> => {
	const { outputText } = ts.transpileModule(code, {
		compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022 },
	});
	const modules: Record<string, unknown> = {
		"@lucia-auth/tokens": tokens,
		"./lucia.js": { auth: sqlite.auth },
	};
	const require = (name: string) => {
		if (!(name in modules)) throw new Error(`the README imports ${name}`);
		return modules[name];
	};
	const userId = await sqlite.createUser();
	await new AsyncFunction("require", "exports", "user", "sendMail", outputText)(
		require,
		{},
		{ userId, email: "user@example.com" },
		async (to, text) => void mails.push({ to, text }),
	);
};

describe("the README", () => {
	test("has its examples", () => {
		expect(blocks.length).toBeGreaterThanOrEqual(4);
	});

	test.each(blocks)("has an example that runs: %#", async (code) => {
		await run(code);
		// Each example uses up or revokes what it has issued.
		expect(code).toContain("await");
		expect(sqlite.keys()).toEqual([]);
	});

	test("has an example that fails when its token is not the one that was sent", async () => {
		await expect(
			run(blocks[0]?.replace("validate(value", "validate(`${value}x`") ?? ""),
		).rejects.toThrow("INVALID_TOKEN");
	});
});
