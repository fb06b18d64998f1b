import Database from "libsql";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { expect } from "vitest";
import { startSmtp } from "../examples/smtp.js";
import { freePort } from "./server.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const modules = join(ROOT, "node_modules");

/** The files in the page of a server. The first line of each block of code is the file's name. */
export const filesOf = (page: string): Map<string, string> => {
	const text = readFileSync(join(ROOT, "docs/guides", page), "utf8");
	return new Map(
		[...text.matchAll(/^```tsx?\n\/\/ (\S+)\n(.*?)^```$/gms)].map(([, name = "", code = ""]) => [
			name,
			code,
		]),
	);
};

/** Does in a new folder what a page says to do before the app runs. */
const install = (page: string): string => {
	const text = readFileSync(join(ROOT, "docs/guides", page), "utf8");
	const folder = mkdtempSync(join(tmpdir(), "recipe-"));
	writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
	for (const [name, code] of filesOf(page)) writeFileSync(join(folder, name), code);

	// Only the packages that the page installs.
	const commands = text.replaceAll("\\\n", "").matchAll(/^npm install (.*)$/gm);
	for (const [, line = ""] of commands) {
		for (const word of line.split(/\s+/).filter((word) => !word.startsWith("--"))) {
			const name = word.replace(/(?<=.)@.*/, "");
			const path = join(folder, "node_modules", name);
			mkdirSync(dirname(path), { recursive: true });
			symlinkSync(join(modules, name), path);
		}
	}

	execFileSync(process.execPath, [join(modules, "typescript/bin/tsc"), "--init"], { cwd: folder });
	const path = join(folder, "tsconfig.json");
	const config = ts.parseConfigFileTextToJson(path, readFileSync(path, "utf8")).config as {
		compilerOptions: object;
	};
	const [, settings = ""] = /^In `tsconfig\.json`, (.*)$/m.exec(text) ?? [];
	for (const [, setting = ""] of settings.matchAll(/`(.*?)`/g)) {
		Object.assign(config.compilerOptions, JSON.parse(`{${setting}}`));
	}
	writeFileSync(path, JSON.stringify(config));
	return folder;
};

export interface Page {
	readonly status: number;
	readonly headers: Headers;
	readonly text: string;
}

/** A client that keeps its cookie and sends forms as a browser does. */
export class Client {
	cookie: string | undefined;
	readonly #port: number;
	readonly #origin: string;

	constructor(port: number, origin: string) {
		this.#port = port;
		this.#origin = origin;
	}

	async send(path: string, init: RequestInit = {}): Promise<Page> {
		const headers = new Headers(init.headers);
		if (this.cookie !== undefined) headers.set("Cookie", this.cookie);
		const url = `http://127.0.0.1:${this.#port}${path}`;
		const response = await fetch(url, { ...init, headers, redirect: "manual" });
		for (const line of response.headers.getSetCookie()) {
			const [, pair = "", value = ""] = /^(auth_session=([^;]*))/.exec(line) ?? [];
			this.cookie = value === "" ? undefined : pair;
		}
		return { status: response.status, headers: response.headers, text: await response.text() };
	}

	get(path: string): Promise<Page> {
		return this.send(path);
	}

	post(path: string, fields: Record<string, string> = {}): Promise<Page> {
		const headers = { Origin: this.#origin };
		return this.send(path, { method: "POST", headers, body: new URLSearchParams(fields) });
	}
}

/** The app of a page, with a mail server and access to its database. */
export const startRecipe = async (page: string) => {
	const folder = install(page);
	const main = [...filesOf(page).keys()].at(-1) ?? "";
	const smtp = await startSmtp((address) => address.includes("refused"));
	const running: (() => Promise<void>)[] = [];

	/** Starts a process of the app. Resolves when it serves, or when it has ended. */
	const run = async (env: Record<string, string> = {}) => {
		const port = await freePort();
		const child = spawn(process.execPath, [join(modules, "tsx/dist/cli.mjs"), main], {
			cwd: folder,
			env: { PATH: process.env["PATH"], PORT: String(port), SMTP_URL: smtp.url, ...env },
		});
		const ended = once(child, "close");
		let logged = "";
		const ready = new Promise<boolean>((resolve) => {
			for (const stream of [child.stdout, child.stderr]) {
				stream.on("data", (chunk: Buffer) => {
					logged += chunk.toString();
					if (/^http\S+$/m.test(logged)) resolve(true);
				});
			}
			void ended.then(() => resolve(false));
		});
		const stop = async () => {
			child.kill();
			await ended;
		};
		running.push(stop);
		const serves = await ready;
		const origin = /^http\S+$/m.exec(logged)?.[0] ?? "";
		return { port, origin, serves, stop, logged: () => logged };
	};

	const first = await run();
	if (!first.serves) throw new Error(first.logged());
	const db = new Database(join(folder, "app.db"));
	db.pragma("busy_timeout = 5000");
	const client = (process: { port: number; origin: string } = first) =>
		new Client(process.port, process.origin);

	/** Waits for the mail to an address, and returns its link. */
	const mailedUrl = async (email: string): Promise<URL> => {
		const { text } = await smtp.next(email);
		return new URL(/http\S+/.exec(text)?.[0] ?? "");
	};

	/** Waits for the mail to an address, and returns the path of its link. */
	const mailed = async (email: string): Promise<string> => (await mailedUrl(email)).pathname;

	/** Requests a link for an address. Returns its path. */
	const link = async (email: string): Promise<string> => {
		expect((await client().post("/sign-in", { email })).status).toBe(200);
		return mailed(email);
	};

	return {
		...first,
		folder,
		db,
		mails: smtp.mails,
		run,
		client,
		mailedUrl,
		mailed,
		link,

		/** A client that has signed in with a link. */
		signedIn: async (email: string): Promise<Client> => {
			const own = client();
			await own.post(await link(email));
			return own;
		},

		/** Everything in the database. */
		rows: () =>
			["auth_user", "auth_session", "auth_key"].map((table) =>
				db.prepare(`SELECT * FROM ${table} ORDER BY id`).all(),
			),

		/** What `tsc` finds wrong. */
		typeErrors: (): string => {
			const args = [join(modules, "typescript/bin/tsc"), "--noEmit"];
			try {
				return execFileSync(process.execPath, args, { cwd: folder }).toString();
			} catch (error) {
				return String((error as { stdout: Buffer }).stdout);
			}
		},

		close: async () => {
			await Promise.all(running.map((stop) => stop()));
			db.close();
			await smtp.close();
			rmSync(folder, { recursive: true });
		},
	};
};

export type Recipe = Awaited<ReturnType<typeof startRecipe>>;
