import Database from "libsql";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

interface Options {
	dataFile?: string;
	baseUrl?: string;
	smtpUrl?: string;
	mailFrom?: string;
	secret?: string;
	expiresIn?: number;
	/** In seconds. Tests request mails in quick succession, so it is 0 unless a test sets it. */
	minInterval?: number;
}

interface Server {
	readonly url: string;
	readonly port: number;
	readonly mailbox: string | undefined;
	close(): Promise<void>;
}

const DEMO = new URL("../../examples/magic-link/", import.meta.url);

/** Imports a file of the demo. It is plain JavaScript, so the caller gives its types. */
export const importDemo = async <Module>(file: string): Promise<Module> =>
	(await import(new URL(file, DEMO).href)) as Module;

export const MAIN = new URL("main.js", DEMO);

/** Creates a folder for a test, and deletes it afterwards. */
export const temporaryFolder = (): string => {
	const folder = mkdtempSync(join(tmpdir(), "magic-link-"));
	onTestFinished(() => rmSync(folder, { recursive: true }));
	return folder;
};

export interface Answer {
	readonly status: number;
	readonly headers: Headers;
	readonly text: string;
}

/** Returns HTML text as a reader sees it. */
const unescape = (text: string): string =>
	text
		.replaceAll("&lt;", "<")
		.replaceAll("&gt;", ">")
		.replaceAll("&quot;", '"')
		.replaceAll("&#39;", "'")
		.replaceAll("&amp;", "&");

const SESSION = "auth_session";

/** A browser without scripts: it keeps cookies, sends an Origin and follows no redirect. */
export class Browser {
	/** Each cookie's value and the path that it is for, by its name. */
	readonly cookies = new Map<string, { value: string; path: string }>();
	readonly #origin: string;
	readonly #port: number;

	constructor(server: Pick<Server, "url" | "port">) {
		this.#origin = server.url;
		this.#port = server.port;
	}

	/** The session's cookie. */
	get cookie(): string | undefined {
		const session = this.cookies.get(SESSION);
		return session && `${SESSION}=${session.value}`;
	}

	set cookie(pair: string | undefined) {
		if (pair === undefined) this.cookies.delete(SESSION);
		else this.cookies.set(SESSION, { value: pair.slice(SESSION.length + 1), path: "/" });
	}

	async send(
		method: string,
		path: string,
		{ headers = {}, body }: { headers?: Record<string, string>; body?: string } = {},
	): Promise<Answer> {
		const sent = [...this.cookies]
			.filter(([, cookie]) => `${path}/`.startsWith(cookie.path.replace(/\/?$/, "/")))
			.map(([name, { value }]) => `${name}=${value}`);
		const cookie: Record<string, string> = sent.length > 0 ? { Cookie: sent.join("; ") } : {};
		const response = await fetch(`http://127.0.0.1:${this.#port}${path}`, {
			method,
			redirect: "manual",
			headers: { ...cookie, ...headers },
			...(body === undefined ? {} : { body }),
		});
		for (const line of response.headers.getSetCookie()) {
			const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
			const [, path = "/"] = /; Path=([^;]*)/.exec(line) ?? [];
			if (value === "") this.cookies.delete(name);
			else this.cookies.set(name, { value, path });
		}
		return { status: response.status, headers: response.headers, text: await response.text() };
	}

	get(path: string): Promise<Answer> {
		return this.send("GET", path);
	}

	post(
		path: string,
		fields: Record<string, string> = {},
		headers: Record<string, string> = { Origin: this.#origin },
	): Promise<Answer> {
		return this.send("POST", path, {
			headers: { "Content-Type": "application/x-www-form-urlencoded", ...headers },
			body: new URLSearchParams(fields).toString(),
		});
	}
}

export interface Demo extends Server {
	readonly dataFile: string;
	/** What the demo logged. */
	readonly logged: string[];
	browser(): Browser;
	/** Requests a link, takes it out of the mail, and returns its path. */
	link(email: string): Promise<string>;
	/** Requests a code in a browser, and takes it out of the mail, as it is written there. */
	code(email: string, browser?: Browser): Promise<string>;
	/** A browser that has signed in with a link. */
	signedIn(email: string): Promise<Browser>;
	/** All rows of all tables. */
	rows(): unknown;
}

/** All links in the mailbox, newest first. */
export const linksIn = (mailbox: string): string[] =>
	[...mailbox.matchAll(/href="([^"]*\/sign-in\/[^"]*)"/g)].map(([, link = ""]) => unescape(link));

/** All codes in the mailbox, newest first. */
export const codesIn = (mailbox: string): string[] =>
	[...mailbox.matchAll(/^(\d{4} \d{4})$/gm)].map(([, code = ""]) => code);

export const startDemo = async (options: Options = {}): Promise<Demo> => {
	const { startServer } = await importDemo<{ startServer: (options: object) => Promise<Server> }>(
		"server.js",
	);
	const dataFile = options.dataFile ?? join(temporaryFolder(), "demo.db");
	const logged: string[] = [];
	const server = await startServer({
		port: 0,
		minInterval: 0,
		...options,
		dataFile,
		log: (message: string) => logged.push(message),
	});
	let closed: Promise<void> | undefined;
	const close = () => (closed ??= server.close());
	onTestFinished(close);
	const browser = () => new Browser(server);

	const link = async (email: string): Promise<string> => {
		await browser().post("/sign-in", { email });
		const [newest] = linksIn((await browser().get("/mailbox")).text);
		if (newest === undefined) throw new Error("no mail arrived");
		return new URL(newest).pathname;
	};

	const code = async (email: string, asking = browser()): Promise<string> => {
		await asking.post("/code", { email });
		const [newest] = codesIn((await browser().get("/mailbox")).text);
		if (newest === undefined) throw new Error("no mail arrived");
		return newest;
	};

	const signedIn = async (email: string): Promise<Browser> => {
		const own = browser();
		await own.post(await link(email));
		return own;
	};

	const rows = () => {
		const db = new Database(dataFile);
		try {
			return ["auth_user", "auth_session", "auth_key"].map((table) =>
				db.prepare(`SELECT * FROM ${table} ORDER BY id`).all(),
			);
		} finally {
			db.close();
		}
	};

	return { ...server, dataFile, close, logged, browser, link, code, signedIn, rows };
};
