import * as hooks from "node:async_hooks";
import { execFile } from "node:child_process";
import * as nodeCrypto from "node:crypto";
import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Express } from "express";
import helmet from "helmet";
import ipaddr from "ipaddr.js";
import * as limiters from "rate-limiter-flexible";
import * as redis from "redis";
import ts from "typescript";
import { afterEach, vi } from "vitest";
import * as tokens from "../../../src/index.js";
import { root } from "../../support/packed.js";
import { blocksOf, readPage, runBlock } from "../../support/page.js";
import { temporaryFolder } from "../../support/server.js";

/** What to do after a test. */
export const cleanUps: (() => unknown)[] = [];

afterEach(async () => {
	vi.useRealTimers();
	vi.unstubAllEnvs();
	vi.restoreAllMocks();
	for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** Starts a server until the end of a test. Returns its origin. */
export const listen = async (app: Express): Promise<string> => {
	const server = app.listen(0, "127.0.0.1");
	cleanUps.push(() => server.close());
	await once(server, "listening");
	return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
};

const APP = join(root, "examples/magic-link");
const PATHS = {
	"@lucia-auth/tokens": [join(root, "src/index.ts")],
	"@lucia-auth/tokens/memory": [join(root, "src/stores/memory.ts")],
};

/** The files that a page adds to the app, by name. */
export const filesOf = (page: string): Map<string, string> =>
	new Map(
		blocksOf(readPage(`docs/guides/${page}.md`))
			.map((code) => [/^\/\/ (\S+)\n/.exec(code)?.[1] ?? "", code] as const)
			.filter(([name]) => !existsSync(join(APP, name))),
	);

const sources = new Map<string, ts.SourceFile | undefined>();

/** What is wrong with files beside those of the app, in its own strict TypeScript. */
export const typeErrors = (files: ReadonlyMap<string, string>): string[] => {
	const path = join(APP, "tsconfig.json");
	const { options } = ts.parseJsonConfigFileContent(
		ts.readConfigFile(path, (name) => ts.sys.readFile(name)).config,
		ts.sys,
		APP,
	);
	const added = new Map([...files].map(([name, code]) => [join(APP, name), code]));
	const host = ts.createCompilerHost(options);
	host.readFile = (name) => added.get(name) ?? ts.sys.readFile(name);
	host.fileExists = (name) => added.has(name) || ts.sys.fileExists(name);
	const parse = host.getSourceFile.bind(host);
	host.getSourceFile = (name, ...rest) => {
		if (added.has(name)) return parse(name, ...rest);
		if (!sources.has(name)) sources.set(name, parse(name, ...rest));
		return sources.get(name);
	};
	const program = ts.createProgram([...added.keys()], { ...options, paths: PATHS }, host);
	return [...added.keys()].flatMap((name) => {
		const source = program.getSourceFile(name);
		return [program.getSyntacticDiagnostics(source), program.getSemanticDiagnostics(source)]
			.flat()
			.map(({ messageText }) => `${name}: ${ts.flattenDiagnosticMessageText(messageText, " ")}`);
	});
};

type Modules = Readonly<Record<string, unknown>>;

const PACKAGES: Modules = {
	"@lucia-auth/tokens": tokens,
	"node:async_hooks": hooks,
	"node:crypto": nodeCrypto,
	helmet: { default: helmet, __esModule: true },
	"ipaddr.js": { default: ipaddr, __esModule: true },
	"rate-limiter-flexible": limiters,
	redis,
};

/** Runs a file that a page adds. Returns its exports. */
export const load = async <Exports>(
	page: string,
	name: string,
	modules: Modules = {},
	givens: Modules = {},
): Promise<Exports> => {
	const code = filesOf(page).get(name);
	if (code === undefined) throw new Error(`${page}.md has no ${name}`);
	return (await runBlock(code, { ...PACKAGES, ...modules }, givens)) as Exports;
};

/** Imports a file of the app, with another mail server. */
export const importApp = async <Exports>(file: string, smtpUrl: string): Promise<Exports> => {
	vi.stubEnv("BASE_URL", ""); // Vitest sets it
	vi.stubEnv("SMTP_URL", smtpUrl);
	vi.resetModules();
	return (await import(join(APP, file))) as Exports;
};

/** Runs the tests of testing.md. `change` changes the file that they test. Returns what they print. */
export const runTests = async (change = (code: string) => code): Promise<string> => {
	const folder = temporaryFolder("testing");
	const write = (name: string, text: string) => writeFileSync(join(folder.path, name), text);
	for (const [name, code] of filesOf("testing")) {
		write(name, name.endsWith(".test.ts") ? code : change(code));
	}
	write("package.json", '{ "type": "module" }');
	write("tsconfig.json", JSON.stringify({ compilerOptions: { paths: PATHS } }));
	const tsx = join(root, "node_modules/tsx/dist/loader.mjs");
	const args = ["--import", tsx, "--test", "--test-reporter=tap", "sign-in-mail.test.ts"];
	const options = { cwd: folder.path, env: { PATH: process.env["PATH"] } };
	const output = await new Promise<string>((resolve) => {
		execFile(process.execPath, args, options, (_error, stdout, stderr) => resolve(stdout + stderr));
	});
	folder.remove();
	return output;
};
