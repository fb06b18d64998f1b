import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";
import { freePort, run, start, temporaryFolder } from "../support/server.js";

/** The example apps of web frameworks, which have dependencies of their own: the names of their folders. */
export const FRAMEWORKS = ["sveltekit", "nextjs"] as const;

export type Framework = (typeof FRAMEWORKS)[number];

const folderOf = (framework: Framework): string =>
	fileURLToPath(new URL(`../../examples/${framework}`, import.meta.url));

/** Whether to go without an app, for want of its packages. Continuous integration never does. */
export const notInstalled = (framework: Framework): boolean =>
	!existsSync(join(folderOf(framework), "node_modules")) && process.env["CI"] !== "true";

// Vitest sets NODE_ENV to `test`, a mode that apps are not built in.
const environment = (mode: "production" | "development") => ({
	...process.env,
	NODE_ENV: mode,
	NEXT_TELEMETRY_DISABLED: "1",
});

/**
 * A command for `sh` that becomes a script of an app. It does not build the library first, because other
 * tests are using it, and is not npm, which leaves its children behind.
 */
const script = (framework: Framework, name: "build" | "start" | "dev"): string[] => {
	const folder = folderOf(framework);
	const { scripts } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
		scripts: Record<typeof name, string>;
	};
	const path = 'PATH="$PWD/node_modules/.bin:$PATH"';
	return ["-c", `cd "$0" && exec env ${path} ${scripts[name]}`, folder];
};

/** Builds an app as for production. */
export const buildApp = (framework: Framework): Promise<void> =>
	run("sh", script(framework, "build"), { env: environment("production") });

/** Starts an app that must not start. @throws Error with what it prints */
export const failToStart = async (framework: Framework, ORIGIN: string): Promise<void> => {
	const env = { ...environment("production"), PORT: String(await freePort()), ORIGIN };
	await run("sh", script(framework, "start"), { env });
};

/** A form, as a browser without scripts sends it. */
interface Form {
	readonly url: string;
	readonly body: FormData | URLSearchParams;
}

const unescape = (text: string): string => text.replaceAll("&quot;", '"').replaceAll("&amp;", "&");

const attribute = (tag: string, name: string): string | undefined => {
	const [, value] = new RegExp(` ${name}="([^"]*)"`, "i").exec(tag) ?? [];
	return value === undefined ? undefined : unescape(value);
};

/** Reads the form with a button out of a page. */
const formIn = (page: string, button: string, url: string): Form => {
	const forms = [...page.matchAll(/<form.*?<\/form>/gs)].map(([form]) => form);
	const form = forms.find((each) => each.includes(`>${button}</button>`));
	if (form === undefined) throw new Error(`${url} has no button "${button}"`);
	const [tag] = /<form[^>]*>/.exec(form) ?? [""];
	const body = attribute(tag, "enctype") ? new FormData() : new URLSearchParams();
	for (const [input] of form.matchAll(/<input[^>]*>/g)) {
		body.append(attribute(input, "name") ?? "", attribute(input, "value") ?? "");
	}
	return { url: new URL(attribute(tag, "action") || url, url).href, body };
};

export interface App {
	readonly url: string;
	readonly dataFile: string;
	/** Sends a request without a browser, and follows no redirect. */
	request(path: string, init?: RequestInit): Promise<Response>;
	/** Reads the form with a button out of a page. */
	form(path: string, button: string): Promise<Form>;
	/** Sends such a form, without a browser. */
	submit(form: Form, fields?: Record<string, string>, headers?: HeadersInit): Promise<Response>;
	/** Requests a link, without a browser. */
	ask(email: string, next?: string): Promise<Response>;
	/** Requests a link, and takes it out of the mailbox. */
	link(email: string, next?: string): Promise<string>;
	/** All links in the mailbox, newest first. */
	links(): Promise<string[]>;
	stop(): Promise<void>;
}

interface Options {
	/** `start` is the default, and needs a build. */
	readonly script?: "start" | "dev";
	/** What runs in the app's process first. */
	readonly preload?: string;
	readonly dataFile?: string;
}

/** Starts an app with an empty database, at a port that PORT alone sets. */
export const startApp = async (
	framework: Framework,
	{ script: name = "start", preload = "", ...options }: Options = {},
): Promise<App> => {
	const data = temporaryFolder(framework);
	const dataFile = options.dataFile ?? join(data.path, "app.db");
	const preloaded = join(data.path, "preload.mjs");
	writeFileSync(preloaded, preload);
	const port = await freePort();
	const url = `http://localhost:${port}`;
	const stop = await start(
		"sh",
		script(framework, name),
		{
			env: {
				...environment(name === "dev" ? "development" : "production"),
				NODE_OPTIONS: `--import ${pathToFileURL(preloaded).href}`,
				PORT: String(port),
				DATABASE: dataFile,
			},
		},
		"SIGTERM",
		() => fetch(url),
	);

	const request: App["request"] = (path, init) =>
		fetch(new URL(path, url), {
			redirect: "manual",
			...init,
			headers: { Accept: "text/html", ...(init?.headers as Record<string, string>) },
		});
	const form: App["form"] = async (path, button) =>
		formIn(await (await request(path)).text(), button, new URL(path, url).href);
	const submit: App["submit"] = (target, fields = {}, headers = { Origin: url }) => {
		for (const [name, value] of Object.entries(fields)) target.body.set(name, value);
		return request(target.url, { method: "POST", headers, body: target.body });
	};
	const ask: App["ask"] = async (email, next = "/") =>
		submit(await form(`/?next=${encodeURIComponent(next)}`, "Send me a link"), { email });
	const links = async () => {
		const mailbox = await (await request("/mailbox")).text();
		return [...mailbox.matchAll(/href="([^"]*\/sign-in\/[^"]*)"/g)].map(([, link = ""]) =>
			unescape(link),
		);
	};

	return {
		url,
		dataFile,
		request,
		form,
		submit,
		ask,
		links,
		link: async (email, next) => {
			await ask(email, next);
			const [newest] = await links();
			if (newest === undefined) throw new Error("no mail has come");
			return newest;
		},
		stop: async () => {
			await stop();
			data.remove();
		},
	};
};
