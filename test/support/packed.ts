import { execFile } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { temporaryFolder } from "./server.js";

const run = promisify(execFile);

/** The folder of the package. */
export const root = fileURLToPath(new URL("../..", import.meta.url));

/** Packs the package, which must have been built, into a temporary folder. */
export const pack = async () => {
	const { devDependencies: versions } = JSON.parse(
		await readFile(join(root, "package.json"), "utf8"),
	) as { devDependencies: Record<string, string> };
	const { path: folder, remove } = temporaryFolder("packed");
	// It has been built, and scripts would write into the JSON.
	const flags = ["--json", "--ignore-scripts", "--pack-destination", folder];
	const { stdout } = await run("npm", ["pack", ...flags], { cwd: root });
	const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
	const tarball = join(folder, filename);

	/** Installs it into a new folder, beside packages in the versions of its package.json. */
	const install = async (name: string, dependencies: readonly string[]): Promise<string> => {
		const cwd = join(folder, name);
		await mkdir(cwd);
		await writeFile(join(cwd, "package.json"), '{ "private": true, "type": "module" }');
		const packages = dependencies.map((name) => `${name}@${versions[name] ?? "missing"}`);
		await run("npm", ["install", "--no-audit", "--no-fund", tarball, ...packages], { cwd });
		return cwd;
	};

	return { folder, tarball, install, remove };
};

export type Packed = Awaited<ReturnType<typeof pack>>;
