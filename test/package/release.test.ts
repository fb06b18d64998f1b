import { execFile } from "node:child_process";
import { cp, mkdtemp, readdir, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { root } from "../support/packed.js";

// What the release workflow publishes: the package of a fresh clone, with the lines of the workflow run on it.

const run = promisify(execFile);

// A clone has these, and no `dist`.
const CLONE = ["src", "docs", "package.json", "tsconfig.json", "tsup.config.ts"].concat(
	["README", "CHANGELOG", "SECURITY"].map((page) => `${page}.md`),
);

let clone: string;
let files: string[];

beforeAll(async () => {
	clone = await mkdtemp(join(tmpdir(), "lucia-auth-tokens-"));
	for (const name of CLONE) await cp(join(root, name), join(clone, name), { recursive: true });
	await symlink(join(root, "node_modules"), join(clone, "node_modules"));

	const workflow = await readFile(join(root, ".github/workflows/release.yml"), "utf8");
	const lines = workflow.match(/\bnpm pkg set .*/g) ?? [];
	const env = { ...process.env, GITHUB_REPOSITORY: "owner/name" };
	await run("bash", ["-ec", lines.join("\n")], { cwd: clone, env });
	await run("npm", ["pack"], { cwd: clone });

	const [name = ""] = (await readdir(clone)).filter((name) => name.endsWith(".tgz"));
	const tarball = join(clone, name);
	const { stdout } = await run("tar", ["-tzf", tarball]);
	files = stdout.trim().split("\n");
	await run("tar", ["-xzf", tarball, "-C", clone]);
});
afterAll(() => rm(clone, { recursive: true, force: true }));

describe("the package that a release publishes", () => {
	test("has the build, though a clone has none", async () => {
		const manifest = await readFile(join(clone, "package/package.json"), "utf8");
		const { exports } = JSON.parse(manifest) as { exports: Record<string, { default?: string }> };
		const built = Object.values(exports).flatMap((entry) => entry.default ?? []);
		expect(built).toContain("./dist/index.js");
		expect(files).toEqual(
			expect.arrayContaining(built.map((file) => file.replace(".", "package"))),
		);
	});

	test("names the repository of the workflow", async () => {
		const manifest: unknown = JSON.parse(
			await readFile(join(clone, "package/package.json"), "utf8"),
		);
		expect(manifest).toMatchObject({
			repository: { type: "git", url: "git+https://github.com/owner/name.git" },
			homepage: "https://github.com/owner/name#readme",
			bugs: { url: "https://github.com/owner/name/issues" },
		});
	});
});
