import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { preloading, SHORT_DAYS, startApp, startNode, startOwnApp } from "../examples/app.js";
import { Browser, leadsTo, type Page, seen } from "../examples/browser.js";
import { foreignHeaders, sendHostile } from "../examples/hostile.js";
import { pathIn, urlIn } from "../examples/smtp.js";
import { filesOf, follow, typeErrors } from "./folder.js";

// Follows the pages of servers, which have apps of their own, and runs these apps.

const DEAD = `/sign-in/${"x".repeat(43)}`;

/** The app of a page, in a folder in which somebody has followed it. */
const startServer = async (page: string) => {
	const folder = follow(page);
	const files = filesOf(page);
	for (const [name, code] of files) writeFileSync(join(folder.path, name), code);
	const other = [folder.path, [...files.keys()].at(-1) ?? ""] as const;
	const app = await startApp({ other });

	return {
		...app,
		folder: folder.path,

		/** Runs the app until it ends. */
		fails: (env: Record<string, string>) => startNode(other[0], [other[1]], env).ended(),

		/** Another process of the app, until the end of a test. */
		again: (env: Record<string, string>) => startOwnApp({ other, env }),

		/** Expects that the app has sent no mail but those that were taken. */
		hasSentNoMore: async () => {
			await app.link(`fence-${crypto.randomUUID()}@example.com`);
			expect(app.smtp.mails).toEqual([]);
			expect(app.logged()).not.toContain("not sent");
		},

		close: () => app.close().finally(folder.remove),
	};
};

describe.each(["hono", "fastify"])("the app of %s.md", async (page) => {
	const app = await startServer(page);
	afterAll(app.close);

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
		await app.nextMinute();
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
		await app.expire();
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
		const before = await app.tables();
		for (const path of ["/", "/sign-in", link, DEAD, "/sign-out"]) {
			for (const method of ["HEAD", "GET", "GET"]) {
				const { headers } = await app.browser().send(method, path);
				expect(headers.getSetCookie()).toEqual([]);
			}
		}
		expect((await app.browser().send("HEAD", link)).status).toBe(200);
		expect(await app.tables()).toEqual(before);
		expect((await app.browser().post(link)).status).toBe(303);
	});

	test("responds the same for every address, and mails each once a minute", async () => {
		await app.link("recent@example.com");
		await app.link("later@example.com");
		const user = "(SELECT id FROM auth_user WHERE email = 'later@example.com')";
		await app.all(`DELETE FROM auth_key WHERE user_id = ${user}`);
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
		await app.all("BEGIN IMMEDIATE"); // the app can't write, and would give up
		const { status } = await app.browser().post("/sign-in", { email: "patient@example.com" });
		await app.all("COMMIT");
		expect(status).toBe(200);
		await app.smtp.next("patient@example.com");
	});

	test("refuses forms that are not from its own pages, and changes nothing", async () => {
		const browser = await app.signedIn("in@example.com");
		const link = await app.link("out@example.com");
		const before = await app.tables();
		const types = ["application/x-www-form-urlencoded", "application/json", "text/plain"];
		for (const headers of foreignHeaders(browser.origin)) {
			for (const path of ["/sign-in", link, DEAD, "/sign-out"]) {
				for (const type of types) {
					const typed = { ...headers, "Content-Type": type };
					const page = await browser.post(path, { email: "eve@example.com" }, typed);
					expect(page.status, `${path} ${JSON.stringify(typed)}`).toBe(403);
					expect(page.headers.getSetCookie()).toEqual([]);
				}
			}
		}
		expect(await app.tables()).toEqual(before);
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
		await app.nextMinute();
		const link = await app.link("hostile@example.com");
		const hostile = '"><img src=x>&@x.y';
		await app.all("UPDATE auth_user SET email = ? WHERE email = 'hostile@example.com'", hostile);
		for (const { text } of [await browser.get(link), await browser.get("/")]) {
			expect(text).not.toContain("<img");
			expect(text.match(/&lt;img src=x(>|&gt;)/g)).toHaveLength(2); // the title and the heading
		}
	});

	test.each(["nobody", "@x.y", "a@", "a b@x.y", "<i>@x.y", "a@x.y,b@x.y", "a@x.y\0", "a\n@x.y"])(
		"sends nothing to %j",
		async (email) => {
			const before = await app.tables();
			expect((await app.browser().post("/sign-in", { email })).status).toBe(400);
			expect(await app.tables()).toEqual(before);
		},
	);

	test("never fails, whatever the URL, the cookie, or the body", async () => {
		const pages = ["/", "/sign-in", "/sign-in/"];
		const statuses = await sendHostile(app.browser(), pages, ["/sign-in", DEAD, "/sign-out"]);
		for (const status of [200, 400, 404, 410, 413]) expect(statuses).toContain(status);
		expect(app.logged()).not.toMatch(/^\s+at /m);
	});

	test("takes a body up to its limit only, even of unknown length", async () => {
		const headers = { Origin: app.origin, "Content-Type": "application/x-www-form-urlencoded" };
		const body = new Blob(["a".repeat(5000)]).stream();
		const init = { headers, body, duplex: "half" } as RequestInit;
		expect((await app.browser().send("POST", "/sign-in", init)).status).toBe(413);
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
		const connected = fetch(app.address.replace("localhost", "127.0.0.2"));
		await expect(connected).rejects.toMatchObject({ cause: { code: "ECONNREFUSED" } });
	});

	test("sends links and cookies for its ORIGIN", async () => {
		const server = await app.again({ ORIGIN: "https://Example.com/some/path" });
		const browser = new Browser("https://example.com", server.address);
		const link = urlIn(await server.request(browser, "/sign-in", "https@example.com"));
		expect(link.href).toMatch(/^https:\/\/example\.com\/sign-in\/\w{43}$/);
		const page = await browser.post(link.pathname);
		expect(page.headers.getSetCookie()).toEqual([expect.stringMatching(/; Secure;/)]);
		expect((await browser.get("/")).text).toContain("Signed in as https@example.com");
	});

	test("prints mails without SMTP_URL, but not with HTTPS", async () => {
		const server = await app.again({ SMTP_URL: "" });
		await server.browser().post("/sign-in", { email: "printed@example.com" });
		const link = () => /\/sign-in\/\w{43}/.exec(server.logged())?.[0] ?? "";
		await expect.poll(link, { timeout: 20_000 }).not.toBe("");
		expect((await server.browser().post(link())).status).toBe(303);

		const secure = await app.fails({ ORIGIN: "https://example.com" });
		expect(secure.code).toBe(1);
		expect(secure.output).toContain("Set SMTP_URL.");
	});

	test("deletes expired links once a day", async () => {
		await app.link("absent@example.com");
		await app.again({ NODE_OPTIONS: preloading(SHORT_DAYS) });
		await app.expire();
		const expired = () => app.all("SELECT id FROM auth_key WHERE expires = 1");
		await expect.poll(expired, { timeout: 20_000 }).toEqual([]);
	});

	test("is strict TypeScript", async () => {
		expect(await typeErrors(app.folder)).toBe("");
	});
});
