import { existsSync } from "node:fs";

// The heavy packages may not be installed, so their types are not imported.
const modules = new URL("node_modules/", import.meta.url);

/** Whether a package of test/matrix/package.json is installed. */
export const isInstalled = (name: string): boolean => existsSync(new URL(name, modules));

/** Imports from a package of test/matrix/package.json. */
export const importHeavy = async <Module>(name: string): Promise<Module> =>
	(await import(name)) as Module;
