import Database from "libsql";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startNode } from "../examples/app.js";
import { Browser, leadsTo, type Page, seen } from "../examples/browser.js";
import { foreignHeaders, sendHostile } from "../examples/hostile.js";
import { pathIn, startSmtp, urlIn } from "../examples/smtp.js";
import { freePort } from "../support/server.js";
import { filesOf, follow, typeErrors } from "./folder.js";

// Follows the pages of servers, which have apps of their own, and runs these apps.

const SERVERS = [
	["hono", "web"],
	["fastify", "node"],
] as const;
const DEAD = `/sign-in/${"x".repeat(43)}`;

/** The app of a page, with a mail server and access to its database. */
const startServer = async (page: string) => {
	const folder = follow(page);
	const files = filesOf(page);
	for (const [name, code] of files) writeFileSync(join(folder.path, name), code);
	const main = [...files.keys()].at(-1) ?? "";
	const smtp = await startSmtp();
	const launch = (env: Record<string, string>) =>
		startNode(folder.path, [main], { SMTP_URL: smtp.url, ...env });

	const running: (() => Promise<void>)[] = [];
	/** Starts a process of the app, which users find at an origin. */
	const run = async (env: Record<string, string> = {}, origin?: string) => {
		const port = await freePort();
		const program = launch({ PORT: String(port), ...env });
		running.push(program.stop);
		await program.serves(`http://127.0.0.1:${port}`);
		const browser = () =>
			new Browser(origin ?? `http://localhost:${port}`, `http://127.0.0.1:${port}`);
		return { ...program, port, browser };
	};

	const first = await run();
	const db = new Database(join(folder.path, "app.db"));
	db.pragma("busy_timeout = 5000");

	/** Requests a link for an address. Returns its path. */
	const link = async (email: string): Promise<string> => {
		expect((await first.browser().post("/sign-in", { email })).status).toBe(200);
		return pathIn(await smtp.next(email));
	};

	return {
		...first,
		folder: folder.path,
		smtp,
		db,
		launch,
		run,
		link,

		/** A browser that has signed in with a link. */
		signedIn: async (email: string): Promise<Browser> => {
			const browser = first.browser();
			await browser.post(await link(email));
			return browser;
		},

		/** Expects that the app has sent no mail but those that were taken. */
		hasSentNoMore: async () => {
			await link(`fence-${crypto.randomUUID()}@example.com`);
			expect(smtp.mails).toEqual([]);
			expect(first.logged()).not.toContain("not sent");
		},

		/** Everything in the database. */
		tables: () =>
			["auth_user", "auth_session", "auth_key"].map((table) =>
				db.prepare(`SELECT * FROM ${table} ORDER BY id`).all(),
			),

		close: async () => {
			await Promise.all(running.map((stop) => stop()));
			db.close();
			await smtp.close();
			folder.remove();
		},
	};
};

test("Lucia's middleware is the only difference between the pages in auth.ts", () => {
	const [hono, fastify] = SERVERS.map(([page, middleware]) =>
		filesOf(page)
			.get("auth.ts")
			?.replaceAll(new RegExp(`\\b${middleware}\\b(?=\\(| })`, "g"), "MIDDLEWARE"),
	);
	expect(hono).toContain("MIDDLEWARE()");
	expect(fastify).toBe(hono);
});

describe.each(SERVERS)("the app of %s.md", (page) => {
	let app: Awaited<ReturnType<typeof startServer>>;
	beforeAll(async () => {
		app = await startServer(page);
	});
	afterAll(() => app?.close());

	test("signs a new user in and out, with a cookie that scripts and other sites don't get", async () => {
		const browser = app.browser();
		expect(leadsTo(await browser.get("/"))).toEqual([302, "/sign-in"]);
		expect((await browser.get("/sign-in")).text).toContain('<form method="post" action="/sign-in"');
		expect((await browser.post("/sign-in", { email: " Ada@Example.com " })).status).toBe(200);

		const link = pathIn(await app.smtp.next("ada@example.com"));
		const asked = await browser.get(link);
		expect(asked.status).toBe(200);
		expect(asked.text).toContain("Sign in as ada@example.com?");
		expect(asked.text).toMatch(/<form method="post">\s*<button>/);

		const signedIn = await browser.post(link);
		expect(leadsTo(signedIn)).toEqual([303, "/"]);
		expect(signedIn.headers.getSetCookie()).toEqual([
			expect.stringMatching(
				/^auth_session=\w{40}; Path=\/; Expires=[^;]*; HttpOnly; SameSite=Lax$/,
			),
		]);
		const home = await browser.get("/");
		expect(home.status).toBe(200);
		expect(home.text).toContain("Signed in as ada@example.com");
		expect(home.text).toContain('<form method="post" action="/sign-out"');

		const former = browser.copy();
		expect(leadsTo(await browser.post("/sign-out"))).toEqual([303, "/sign-in"]);
		expect(browser.session).toBeUndefined();
		expect((await former.get("/")).status).toBe(302);
	});

	test("signs a known user in to the same account, and replaces the browser's session alone", async () => {
		const other = await app.signedIn("known@example.com");
		app.db.exec("DELETE FROM auth_key"); // the minute has passed
		const browser = await app.signedIn("known@example.com");
		const former = browser.copy();
		await browser.post(await app.link("next@example.com"));
		expect((await browser.get("/")).text).toContain("Signed in as next@example.com");
		expect((await former.get("/")).status).toBe(302);
		expect((await other.get("/")).text).toContain("Signed in as known@example.com");
	});

	test("offers a new link in place of one that is used, expired, or unknown", async () => {
		const used = await app.link("used@example.com");
		expect((await app.browser().post(used)).status).toBe(303);
		const expired = await app.link("expired@example.com");
		app.db.exec("UPDATE auth_key SET expires = 1");
		for (const path of [used, expired, DEAD, "/sign-in/x", "/sign-in/%20", "/sign-in/a:b"]) {
			for (const dead of [await app.browser().get(path), await app.browser().post(path)]) {
				expect(dead.status, path).toBe(410);
				expect(dead.text).toContain('<form method="post" action="/sign-in"');
				expect(dead.headers.getSetCookie()).toEqual([]);
			}
		}
	});

	test("changes nothing on GET or HEAD", async () => {
		const link = await app.link("scanned@example.com");
		const before = app.tables();
		for (const path of ["/", "/sign-in", link, DEAD, "/sign-out"]) {
			for (const method of ["HEAD", "GET", "GET"]) {
				const { headers } = await app.browser().send(method, path);
				expect(headers.getSetCookie()).toEqual([]);
			}
		}
		expect((await app.browser().send("HEAD", link)).status).toBe(200);
		expect(app.tables()).toEqual(before);
		expect((await app.browser().post(link)).status).toBe(303);
	});

	test("responds the same for every address, and mails each once a minute", async () => {
		await app.link("recent@example.com");
		await app.link("later@example.com");
		app.db.exec(`DELETE FROM auth_key WHERE user_id =
			(SELECT id FROM auth_user WHERE email = 'later@example.com')`);
		const addresses = ["recent@example.com", "later@example.com", "new@example.com"];
		const pages = [];
		for (const email of addresses) {
			pages.push(seen(await app.browser().post("/sign-in", { email }), email));
		}
		for (const page of pages) expect(page).toEqual(pages[0]);
		await app.smtp.next("later@example.com");
		await app.smtp.next("new@example.com");
		await app.hasSentNoMore();
	});

	test("sends one mail, of two requests of a new address at once", async () => {
		const email = "eager@example.com";
		const post = () => app.browser().post("/sign-in", { email });
		for (const { status } of await Promise.all([post(), post()])) expect(status).toBe(200);
		await app.smtp.next(email);
		await app.hasSentNoMore();
	});

	test("responds before it finds the user", async () => {
		app.db.exec("BEGIN IMMEDIATE"); // the app can't write, and would give up
		const { status } = await app.browser().post("/sign-in", { email: "patient@example.com" });
		app.db.exec("COMMIT");
		expect(status).toBe(200);
		await app.smtp.next("patient@example.com");
	});

	test("refuses forms that are not from its own pages, and changes nothing", async () => {
		const browser = await app.signedIn("in@example.com");
		const link = await app.link("out@example.com");
		const before = app.tables();
		for (const headers of foreignHeaders(browser.origin)) {
			for (const path of ["/sign-in", link, DEAD, "/sign-out"]) {
				for (const type of [
					"application/x-www-form-urlencoded",
					"application/json",
					"text/plain",
				]) {
					const typed = { ...headers, "Content-Type": type };
					const page = await browser.post(path, { email: "eve@example.com" }, typed);
					expect(page.status, `${path} ${JSON.stringify(typed)}`).toBe(403);
					expect(page.headers.getSetCookie()).toEqual([]);
				}
			}
		}
		expect(app.tables()).toEqual(before);
		await app.hasSentNoMore();
		expect((await browser.get("/")).status).toBe(200);
	});

	test("sends headers and a head with every page", async () => {
		const browser = app.browser();
		const link = await app.link("headers@example.com");
		const pages: [number, Page][] = [
			[302, await browser.get("/")],
			[200, await browser.get("/sign-in")],
			[200, await browser.post("/sign-in", { email: "headers@example.com" })],
			[400, await browser.post("/sign-in", { email: "nobody" })],
			[413, await browser.post("/sign-in", { email: "a".repeat(5000) })],
			[403, await browser.send("POST", "/sign-in")],
			[404, await browser.get("/nowhere")],
			[200, await browser.get(link)],
			[303, await browser.post(link)],
			[410, await browser.post(link)],
			[200, await browser.get("/")],
			[303, await browser.post("/sign-out")],
		];
		for (const [status, { headers, text, ...page }] of pages) {
			expect(page.status).toBe(status);
			expect(Object.fromEntries(headers), `${status}`).toMatchObject({
				"cache-control": "no-store",
				"referrer-policy": "strict-origin",
				"content-security-policy": "default-src 'none'; form-action 'self'; frame-ancestors 'none'",
				"x-content-type-options": "nosniff",
			});
			if ([302, 303, 404, 413].includes(status)) continue;
			expect(headers.get("content-type")).toMatch(/^text\/html; charset=utf-8$/i);
			expect(text).toMatch(/^<!doctype html>\s*<html lang="en">/);
			expect(text).toContain('<meta name="viewport" content="width=device-width, initial-scale=1"');
			expect(text).toMatch(/<title>[^<]+<\/title>/);
		}
	});

	test("escapes the address that it shows", async () => {
		const browser = await app.signedIn("hostile@example.com");
		app.db.exec("DELETE FROM auth_key");
		const link = await app.link("hostile@example.com");
		app.db.exec(`UPDATE auth_user SET email = '"><img src=x>&@x.y'
			WHERE email = 'hostile@example.com'`);
		for (const { text } of [await browser.get(link), await browser.get("/")]) {
			expect(text).not.toContain("<img");
			expect(text.match(/&lt;img src=x(>|&gt;)/g)).toHaveLength(2); // the title and the heading
		}
	});

	test.each(["nobody", "@x.y", "a@", "a b@x.y", "<i>@x.y", "a@x.y,b@x.y", "a@x.y\0", "a\n@x.y"])(
		"sends nothing to %j",
		async (email) => {
			const before = app.tables();
			expect((await app.browser().post("/sign-in", { email })).status).toBe(400);
			expect(app.tables()).toEqual(before);
		},
	);

	test("never fails, whatever the URL, the cookie, or the body", async () => {
		const pages = ["/", "/sign-in", "/sign-in/"];
		const statuses = await sendHostile(app.browser(), pages, ["/sign-in", DEAD, "/sign-out"]);
		for (const status of [200, 400, 404, 410, 413]) expect(statuses).toContain(status);
		expect(app.logged()).not.toMatch(/^\s+at /m);
	});

	test("takes a body up to its limit only, even of unknown length", async () => {
		const headers = {
			Origin: `http://localhost:${app.port}`,
			"Content-Type": "application/x-www-form-urlencoded",
		};
		const send = (body: BodyInit) =>
			app.browser().send("POST", "/sign-in", { headers, body, duplex: "half" } as RequestInit);
		expect((await send(new Blob(["a".repeat(5000)]).stream())).status).toBe(413);
		// The app may close the connection before it has the whole body.
		const huge = await send("a".repeat(100_000_000)).catch(() => undefined);
		if (huge) expect(huge.status).toBe(413);
		expect((await app.browser().get("/sign-in")).status).toBe(200);
	});

	test("lets users whose mail was refused try again at once, and doesn't log their address", async () => {
		const failures = () => app.logged().match(/The link was not sent: EENVELOPE/g)?.length ?? 0;
		app.smtp.refuse("550 No such user: refused@example.com");
		for (const times of [1, 2]) {
			await app.browser().post("/sign-in", { email: "refused@example.com" });
			await expect.poll(failures, { timeout: 20_000 }).toBe(times);
		}
		app.smtp.refuse();
		expect(app.logged()).not.toContain("refused@example.com");
	});

	test("listens on 127.0.0.1 only", async () => {
		const code = await new Promise((resolve) => {
			const socket = connect(app.port, "127.0.0.2", () => {
				socket.destroy();
				resolve("connected");
			});
			socket.on("error", ({ code }: NodeJS.ErrnoException) => resolve(code));
		});
		expect(code).toBe("ECONNREFUSED");
	});

	test("sends links and cookies for its ORIGIN", async () => {
		const ORIGIN = "https://Example.com/some/path";
		const server = await app.run({ ORIGIN }, "https://example.com");
		const browser = server.browser();
		expect((await browser.post("/sign-in", { email: "https@example.com" })).status).toBe(200);
		const link = urlIn(await app.smtp.next("https@example.com"));
		expect(link.href).toMatch(/^https:\/\/example\.com\/sign-in\/\w{43}$/);
		const page = await browser.post(link.pathname);
		expect(page.headers.getSetCookie()).toEqual([expect.stringMatching(/; Secure;/)]);
		expect((await browser.get("/")).text).toContain("Signed in as https@example.com");
	});

	test("prints mails without SMTP_URL, but not with HTTPS", async () => {
		const server = await app.run({ SMTP_URL: "" });
		await server.browser().post("/sign-in", { email: "printed@example.com" });
		const link = () => /\/sign-in\/\w{43}/.exec(server.logged())?.[0] ?? "";
		await expect.poll(link, { timeout: 20_000 }).not.toBe("");
		expect((await server.browser().post(link())).status).toBe(303);

		const secure = await app.launch({ SMTP_URL: "", ORIGIN: "https://example.com" }).ended();
		expect(secure.code).toBe(1);
		expect(secure.output).toContain("Set SMTP_URL.");
	});

	test("deletes expired links once a day", async () => {
		await app.link("absent@example.com");
		const expired = app.db.prepare("SELECT id FROM auth_key WHERE expires = 1");
		const fast = `const real = setInterval;
			globalThis.setInterval = (run, time) => real(run, time === 86_400_000 ? 100 : time);`;
		writeFileSync(join(app.folder, "fast.mjs"), fast);
		await app.run({ NODE_OPTIONS: "--import ./fast.mjs" });
		app.db.exec("UPDATE auth_key SET expires = 1");
		await expect.poll(() => expired.all(), { timeout: 20_000 }).toEqual([]);
	});

	// The last one: it takes so long that the server closes the connections that are kept alive.
	test("is strict TypeScript", () => {
		expect(typeErrors(app.folder)).toBe("");
	});
});
