import { createRequire } from "node:module";
import os from "node:os";

const require = createRequire(import.meta.url);
const { dependencies } = require("./package.json");
const { packages } = require("./package-lock.json");

/** The machine that the figures come from, without anything that identifies it. */
export const machine = () => ({
	node: `Node ${process.version}`,
	system: `${os.type()} ${os.release().split("-")[0]} ${os.arch()}`,
	processor: os.cpus()[0]?.model.trim() ?? "unknown",
	cores: os.availableParallelism(),
	memory: `${Math.round(os.totalmem() / 2 ** 30)} GiB`,
});

/** What is installed of each package that takes part. */
export const versions = Object.fromEntries(
	Object.keys(dependencies).map((name) => {
		const { version, link, resolved } = packages[`node_modules/${name}`];
		return [name, link ? packages[resolved].version : version];
	}),
);
