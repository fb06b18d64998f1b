import { execFile } from "node:child_process";
import { copyFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pack, type Packed, root } from "../support/packed.js";

// The package as its users get it: packed, installed into an empty folder, compiled there with
// `strict` and without `skipLibCheck`, and run.

const run = promisify(execFile);

let packed: Packed;

beforeAll(async () => {
	packed = await pack();
});
afterAll(() => packed.remove());

const install = async (consumer: string, names: readonly string[]) => {
	const cwd = await packed.install(consumer, names);
	await copyFile(new URL(`consumers/${consumer}.ts`, import.meta.url), join(cwd, "index.ts"));
	return cwd;
};

const compileAndRun = async (cwd: string, environment: readonly string[]) => {
	const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
	const flags = ["--strict", "--exactOptionalPropertyTypes", "--skipLibCheck", "false"];
	const target = ["--module", "nodenext", "--target", "es2022", ...environment];
	const compiled = await run(process.execPath, [compiler, ...flags, ...target, "index.ts"], {
		cwd,
	}).catch((error: unknown) => error as { stdout: string });
	expect(compiled.stdout).toBe("");
	return run(process.execPath, ["index.js"], { cwd });
};

describe("the packed package", () => {
	test("compiles and runs beside Lucia and its adapter", async () => {
		const cwd = await install("with-lucia", [
			"lucia-auth",
			"@lucia-auth/adapter-sqlite",
			"libsql",
			"@types/node",
			"@types/express",
			"@types/better-sqlite3",
		]);
		await expect(compileAndRun(cwd, ["--types", "node"])).resolves.toHaveProperty(
			"stdout",
			"works\n",
		);
	});

	test("compiles and runs without Lucia, and installs no other package", async () => {
		const cwd = await install("without-lucia", []);
		const { stdout } = await run("npm", ["ls", "--all", "--parseable"], { cwd });
		expect(stdout.trim().split("\n")).toHaveLength(2);
		await expect(compileAndRun(cwd, ["--lib", "es2022,dom"])).resolves.toHaveProperty(
			"stdout",
			"works\n",
		);
	});

	test("has types for module resolution as in Node 10, as 1.0.2 had", async () => {
		const cwd = join(packed.folder, "with-lucia");
		await writeFile(
			join(cwd, "node10.ts"),
			'import { idToken } from "@lucia-auth/tokens";\n' +
				'import { pg } from "@lucia-auth/tokens/pg";\n' +
				"export const [a, b]: [typeof idToken, typeof pg] = [idToken, pg];\n",
		);
		const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
		const flags = ["--strict", "--noEmit", "--module", "es2022", "--moduleResolution", "node10"];
		const { stdout } = await run(
			process.execPath,
			[compiler, ...flags, "--target", "es2022", "node10.ts"],
			{
				cwd,
			},
		).catch((error: unknown) => error as { stdout: string });
		expect(stdout).toBe("");
	});

	test("contains the build, the documentation and nothing else", async () => {
		const { stdout } = await run("tar", ["-tzf", packed.tarball]);
		const files = stdout.trim().split("\n").sort();
		expect(files.filter((file) => !/^package\/(dist|docs)\//.test(file))).toEqual([
			"package/CHANGELOG.md",
			"package/LICENSE",
			"package/README.md",
			"package/SECURITY.md",
			"package/package.json",
		]);
		expect(files).toContain("package/dist/index.js");
		expect(files).toContain("package/dist/index.d.ts");
	});
});
