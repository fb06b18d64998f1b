import Database from "libsql";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { preloading } from "../examples/app.js";
import { Browser, type Page } from "../examples/browser.js";
import { root } from "../support/packed.js";
import { freePort, startProgram, temporaryFolder } from "../support/server.js";

/** The example apps of web frameworks, which have dependencies of their own: the names of their folders. */
export const FRAMEWORKS = ["sveltekit", "nextjs"] as const;

type Framework = (typeof FRAMEWORKS)[number];

const folderOf = (framework: Framework): string => join(root, "examples", framework);

/** Why to go without an app, if there is a reason. CI never does. */
export const notInstalled = (framework: Framework): string | undefined =>
	!existsSync(join(folderOf(framework), "node_modules")) && process.env["CI"] !== "true"
		? `first npm ci --prefix examples/${framework}`
		: undefined;

/**
 * Starts a script of an app. It does not build the library first, because other tests are using it, and is not
 * npm, which leaves its children behind.
 */
export const startScript = (
	framework: Framework,
	name: "build" | "start" | "dev",
	env: Record<string, string> = {},
) => {
	const cwd = folderOf(framework);
	const { scripts } = JSON.parse(readFileSync(join(cwd, "package.json"), "utf8")) as {
		scripts: Record<typeof name, string>;
	};
	return startProgram("sh", ["-c", `exec env ${scripts[name]}`], {
		cwd,
		env: {
			...process.env,
			PATH: `${join(cwd, "node_modules/.bin")}:${process.env["PATH"]}`,
			// Vitest sets it to `test`, a mode that apps are not built in.
			NODE_ENV: name === "dev" ? "development" : "production",
			...env,
		},
	});
};

const unescape = (text: string): string => text.replaceAll("&quot;", '"').replaceAll("&amp;", "&");

const attribute = (tag: string, name: string): string => {
	const [, value = ""] = new RegExp(` ${name}="([^"]*)"`, "i").exec(tag) ?? [];
	return unescape(value);
};

/** The form with a button on the page at a path: where it leads, and its fields. */
const formIn = ({ text }: Page, button: string, path: string) => {
	const forms = [...text.matchAll(/<form.*?<\/form>/gs)].map(([form]) => form);
	const form = forms.find((each) => each.includes(`>${button}</button>`));
	if (form === undefined) throw new Error(`${path} has no button "${button}"`);
	const [tag] = /<form[^>]*>/.exec(form) ?? [""];
	const body = attribute(tag, "enctype") ? new FormData() : new URLSearchParams();
	for (const [input] of form.matchAll(/<input[^>]*>/g)) {
		body.append(attribute(input, "name"), attribute(input, "value"));
	}
	return { path: attribute(tag, "action") || path, body };
};

interface Options {
	/** `start` is the default, and needs a build. */
	readonly script?: "start" | "dev";
	/** Code that runs in the app's process first. */
	readonly preload?: string;
	readonly dataFile?: string;
}

/** Starts an app with an empty database, at a port that PORT alone sets. */
export const startApp = async (framework: Framework, options: Options = {}) => {
	const { script = "start", preload = "" } = options;
	const data = temporaryFolder(framework);
	const dataFile = options.dataFile ?? join(data.path, "app.db");
	const port = await freePort();
	const url = `http://localhost:${port}`;
	const program = startScript(framework, script, {
		NODE_OPTIONS: preloading(preload),
		PORT: String(port),
		DATABASE: dataFile,
	});
	await program.serves(() => fetch(url));
	const db = new Database(dataFile);
	db.pragma("busy_timeout = 5000");
	const browser = () => new Browser(url);

	/** Presses a button on a page, without scripts. */
	const press = async (
		own: Browser,
		path: string,
		button: string,
		fields: Record<string, string> = {},
		headers: Record<string, string> = { Origin: url },
	): Promise<Page> => {
		const form = formIn(await own.get(path), button, path);
		for (const [name, value] of Object.entries(fields)) form.body.set(name, value);
		return own.send("POST", new URL(form.path, url + path).href, { headers, body: form.body });
	};

	/** Requests a link. */
	const ask = (email: string, next = "/"): Promise<Page> =>
		press(browser(), `/?next=${encodeURIComponent(next)}`, "Send me a link", { email });

	/** The paths of all links in the mailbox, newest first. */
	const links = async (): Promise<string[]> => {
		const { text } = await browser().get("/mailbox");
		return [...text.matchAll(/href="http:\/\/[^/"]*(\/sign-in\/[^"]*)"/g)].map(([, link = ""]) =>
			unescape(link),
		);
	};

	return {
		url,
		dataFile,
		db,
		browser,
		press,
		ask,
		links,

		/** Requests a link, and takes its path out of the mailbox. */
		link: async (email: string, next?: string): Promise<string> => {
			await ask(email, next);
			const [newest] = await links();
			if (newest === undefined) throw new Error("no mail has come");
			return newest;
		},

		/** Everything in a table. */
		rows: (table: string) => db.prepare(`SELECT * FROM ${table} ORDER BY id`).all(),

		/** Lets all links expire. */
		expire: () => void db.exec("UPDATE auth_key SET expires = 1"),

		/** The rows that have expired. */
		expired: () => db.prepare("SELECT id FROM auth_key WHERE expires = 1").all(),

		stop: async (): Promise<void> => {
			db.close();
			await program.stop();
			data.remove();
		},
	};
};

export type App = Awaited<ReturnType<typeof startApp>>;
