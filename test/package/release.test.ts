import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdtemp, readdir, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { root } from "../support/packed.js";

const run = promisify(execFile);

// A clone has these, and no `dist`.
const CLONE = ["src", "docs", "package.json", "tsconfig.json", "tsup.config.ts"].concat(
	["README", "CHANGELOG", "SECURITY"].map((page) => `${page}.md`),
);

test("a release publishes the build of a fresh clone, and names the repository of the workflow", async () => {
	const clone = await mkdtemp(join(tmpdir(), "lucia-auth-tokens-"));
	onTestFinished(() => rm(clone, { recursive: true, force: true }));
	for (const name of CLONE) await cp(join(root, name), join(clone, name), { recursive: true });
	await symlink(join(root, "node_modules"), join(clone, "node_modules"));

	const workflow = await readFile(join(root, ".github/workflows/release.yml"), "utf8");
	const lines = workflow.match(/\bnpm pkg set .*/g) ?? [];
	const env = { ...process.env, GITHUB_REPOSITORY: "owner/name" };
	await run("bash", ["-ec", lines.join("\n")], { cwd: clone, env });
	await run("npm", ["pack"], { cwd: clone });
	const [tarball = ""] = (await readdir(clone)).filter((name) => name.endsWith(".tgz"));
	await run("tar", ["-xzf", tarball], { cwd: clone });

	const published = join(clone, "package");
	const manifest = JSON.parse(await readFile(join(published, "package.json"), "utf8")) as {
		readonly exports: Readonly<Record<string, { readonly default?: string }>>;
	};
	const built = Object.values(manifest.exports).flatMap((entry) => entry.default ?? []);
	expect(built).toContain("./dist/index.js");
	expect(built.filter((file) => !existsSync(join(published, file)))).toEqual([]);
	expect(manifest).toMatchObject({
		repository: { type: "git", url: "git+https://github.com/owner/name.git" },
		homepage: "https://github.com/owner/name#readme",
		bugs: { url: "https://github.com/owner/name/issues" },
	});
});
