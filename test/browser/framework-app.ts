import { existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { linksIn } from "../examples/demo.js";
import { freePort, run, start, temporaryFolder } from "../support/server.js";

/** An example app of a web framework, which has dependencies of its own. */
export interface Framework {
	/** Its folder's name. */
	readonly name: string;
	/** What Node runs to serve the built app in a folder at a port. */
	readonly command: (folder: string, port: number) => readonly string[];
	/** Where its form for an address goes. */
	readonly ask: string;
	/** The status of the page of a link that does not work. */
	readonly deadLink: number;
}

export const FRAMEWORKS: readonly Framework[] = [
	{
		name: "sveltekit",
		command: (folder) => [join(folder, "build/index.js")],
		ask: "/?/ask",
		deadLink: 410,
	},
	{
		name: "nextjs",
		command: (folder, port) => [
			join(folder, "node_modules/next/dist/bin/next"),
			...["start", folder, "--hostname", "127.0.0.1", "--port", String(port)],
		],
		ask: "/link",
		// A page can't choose its status, and that of notFound() is empty without scripts.
		deadLink: 200,
	},
];

const folderOf = ({ name }: Framework): string =>
	fileURLToPath(new URL(`../../examples/${name}`, import.meta.url));

/** Whether to go without an app, for want of its packages. Continuous integration never does. */
export const notInstalled = (framework: Framework): boolean =>
	!existsSync(join(folderOf(framework), "node_modules")) && process.env["CI"] !== "true";

export interface App {
	readonly url: string;
	readonly dataFile: string;
	/** Asks for a link, without a browser, and takes it out of the mailbox. */
	link(email: string): Promise<string>;
	stop(): Promise<void>;
}

/** Builds an app and starts it as in production, with an empty database. */
export const startApp = async (framework: Framework): Promise<App> => {
	const folder = folderOf(framework);
	// Vitest sets NODE_ENV to `test`, a mode that apps are not built in.
	const env = { ...process.env, NODE_ENV: "production", NEXT_TELEMETRY_DISABLED: "1" };
	// Not the build of the library, which the app's scripts do first: other tests are using it.
	await run("npm", ["run", "build", "--ignore-scripts", "--prefix", folder], { env });
	const data = temporaryFolder(framework.name);
	const dataFile = join(data.path, "app.db");
	const port = await freePort();
	const url = `http://localhost:${port}`;
	const stop = await start(
		process.execPath,
		framework.command(folder, port),
		{ env: { ...env, ORIGIN: url, HOST: "127.0.0.1", PORT: String(port), DATABASE: dataFile } },
		"SIGTERM",
		() => fetch(url),
	);
	const link = async (email: string): Promise<string> => {
		await fetch(`${url}${framework.ask}`, {
			method: "POST",
			redirect: "manual",
			headers: { Origin: url },
			body: new URLSearchParams({ email }),
		});
		const [newest] = linksIn(await (await fetch(`${url}/mailbox`)).text());
		if (newest === undefined) throw new Error("no mail has come");
		return newest;
	};

	return {
		url,
		dataFile,
		link,
		stop: async () => {
			await stop();
			data.remove();
		},
	};
};
