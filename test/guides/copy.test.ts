import { execFile } from "node:child_process";
import {
	cpSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import ts from "typescript";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readPage } from "../support/page.js";
import { root } from "../support/packed.js";
import { temporaryFolder } from "../support/server.js";

// Follows docs/guides/README.md in an empty folder, in strict TypeScript. The packages are links to those of
// the repository.

const APP = join(root, "examples/magic-link");
const FLOWS = ["magic-links", "one-time-codes", "link-and-code", "password-reset"].concat([
	"email-verification",
]);

const run = promisify(execFile);
const start = readPage("docs/guides/README.md");
const commands = [...start.matchAll(/^```sh\n(.*?)^```$/gms)]
	.map(([, code = ""]) => code)
	.join("")
	.replaceAll(/\\\n\s*/g, "")
	.split("\n");

const folders: { remove: () => void }[] = [];
afterAll(() => {
	for (const folder of folders) folder.remove();
});

const emptyFolder = (): string => {
	const folder = temporaryFolder("copy");
	folders.push(folder);
	return folder.path;
};

/** Does all that the page says to do before the app starts, except to install packages. */
const follow = async (): Promise<string> => {
	const folder = emptyFolder();
	const modules = join(folder, "node_modules");
	mkdirSync(modules);
	// The app has some packages in other versions than the repository.
	for (const from of [join(root, "node_modules"), join(APP, "node_modules")]) {
		for (const name of readdirSync(from)) {
			rmSync(join(modules, name), { force: true });
			symlinkSync(join(from, name), join(modules, name));
		}
	}
	const script = commands
		.filter((line) => !line.startsWith("npm install ") && line !== "npx tsx main.ts")
		.map((line) => line.replace(/^from=.*/, `from=${APP}`));
	await run("sh", ["-ec", script.join("\n")], { cwd: folder });

	const path = join(folder, "tsconfig.json");
	const [, settings = ""] = /^In `tsconfig\.json`, set (.*)$/m.exec(start) ?? [];
	let config = readFileSync(path, "utf8");
	for (const [, name = "", value = ""] of settings.matchAll(/`"(\w+)": (.*?)`/g)) {
		const before = config;
		config = config.replace(new RegExp(`^(\\s*"${name}": ).*,$`, "m"), `$1${value},`);
		expect(config, `tsc --init writes ${name}`).not.toBe(before);
	}
	writeFileSync(path, config);
	return folder;
};

let followed: string;
beforeAll(async () => {
	followed = await follow();
});

/** A folder in which somebody has followed the page. */
const copy = (): string => {
	const folder = emptyFolder();
	cpSync(followed, folder, { recursive: true, verbatimSymlinks: true });
	return folder;
};

// What all the copies have in common is read once.
const parsed = new Map<string, ts.SourceFile | undefined>();

/** What TypeScript finds wrong in a folder, with its settings. */
const typeErrors = (folder: string): string => {
	const config = ts.getParsedCommandLineOfConfigFile(
		join(folder, "tsconfig.json"),
		{},
		{
			...ts.sys,
			onUnRecoverableConfigFileDiagnostic: ({ messageText }) => {
				throw new Error(ts.flattenDiagnosticMessageText(messageText, "\n"));
			},
		},
	);
	if (!config) throw new Error("There is no tsconfig.json");
	const host = ts.createCompilerHost(config.options);
	const read = host.getSourceFile.bind(host);
	host.getSourceFile = (file, ...rest) => {
		if (file.startsWith(folder)) return read(file, ...rest);
		if (!parsed.has(file)) parsed.set(file, read(file, ...rest));
		return parsed.get(file);
	};
	const program = ts.createProgram(config.fileNames, config.options, host);
	const found = [...config.errors, ...ts.getPreEmitDiagnostics(program)];
	return ts.formatDiagnostics(found, { ...host, getCurrentDirectory: () => folder });
};

/** The files that a page says to copy, of those in `flows`. */
const flowsOf = (page: string): string[] => {
	const [copy = ""] = /\*\*Copy\*\*.*?(?=\n\n)/s.exec(readPage(`docs/guides/${page}.md`)) ?? [];
	return [...copy.matchAll(/`flows\/(\S+\.tsx)`/g)].map(([, name = ""]) => name);
};

describe("a strict app", () => {
	it("can copy the app", async () => {
		expect(readdirSync(followed)).toContain("main.ts");
		await run("npx", ["tsc", "--noEmit"], { cwd: followed }).catch((error: unknown) => {
			expect((error as { stdout: string }).stdout).toBe("");
			throw error;
		});
	});

	it("can copy the app with one database", () => {
		const folder = copy();
		rmSync(join(folder, "database/postgresql.ts"));
		const path = join(folder, "database.ts");
		const [end = ""] = /await \(databaseUrl.*?\)\);/s.exec(readFileSync(path, "utf8")) ?? [];
		const text = readFileSync(path, "utf8").replace(end, 'await import("./database/sqlite.js");');
		writeFileSync(path, text);
		expect(typeErrors(folder)).toBe("");
	});

	it.each(FLOWS)("can copy %s without the other flows", (page) => {
		const copied = flowsOf(page);
		expect(copied.length).toBeGreaterThan(0);
		const folder = copy();
		for (const name of readdirSync(join(folder, "flows"))) {
			if (!copied.includes(name)) rmSync(join(folder, "flows", name));
		}
		// In main.ts, it deletes the import and the name of each other flow, and adds its own.
		const path = join(folder, "main.ts");
		const main = readFileSync(path, "utf8").replace(/^import .* from "\.\/flows\/.*\n/gm, "");
		const imports = copied.map((name) => {
			const flow = basename(name, ".tsx").replace(/-./g, (text) => text.slice(1).toUpperCase());
			return { flow, line: `import { ${flow} } from "./flows/${basename(name, ".tsx")}.js";\n` };
		});
		const list = [...imports.map(({ flow }) => flow), "mailboxPage"].join(", ");
		const lines = imports.map(({ line }) => line).join("");
		writeFileSync(path, lines + main.replace(/(?<=^const flows = \[).*(?=\];$)/m, list));
		expect(readFileSync(path, "utf8")).toContain(`const flows = [${list}];`);
		expect(typeErrors(folder)).toBe("");
	});
});

describe("the page's install commands", () => {
	const installs = commands.filter((line) => line.startsWith("npm install "));
	const packagesOf = (isDev: boolean): string[] =>
		installs
			.filter((line) => line.includes("--save-dev") === isDev)
			.flatMap((line) => line.split(" ").slice(2))
			.filter((word) => !word.startsWith("--"));
	const nameOf = (word: string): string => word.replace(/(?<=.)@.*/, "");

	const imported = new Set<string>();
	for (const file of readdirSync(APP, { recursive: true, encoding: "utf8" })) {
		if (!/\.tsx?$/.test(file) || file.includes("node_modules")) continue;
		const text = readFileSync(join(APP, file), "utf8");
		const { importedFiles } = ts.preProcessFile(text, true, true);
		const [, jsx] = /@jsxImportSource (\S+)/.exec(text) ?? [];
		for (const name of [...importedFiles.map(({ fileName }) => fileName), ...(jsx ? [jsx] : [])]) {
			if (/^(\.|node:)/.test(name)) continue;
			imported.add(/^(@[^/]+\/)?[^/]+/.exec(name)?.[0] ?? name);
		}
	}

	it("name exactly the packages that the app imports", () => {
		expect(imported.size).toBeGreaterThan(10);
		expect(packagesOf(false).map(nameOf).sort()).toEqual([...imported].sort());
	});

	it("name exactly the tools, and the types of packages without their own", () => {
		const typed = readdirSync(join(root, "node_modules/@types"));
		const types = [...imported, "node"].filter((name) => typed.includes(name));
		const tools = ["typescript", "tsx", ...types.map((name) => `@types/${name}`)];
		expect(packagesOf(true).map(nameOf).sort()).toEqual(tools.sort());
	});

	it("name the versions that the tests run", () => {
		const { dependencies, devDependencies } = JSON.parse(
			readFileSync(join(APP, "package.json"), "utf8"),
		) as Record<"dependencies" | "devDependencies", Record<string, string>>;
		const versions = { ...dependencies, ...devDependencies };
		for (const word of [...packagesOf(false), ...packagesOf(true)]) {
			const [, version] = /.@(\d+)$/.exec(word) ?? [];
			const tested = versions[nameOf(word)];
			expect(tested, `the version of ${word}`).toBeDefined();
			if (version !== undefined) expect(tested?.split(".")[0], word).toBe(version);
		}
	});
});
