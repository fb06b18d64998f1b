import { betterSqlite3 } from "@lucia-auth/adapter-sqlite";
import Database from "libsql";
import lucia from "lucia-auth";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import PostalMime from "postal-mime";
import { SMTPServer } from "smtp-server";
import { expect } from "vitest";
import { type Answer, Browser } from "../examples/demo.js";
import { freePort } from "../support/server.js";

const ROOT = new URL("../../", import.meta.url);
const GUIDES = new URL("docs/guides/", ROOT);

/** The guides' pages, by their names. */
export const pages = new Map(
	readdirSync(GUIDES).map((name) => [name, readFileSync(new URL(name, GUIDES), "utf8")]),
);

/** Every block of JavaScript of a page. */
export const blocksOf = (page: string): string[] =>
	[...page.matchAll(/^```js\n(.*?)^```$/gms)].map(([, code = ""]) => code);

/** The files that the blocks make up: each says in its first line which it belongs to. */
export const files = (): Map<string, string> => {
	const found = new Map<string, string>();
	for (const block of [...pages.values()].flatMap(blocksOf)) {
		const [, name = ""] = /^\/\/ ([a-z-]+\.js)\n/.exec(block) ?? [];
		found.set(name, `${found.get(name) ?? ""}${block}\n`);
	}
	return found;
};

export interface Mail {
	readonly to: string;
	readonly subject: string;
	readonly text: string;
}

const startSmtp = async () => {
	const mails: Mail[] = [];
	const server = new SMTPServer({
		disabledCommands: ["AUTH", "STARTTLS"],
		disableReverseLookup: true,
		logger: false,
		onData: (stream, session, callback) => {
			const chunks: Buffer[] = [];
			stream.on("data", (chunk: Buffer) => chunks.push(chunk));
			stream.on("end", () => {
				void PostalMime.parse(Buffer.concat(chunks)).then(({ subject = "", text = "" }) => {
					const to = session.envelope.rcptTo.map(({ address }) => address).join();
					mails.push({ to, subject, text });
					callback();
				});
			});
		},
	});
	await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
	const { port } = server.server.address() as AddressInfo;
	const close = () => new Promise<void>((resolve) => server.close(resolve));
	return { mails, url: `smtp://127.0.0.1:${port}`, close };
};

/** All guides as one app, in a process of its own, with a database and a mail server. */
export const startGuides = async ({ baseUrl }: { baseUrl?: string } = {}) => {
	const folder = mkdtempSync(join(tmpdir(), "guides-"));
	for (const [name, code] of files()) writeFileSync(join(folder, name), code);
	writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
	symlinkSync(fileURLToPath(new URL("node_modules", ROOT)), join(folder, "node_modules"));

	const smtp = await startSmtp();
	const dataFile = join(folder, "app.db");
	let logged = "";

	/** Runs Node in the folder of the app. */
	const run = (args: string[], env: Record<string, string> = {}) => {
		const child = spawn(process.execPath, args, {
			cwd: folder,
			env: {
				PATH: process.env["PATH"],
				DATA: dataFile,
				SMTP_URL: smtp.url,
				SECRET: "a secret of the tests, long enough",
				...env,
			},
		});
		for (const stream of [child.stdout, child.stderr]) {
			stream.on("data", (chunk: Buffer) => (logged += chunk.toString()));
		}
		const ended = once(child, "close") as Promise<[code: number | null]>;
		const stop = async () => {
			child.kill();
			await ended;
		};
		return { child, ended, stop };
	};

	/** Starts a process of the app, and waits until it answers. */
	const serve = async () => {
		const port = await freePort();
		const url = baseUrl ?? `http://localhost:${port}`;
		const { child, stop } = run(["main.js"], { PORT: String(port), BASE_URL: url });
		for (let tries = 0; ; tries++) {
			const up = await fetch(`http://127.0.0.1:${port}/`).then(
				() => true,
				() => false,
			);
			if (up) break;
			if (tries === 1000 || child.exitCode !== null) throw new Error(`The guides fail: ${logged}`);
			await sleep(25);
		}
		return { url, port, stop };
	};

	const { url, port, stop } = await serve();
	const db = new Database(dataFile);
	db.pragma("busy_timeout = 5000");
	const auth = lucia({ adapter: betterSqlite3(db as never), env: "DEV" });
	const rows = (): Record<string, unknown>[][] =>
		["auth_user", "auth_session", "auth_key"].map(
			(table) =>
				db.prepare(`SELECT * FROM ${table} ORDER BY id`).all() as Record<string, unknown>[],
		);
	const browser = () => new Browser({ url, port });
	let taken = 0;

	return {
		url,
		auth,
		db,
		rows,
		browser,
		mails: smtp.mails,

		/** Waits for the next mail, and expects who it goes to. */
		nextMail: async (to: string): Promise<Mail> => {
			await expect.poll(() => smtp.mails.length, { timeout: 20_000 }).toBeGreaterThan(taken);
			const mail = smtp.mails[taken++] as Mail;
			expect(mail.to).toBe(to);
			return mail;
		},

		/** A user with a password, `former password`. */
		createUser: async (email: string): Promise<string> => {
			const { userId } = (await auth.createUser({
				primaryKey: {
					providerId: "email",
					providerUserId: email,
					password: "former password",
				},
				attributes: { email } as never,
			})) as { userId: string };
			return userId;
		},

		/** A user without a key. */
		createBareUser: async (email: string): Promise<string> => {
			const attributes = { email } as never;
			const { userId } = (await auth.createUser({ primaryKey: null, attributes })) as {
				userId: string;
			};
			return userId;
		},

		/** Marks a user's address as verified. */
		verify: (userId: string) => {
			db.prepare("UPDATE auth_user SET email_verified = 1 WHERE id = ?").run(userId);
		},

		/** Whether a user can sign in with a password. */
		works: (email: string, password: string): Promise<boolean> =>
			auth.useKey("email", email, password).then(
				() => true,
				() => false,
			),

		/** A browser with a session of a user's. */
		signedIn: async (userId: string): Promise<Browser> => {
			const own = browser();
			own.cookie = `auth_session=${(await auth.createSession(userId)).sessionId}`;
			return own;
		},

		user: (userId: string) => rows()[0]?.find(({ id }) => id === userId),

		/** The ids of a user's sessions. */
		sessions: (userId: string) =>
			rows()[1]?.flatMap(({ id, user_id }) => (user_id === userId ? [id as string] : [])) ?? [],

		/** The ids of the keys of all tokens. */
		tokens: () =>
			rows()[2]?.flatMap(({ id, expires }) =>
				expires === null || String(id).startsWith(":") ? [] : [id as string],
			) ?? [],

		/** Lets all tokens expire. */
		expire: () => {
			db.prepare("UPDATE auth_key SET expires = 1 WHERE expires IS NOT NULL").run();
		},

		/** Lets all tokens expire, but no interval. */
		expireTokens: () => {
			db.prepare("UPDATE auth_key SET expires = 1 WHERE id NOT LIKE ':%'").run();
		},

		/** Lets the minute pass in which no second mail is sent. */
		nextMinute: () => {
			const rows = ["first", "in", "after"].map((word) => `id LIKE ':%. ${word} %'`);
			const { changes } = db.prepare(`DELETE FROM auth_key WHERE ${rows.join(" OR ")}`).run();
			expect(changes).toBeGreaterThan(0);
		},

		run,
		serve,

		/** What a mail scanner does, with nothing to show for it. */
		scan: async (path: string): Promise<Answer> => {
			const before = rows();
			let last: Answer | undefined;
			for (const method of ["HEAD", "GET", "GET"]) {
				last = await browser().send(method, path);
				expect(last.headers.getSetCookie()).toEqual([]);
				expect(last.headers.get("referrer-policy")).toBe("no-referrer");
				expect(last.headers.get("cache-control")).toBe("no-store");
			}
			expect(rows()).toEqual(before);
			return last as Answer;
		},

		logged: () => logged,

		close: async () => {
			await stop();
			db.close();
			await smtp.close();
			rmSync(folder, { recursive: true });
		},
	};
};

export type Guides = Awaited<ReturnType<typeof startGuides>>;

/** The path of the link in a mail, with its query. */
export const pathIn = ({ text }: Mail): string => {
	const { pathname, search } = new URL(/http\S+/.exec(text)?.[0] ?? "");
	return pathname + search;
};

/** The form of a page: where it goes, and its hidden fields. */
export const formIn = ({ text }: Answer) => ({
	action: /action="([^"]*)"/.exec(text)?.[1] ?? "",
	fields: Object.fromEntries(
		[...text.matchAll(/type="hidden" name="(\w+)" value="([^"]*)"/g)].map(
			([, name = "", value = ""]) => [name, value.replaceAll("&#39;", "'")],
		),
	),
});

/** The code in a mail. */
export const codeIn = ({ text }: Mail): string => /\d{4} \d{4}/.exec(text)?.[0] ?? "";

/** A code that is not the one given. */
export const wrong = (code: string, by = 1): string =>
	String((Number(code.replace(" ", "")) + by) % 1e8).padStart(8, "0");

/** Another browser with the same cookies. */
export const copyOf = (browser: Browser, guides: Guides): Browser => {
	const same = guides.browser();
	for (const [name, cookie] of browser.cookies) same.cookies.set(name, cookie);
	return same;
};

export const SIGNED_IN = /^auth_session=\w{40}; Path=\/; Expires=.*; HttpOnly; SameSite=Lax$/;

/** What a client sees of an answer, without the address that it requested. */
export const seen = ({ status, headers, text }: Answer, address: string) => ({
	status,
	text: text.replaceAll(address, "ADDRESS"),
	headers: [...headers.entries()]
		.filter(([name]) => !["date", "etag", "content-length"].includes(name))
		.map(([name, value]) => [name, name === "set-cookie" ? value.replace(/=.*/, "") : value]),
});
