import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pack, root } from "../support/packed.js";
import { schema, SQLITE } from "../support/schema.js";
import { runNode, runtimes } from "./runtimes.js";

// The packed package, installed, on every runtime: each runs all cases in a process of its own, and
// each case is a test here.

interface Cases {
	readonly casesOf: (store: string) => readonly { readonly name: string }[];
}

interface Line {
	readonly version?: string;
	readonly store?: string;
	readonly name?: string;
	readonly error?: string | null;
}

const packed = await pack();
afterAll(() => packed.remove());
const cwd = await packed.install("runtimes", [
	"lucia-auth",
	"@lucia-auth/adapter-sqlite",
	"libsql",
]);
await cp(fileURLToPath(new URL("child", import.meta.url)), cwd, { recursive: true });
await writeFile(join(cwd, "schema.js"), `export const SCHEMA = ${JSON.stringify(schema(SQLITE))};`);
const { casesOf } = (await import(pathToFileURL(join(cwd, "run.js")).href)) as Cases;

describe.each(runtimes)("$name", ({ version, databases, ...runtime }) => {
	describe.each(Object.entries(databases))("%s", (database, stores) => {
		let lines: Line[] = [];
		let failure: unknown;

		// What is thrown here would skip the tests, which are to fail.
		beforeAll(async () => {
			try {
				const output = await runtime.run(cwd, database);
				lines = output
					.trim()
					.split("\n")
					.map((line) => JSON.parse(line) as Line);
			} catch (error) {
				failure = error;
			}
		});

		test(`is version ${version}, and runs to its end`, () => {
			expect(failure).toBeUndefined();
			expect(lines[0]).toEqual({ version });
			expect(lines).toHaveLength(1 + stores.flatMap(casesOf).length);
		});

		describe.each(stores)("%s", (store) => {
			test.each(casesOf(store))("$name", ({ name }) => {
				const result = lines.find((line) => line.store === store && line.name === name);
				expect(result).toEqual({ store, name, error: null });
			});
		});
	});
});

test("Node 18 without WebCrypto as a global is told so when a handler is made", async () => {
	await expect(runNode(18, ["handler.js"], cwd)).rejects.toThrow(
		"TypeError: There is no global crypto (WebCrypto): use Node 20 or later",
	);
	await expect(runNode(20, ["handler.js"], cwd)).resolves.toBe("");
});

test("the README lists these versions", async () => {
	const readme = (await readFile(join(root, "README.md"), "utf8")).replace(/ +/g, " ");
	const row = (name: string, parts: number): string => {
		const found = runtimes.filter((runtime) => new RegExp(`^${name}( \\d+)?$`).test(runtime.name));
		const versions = found.map(({ version }) => version.split(".").slice(0, parts).join("."));
		return `| ${name} | ${versions.join(", ")} |`;
	};
	for (const line of [row("Node", 1), row("Bun", 2), row("Deno", 2)]) {
		expect(readme).toContain(line);
	}
});

test("each store has its cases", () => {
	expect(casesOf("default store").length).toBeGreaterThan(6);
	expect(casesOf("native store").length).toBeGreaterThan(40);
});
