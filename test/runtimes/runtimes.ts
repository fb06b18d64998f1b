import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const { dependencies, optionalDependencies } = JSON.parse(
	readFileSync(new URL("package.json", import.meta.url), "utf8"),
) as Record<"dependencies" | "optionalDependencies", Record<string, string>>;

/** A runtime, with the databases that the cases run on. */
interface Runtime {
	readonly name: string;
	/** The version that it must report. */
	readonly version: string;
	/** The databases of child/databases, with the stores that each opens. */
	readonly databases: Readonly<Record<string, readonly string[]>>;
	/**
	 * Runs all cases on a database.
	 *
	 * @param cwd where child/ and the package are
	 * @returns a line of JSON for each case
	 * @throws Error the runtime is missing, or ends with an error
	 */
	readonly run: (cwd: string, database: string) => Promise<string>;
}

const runProcess = async (
	file: string,
	args: readonly string[],
	cwd: string,
	env: NodeJS.ProcessEnv = {},
): Promise<string> => {
	const executable = fileURLToPath(new URL(`node_modules/${file}`, import.meta.url));
	const options = { cwd, env: { ...process.env, NODE_OPTIONS: "", ...env }, timeout: 50_000 };
	return (await run(executable, args, options)).stdout;
};

const SQLITE_STORES = ["default store", "better-sqlite3 store"];

const nodePackage = (major: number): string => `node-${major}-${process.platform}-${process.arch}`;

/** Runs Node, whose binary comes in a package for each platform. */
export const runNode = (major: number, args: readonly string[], cwd: string): Promise<string> =>
	runProcess(`${nodePackage(major)}/bin/node`, args, cwd);

const node = (major: number, name = `Node ${major}`, args: readonly string[] = []): Runtime => ({
	name,
	version: optionalDependencies[nodePackage(major)]?.split("@").at(-1) ?? "missing",
	databases: {
		libsql: SQLITE_STORES,
		...(major >= 22 && { "node-sqlite": ["better-sqlite3 store"] }),
	},
	run: (cwd, database) => runNode(major, [...args, "main.js", database], cwd),
});

const bun: Runtime = {
	name: "Bun",
	version: dependencies["bun"] ?? "missing",
	databases: { libsql: SQLITE_STORES, "bun-sqlite": SQLITE_STORES },
	run: (cwd, database) => runProcess(".bin/bun", ["--no-install", "main.js", database], cwd),
};

// Reading files, and the addon that libsql is.
const DENO_PERMISSIONS = ["--allow-read", "--allow-env", "--allow-ffi", "--allow-sys"];

const deno: Runtime = {
	name: "Deno",
	version: dependencies["deno"] ?? "missing",
	databases: { libsql: SQLITE_STORES, "node-sqlite": ["better-sqlite3 store"] },
	run: (cwd, database) =>
		runProcess(
			".bin/deno",
			["run", "--no-prompt", "--no-remote", ...DENO_PERMISSIONS, "main.js", database],
			cwd,
			{ DENO_DIR: join(cwd, "deno"), DENO_NO_UPDATE_CHECK: "1" },
		),
};

// These packages may not be installed, so their types are not imported.
interface Esbuild {
	readonly build: (options: object) => Promise<{ outputFiles: [{ text: string }] }>;
}
interface MiniflareModule {
	readonly Miniflare: new (options: object) => {
		dispatchFetch(url: string): Promise<{ text(): Promise<string> }>;
		dispose(): Promise<void>;
	};
}
const require = createRequire(import.meta.url);

const workerd = (...compatibilityFlags: string[]): Runtime => ({
	name: ["workerd", ...compatibilityFlags].join(" with "),
	version: "Cloudflare-Workers",
	databases: { d1: ["default store", "d1 store"] },
	run: async (cwd) => {
		const { build } = require("esbuild") as Esbuild;
		const { Miniflare } = require("miniflare") as MiniflareModule;
		const bundle = await build({
			entryPoints: [join(cwd, "worker.js")],
			bundle: true,
			write: false,
			format: "esm",
			platform: "neutral",
			mainFields: ["module", "main"],
			external: ["node:*"],
		});
		const miniflare = new Miniflare({
			modules: true,
			script: bundle.outputFiles[0].text,
			compatibilityDate: "2025-07-18",
			compatibilityFlags,
			d1Databases: ["DB"],
		});
		try {
			return await (await miniflare.dispatchFetch("http://localhost")).text();
		} finally {
			await miniflare.dispose();
		}
	},
});

export const runtimes: readonly Runtime[] = [
	// Node 18 has no global WebCrypto, without which Lucia itself does not run.
	node(18, "Node 18 with Lucia's polyfill", ["--import", "lucia-auth/polyfill/node"]),
	node(20),
	node(22),
	node(24),
	node(26),
	bun,
	deno,
	workerd(),
	workerd("nodejs_compat"),
];
