import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import ts from "typescript";
import { FOLDER } from "../examples/app.js";
import { root } from "../support/packed.js";
import { readPage } from "../support/page.js";
import { startProgram, temporaryFolder } from "../support/server.js";

const readGuide = (page: string): string => readPage(`docs/guides/${page}.md`);

/** The code of a page whose first line names a file, by that name. */
export const filesOf = (page: string): Map<string, string> =>
	new Map(
		[...readGuide(page).matchAll(/^```tsx?\n\/\/ (\S+)\n(.*?)^```$/gms)].map(
			([, name = "", code = ""]) => [name, code],
		),
	);

/** The files that a page adds to the app. */
export const addedBy = (page: string): Map<string, string> =>
	new Map([...filesOf(page)].filter(([name]) => !existsSync(join(FOLDER, name))));

/** The packages that a page says to install, each as its name and its major version, if it has one. */
export const packagesOf = (page: string): [name: string, version?: string][] => {
	const commands = readGuide(page)
		.replaceAll("\\\n", "")
		.matchAll(/npm install ([^\n`]*)/g);
	const words = [...commands].flatMap(([, words = ""]) => words.split(/\s+/));
	return words
		.filter((word) => !word.startsWith("--"))
		.map((word) => word.split(/(?<=.)@/) as [string, string?]);
};

/** Installs what a page says, as links to the packages of the app, or of the repository. */
export const install = (page: string, folder: string): void => {
	for (const [name] of packagesOf(page)) {
		const path = join(folder, "node_modules", name);
		mkdirSync(dirname(path), { recursive: true });
		const own = join(FOLDER, "node_modules", name);
		symlinkSync(existsSync(own) ? own : join(root, "node_modules", name), path);
	}
};

/** Does in a new folder what a page says to do before its app starts. */
export const follow = (page: string) => {
	const text = readGuide(page);
	const folder = temporaryFolder("guide");
	install(page, folder.path);
	const script = [...text.matchAll(/^```sh\n(.*?)^```$/gms)]
		.flatMap(([, commands = ""]) => commands.replaceAll(/\\\n\s*/g, "").split("\n"))
		.filter((line) => !/^(npm install|npx tsx) /.test(line))
		.map((line) => line.replace(/^npx /, "").replace(/^from=.*/, `from=${FOLDER}`));
	const PATH = `${join(root, "node_modules/.bin")}:${process.env["PATH"]}`;
	execFileSync("sh", ["-ec", script.join("\n")], {
		cwd: folder.path,
		env: { ...process.env, PATH },
		stdio: "pipe",
	});
	const path = join(folder.path, "tsconfig.json");
	const read = ts.readConfigFile(path, (file) => readFileSync(file, "utf8"));
	const { config } = read as { config: { compilerOptions: object } };
	const [, settings = ""] = /^In `tsconfig\.json`, (.*)$/m.exec(text) ?? [];
	for (const [, setting] of settings.matchAll(/`(.*?)`/g)) {
		Object.assign(config.compilerOptions, JSON.parse(`{${setting}}`));
	}
	writeFileSync(path, JSON.stringify(config));
	return folder;
};

/** What TypeScript finds wrong in a folder, with its settings. */
export const typeErrors = async (cwd: string): Promise<string> => {
	const tsc = join(root, "node_modules/typescript/bin/tsc");
	const env = { PATH: process.env["PATH"] };
	return (await startProgram(process.execPath, [tsc, "--noEmit"], { cwd, env }).ended()).output;
};
