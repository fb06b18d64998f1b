import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);

/** The folder of the package. */
export const root = fileURLToPath(new URL("../..", import.meta.url));

/** The package as its users get it. */
export interface Packed {
	/** A temporary folder, in which all the others are. */
	readonly folder: string;
	readonly tarball: string;
	/**
	 * Installs it into a new, empty folder.
	 *
	 * @param name the name of the folder
	 * @param dependencies what to install beside it, in the versions of its package.json
	 * @returns the path of the folder
	 */
	readonly install: (name: string, dependencies: readonly string[]) => Promise<string>;
	/** Removes the temporary folder. */
	readonly remove: () => Promise<void>;
}

/** Packs the package, which must have been built. */
export const pack = async (): Promise<Packed> => {
	const { devDependencies: versions } = JSON.parse(
		await readFile(join(root, "package.json"), "utf8"),
	) as { devDependencies: Record<string, string> };
	const folder = await mkdtemp(join(tmpdir(), "lucia-auth-tokens-"));
	// It has been built, and scripts would write into the JSON.
	const flags = ["--json", "--ignore-scripts", "--pack-destination", folder];
	const { stdout } = await run("npm", ["pack", ...flags], { cwd: root });
	const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
	const tarball = join(folder, filename);
	return {
		folder,
		tarball,
		async install(name, dependencies) {
			const cwd = join(folder, name);
			await mkdir(cwd);
			await writeFile(join(cwd, "package.json"), '{ "private": true, "type": "module" }');
			const packages = dependencies.map((name) => `${name}@${versions[name] ?? "missing"}`);
			await run("npm", ["install", "--no-audit", "--no-fund", tarball, ...packages], { cwd });
			return cwd;
		},
		remove: () => rm(folder, { recursive: true, force: true }),
	};
};
