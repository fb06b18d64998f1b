import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { copyFile, cp, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pack, type Packed, root } from "../support/packed.js";
import { anchorsOf, linksOf, readPage } from "../support/page.js";
import { schema, SQLITE } from "../support/schema.js";

// The package as its users get it: packed, installed into an empty folder, compiled there with
// `strict` and without `skipLibCheck`, and run.

const run = promisify(execFile);

let packed: Packed;
let unpacked: string;

beforeAll(async () => {
	packed = await pack();
	await run("tar", ["-xzf", packed.tarball, "-C", packed.folder]);
	unpacked = join(packed.folder, "package");
});
afterAll(() => packed.remove());

const install = async (consumer: string, names: readonly string[]) => {
	const cwd = await packed.install(consumer, names);
	await copyFile(new URL(`consumers/${consumer}.ts`, import.meta.url), join(cwd, "index.ts"));
	return cwd;
};

const compile = async (cwd: string, file: string, ...flags: readonly string[]): Promise<void> => {
	const compiler = join(root, "node_modules/typescript/bin/tsc");
	const args = [compiler, "--strict", "--exactOptionalPropertyTypes", ...flags, file];
	const failed = await run(process.execPath, args, { cwd }).catch((error: unknown) => error);
	expect(failed).toHaveProperty("stdout", "");
};

const compileAndRun = async (cwd: string, ...environment: readonly string[]): Promise<void> => {
	const target = ["--module", "nodenext", "--target", "es2022", "--skipLibCheck", "false"];
	await compile(cwd, "index.ts", ...target, ...environment);
	const env = { ...process.env, SCHEMA: schema(SQLITE).join(";") };
	expect((await run(process.execPath, ["index.js"], { cwd, env })).stdout).toBe("works\n");
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
		await compileAndRun(cwd, "--types", "node");
	});

	test("compiles and runs without Lucia, and installs no other package", async () => {
		const cwd = await install("without-lucia", []);
		const { stdout } = await run("npm", ["ls", "--all", "--parseable"], { cwd });
		expect(stdout.trim().split("\n")).toHaveLength(2);
		await compileAndRun(cwd, "--lib", "es2022,dom");
	});

	test("has types for module resolution as in Node 10, as 1.0.2 had", async () => {
		const cwd = join(packed.folder, "with-lucia");
		await writeFile(
			join(cwd, "node10.ts"),
			'import { idToken } from "@lucia-auth/tokens";\n' +
				'import { pg } from "@lucia-auth/tokens/pg";\n' +
				"export const [a, b]: [typeof idToken, typeof pg] = [idToken, pg];\n",
		);
		const target = ["--module", "es2022", "--target", "es2022", "--moduleResolution", "node10"];
		await compile(cwd, "node10.ts", "--noEmit", ...target);
	});

	test("contains the build, the documentation and nothing else", async () => {
		const files = await readdir(unpacked, { recursive: true });
		const pages = ["CHANGELOG.md", "LICENSE", "README.md", "SECURITY.md", "package.json"];
		expect(files.filter((file) => !/^(dist|docs)\b/.test(file)).sort()).toEqual(pages);
		expect(files).toContain("dist/index.js");
		expect(files).toContain("dist/index.d.ts");
	});

	/** Whether a link on a page leads to a file, or for a page of the repository a folder, and to its anchor. */
	const leads = async (folder: string, page: string, link: string): Promise<boolean> => {
		const [path = "", anchor] = link.split("#");
		const target = path ? join(folder, dirname(page), path) : join(folder, page);
		if (relative(folder, target).startsWith("..") || !existsSync(target)) return false;
		if ((await stat(target)).isDirectory()) return folder === root;
		return anchor === undefined || anchorsOf(await readFile(target, "utf8")).includes(anchor);
	};

	// The README's may lead to what only the repository has: npm resolves them by the package's `repository`.
	test("has no page with a dead link", async () => {
		const files = await readdir(unpacked, { recursive: true });
		const pages = files.filter((file) => file.endsWith(".md"));
		expect(pages).toEqual(expect.arrayContaining(["README.md", "docs/stores.md"]));
		const dead: string[] = [];
		for (const page of pages) {
			for (const link of linksOf(await readFile(join(unpacked, page), "utf8"))) {
				const isServed = page === "README.md" && (await leads(root, page, link));
				if (!isServed && !(await leads(unpacked, page, link))) dead.push(`${page}: ${link}`);
			}
		}
		expect(dead).toEqual([]);
	});
});

// A clone has these, and no `dist`.
const CLONE = ["src", "docs", "package.json", "tsconfig.json", "tsup.config.ts"].concat(
	["README", "CHANGELOG", "SECURITY"].map((page) => `${page}.md`),
);

test("a release publishes the build of a fresh clone, and names the repository of the workflow", async () => {
	const clone = join(packed.folder, "clone");
	await mkdir(clone);
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

test("docs/reference.md is what npm run docs writes", async () => {
	const page = join(packed.folder, "reference.md");
	await run("npx", ["typedoc", "--out", page], { cwd: root });
	expect(readPage("docs/reference.md")).toBe(await readFile(page, "utf8"));
});
