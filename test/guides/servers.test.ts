import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { filesOf, type Page, type Recipe, startRecipe } from "../support/recipes.js";

const SERVERS = [
	{ page: "hono.md", middleware: "web" },
	{ page: "fastify.md", middleware: "node" },
];
const DEAD = `/sign-in/${"x".repeat(43)}`;
const HOSTILE = `"><img src=x>'&@x.y`;
const FORM = "application/x-www-form-urlencoded";

/** What a client sees of a response, without its date. */
const seen = ({ status, headers, text }: Page) => ({
	status,
	text,
	headers: [...headers].filter(([name]) => name !== "date"),
});

it("Lucia's middleware is the only difference between the pages in auth.ts", () => {
	const [first, ...others] = SERVERS.map(({ page, middleware }) =>
		filesOf(page)
			.get("auth.ts")
			?.replaceAll(new RegExp(`\\b${middleware}\\b(?=\\(| })`, "g"), "MIDDLEWARE"),
	);
	expect(first).toContain("MIDDLEWARE()");
	for (const other of others) expect(other).toBe(first);
});

describe.each(SERVERS)("the app of $page", ({ page }) => {
	let app: Recipe;
	beforeAll(async () => {
		app = await startRecipe(page);
	});
	afterAll(() => app?.close());

	it("is strict TypeScript", { timeout: 180_000 }, () => {
		expect(app.typeErrors()).toBe("");
	});

	it("signs a new user in and out", async () => {
		const browser = app.client();
		const start = await browser.get("/");
		expect([start.status, start.headers.get("location")]).toEqual([302, "/sign-in"]);
		expect((await browser.get("/sign-in")).text).toMatch(/<form method="post" action="\/sign-in"/);
		expect((await browser.post("/sign-in", { email: " Ada@Example.com " })).status).toBe(200);

		const link = await app.mailed("ada@example.com");
		const asked = await browser.get(link);
		expect(asked.status).toBe(200);
		expect(asked.text).toContain("Sign in as ada@example.com?");
		expect(asked.text).toMatch(/<form method="post">\s*<button>/);

		const signedIn = await browser.post(link);
		expect([signedIn.status, signedIn.headers.get("location")]).toEqual([303, "/"]);
		const home = await browser.get("/");
		expect(home.status).toBe(200);
		expect(home.text).toContain("Signed in as ada@example.com");
		expect(home.text).toMatch(/<form method="post" action="\/sign-out"/);

		const former = browser.cookie;
		const out = await browser.post("/sign-out");
		expect([out.status, out.headers.get("location")]).toEqual([303, "/sign-in"]);
		expect(browser.cookie).toBeUndefined();
		browser.cookie = former;
		expect((await browser.get("/")).status).toBe(302);
	});

	it("signs a known user in to the same account", async () => {
		const first = await app.signedIn("known@example.com");
		app.db.exec("DELETE FROM auth_key"); // the minute has passed
		const second = await app.signedIn("known@example.com");
		for (const browser of [first, second]) {
			expect((await browser.get("/")).text).toContain("Signed in as known@example.com");
		}
	});

	it("replaces the browser's former session", async () => {
		const browser = await app.signedIn("former@example.com");
		const former = browser.cookie;
		await browser.post(await app.link("next@example.com"));
		expect((await browser.get("/")).text).toContain("Signed in as next@example.com");
		browser.cookie = former;
		expect((await browser.get("/")).status).toBe(302);
	});

	it("offers a new link in place of one that is used, expired, or unknown", async () => {
		const used = await app.link("used@example.com");
		expect((await app.client().post(used)).status).toBe(303);
		const expired = await app.link("expired@example.com");
		app.db.exec("UPDATE auth_key SET expires = 1");
		for (const path of [used, expired, DEAD, "/sign-in/x", "/sign-in/%20", "/sign-in/a:b"]) {
			for (const dead of [await app.client().get(path), await app.client().post(path)]) {
				expect(dead.status, path).toBe(410);
				expect(dead.text).toMatch(/<form method="post" action="\/sign-in"/);
				expect(dead.headers.getSetCookie()).toEqual([]);
			}
		}
	});

	it("signs in once, of two POSTs at once", async () => {
		const link = await app.link("twice@example.com");
		const [, before = []] = app.rows();
		const pages = await Promise.all([app.client().post(link), app.client().post(link)]);
		expect(pages.map(({ status }) => status).sort()).toEqual([303, 410]);
		expect(app.rows()[1]).toHaveLength(before.length + 1);
	});

	it("changes nothing on GET or HEAD", async () => {
		const link = await app.link("scanned@example.com");
		const before = app.rows();
		for (const path of ["/", "/sign-in", link, DEAD, "/sign-out"]) {
			for (const method of ["HEAD", "GET", "GET"]) {
				const { headers } = await app.client().send(path, { method });
				expect(headers.getSetCookie()).toEqual([]);
			}
		}
		expect((await app.client().send(link, { method: "HEAD" })).status).toBe(200);
		expect(app.rows()).toEqual(before);
		expect((await app.client().post(link)).status).toBe(303);
	});

	it("responds the same for every address, and mails each once a minute", async () => {
		await app.link("recent@example.com");
		await app.link("later@example.com");
		app.db.exec(`DELETE FROM auth_key WHERE user_id =
			(SELECT id FROM auth_user WHERE email = 'later@example.com')`);
		const addresses = ["recent@example.com", "later@example.com", "new@example.com"];
		const pages: Page[] = [];
		for (const email of addresses) pages.push(await app.client().post("/sign-in", { email }));
		for (const page of pages) expect(seen(page)).toEqual(seen(pages[0] as Page));
		await app.mailed("later@example.com");
		await app.mailed("new@example.com");
		expect(app.mails).toEqual([]);
		expect(app.logged()).not.toContain("not sent");
	});

	it("sends one mail, of two requests of a new address at once", async () => {
		const email = "eager@example.com";
		const post = () => app.client().post("/sign-in", { email });
		for (const { status } of await Promise.all([post(), post()])) expect(status).toBe(200);
		await app.mailed(email);
		await app.link("fence@example.com");
		expect(app.mails).toEqual([]);
		expect(app.logged()).not.toContain("not sent");
	});

	it("responds before it looks for the user", async () => {
		app.db.exec("BEGIN IMMEDIATE"); // the app cannot write
		const start = performance.now();
		const { status } = await app.client().post("/sign-in", { email: "patient@example.com" });
		app.db.exec("COMMIT");
		expect(status).toBe(200);
		expect(performance.now() - start).toBeLessThan(4000); // the app gives up after 5000
		await app.mailed("patient@example.com");
	});

	it("lets users whose mail was refused try again at once, and doesn't log their address", async () => {
		const failures = () => app.logged().match(/The link was not sent: EENVELOPE/g)?.length ?? 0;
		for (const times of [1, 2]) {
			await app.client().post("/sign-in", { email: "refused@example.com" });
			await expect.poll(failures, { timeout: 20_000 }).toBe(times);
		}
		expect(app.logged()).not.toContain("refused@example.com");
	});

	it("refuses forms that are not from its own pages, and changes nothing", async () => {
		const origins = [
			{},
			...[
				"",
				"null",
				"https://evil.example",
				`http://127.0.0.1:${app.port}`, // where the request goes to
				"http://localhost:1",
				`${app.origin}/`,
				`${app.origin}.evil.example`,
				`${app.origin}, ${app.origin}`,
			].map((Origin) => ({ Origin })),
		];
		const types = [FORM, "application/json", "text/plain", "multipart/form-data", ""];
		const browser = await app.signedIn("in@example.com");
		const link = await app.link("out@example.com");
		const before = app.rows();
		for (const origin of origins) {
			for (const site of [{}, { "Sec-Fetch-Site": "same-origin" }]) {
				for (const path of ["/sign-in", link, DEAD, "/sign-out"]) {
					for (const type of types) {
						const headers = { ...origin, ...site, ...(type && { "Content-Type": type }) };
						const body = Buffer.from("email=eve@example.com");
						const page = await browser.send(path, { method: "POST", headers, body });
						expect(page.status, `${path} ${JSON.stringify(headers)}`).toBe(403);
						expect(page.headers.getSetCookie()).toEqual([]);
					}
				}
			}
		}
		expect(app.rows()).toEqual(before);
		await app.link("fence-2@example.com");
		expect(app.mails).toEqual([]);
		expect((await browser.get("/")).status).toBe(200);
	});

	it("sets a cookie that scripts and other sites don't get", async () => {
		const page = await app.client().post(await app.link("cookie@example.com"));
		expect(page.headers.getSetCookie()).toEqual([
			expect.stringMatching(
				/^auth_session=\w{40}; Path=\/; Expires=[^;]*; HttpOnly; SameSite=Lax$/,
			),
		]);
	});

	it("sends headers and a head with every page", async () => {
		const browser = app.client();
		const link = await app.link("headers@example.com");
		const pages: [number, Page][] = [
			[302, await browser.get("/")],
			[200, await browser.get("/sign-in")],
			[200, await browser.post("/sign-in", { email: "headers@example.com" })],
			[400, await browser.post("/sign-in", { email: "nobody" })],
			[413, await browser.post("/sign-in", { email: "a".repeat(5000) })],
			[403, await browser.send("/sign-in", { method: "POST" })],
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
			expect(text).toMatch(/<meta name="viewport" content="width=device-width, initial-scale=1"/);
			expect(text).toMatch(/<title>[^<]+<\/title>/);
		}
	});

	it("escapes whatever it shows", async () => {
		const browser = await app.signedIn("hostile@example.com");
		app.db.exec("DELETE FROM auth_key");
		const link = await app.link("hostile@example.com");
		app.db
			.prepare("UPDATE auth_user SET email = ? WHERE email = 'hostile@example.com'")
			.run(HOSTILE);
		for (const { text } of [await browser.get(link), await browser.get("/")]) {
			expect(text).not.toContain("<img");
			expect(text.match(/&lt;img src=x(>|&gt;)/g)).toHaveLength(2); // the title and the heading
		}
		const path = encodeURIComponent(HOSTILE);
		for (const { text, status } of [
			await browser.post("/sign-in", { email: HOSTILE }),
			await browser.post("/sign-in", { email: HOSTILE.replace(" ", "/") }),
			await browser.post("/sign-in", { email: "<script>@x.y", [HOSTILE]: HOSTILE }),
			await browser.get(`/sign-in/${path}`),
			await browser.post(`/sign-in/${path}`),
			await browser.get(`/sign-in?email=${path}`),
			await browser.get(`/${path}`),
		]) {
			expect(status).toBeLessThan(500);
			expect(text).not.toMatch(/<(img|script)/);
		}
	});

	it.each(["nobody", "@x.y", "a@", "a b@x.y", "<script>@x.y", "a@x.y,b@x.y", "a@x.y\0", "a\n@x.y"])(
		"sends nothing to %j",
		async (email) => {
			const before = app.rows();
			expect((await app.client().post("/sign-in", { email })).status).toBe(400);
			expect(app.rows()).toEqual(before);
		},
	);

	it("never fails, whatever the URL, the cookie, or the body", async () => {
		const headers = { Origin: app.origin };
		const statuses: number[] = [];
		const send = async (path: string, init: RequestInit) => {
			const { status, text } = await app.client().send(path, init);
			expect(status, `${path} ${JSON.stringify(init)} ${text}`).toBeLessThan(500);
			statuses.push(status);
		};
		for (const path of [
			"%E0%A4%A",
			"%",
			"%00",
			"%2F",
			"..%2f",
			"a".repeat(3000),
			"",
			"a/b",
			"%F0%9F%98%80",
		]) {
			for (const method of ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"]) {
				await send(`/sign-in/${path}`, { method, headers });
				await send(`/${path}?${path}`, { method, headers });
			}
		}
		for (const value of [
			"",
			"x",
			"%00",
			"%E0%A4%A",
			"__proto__",
			'"',
			"x".repeat(40),
			"x".repeat(5000),
		]) {
			const headers = { Origin: app.origin, Cookie: `auth_session=${value}` };
			for (const path of ["/", DEAD]) await send(path, { headers });
			for (const path of ["/sign-out", DEAD]) await send(path, { method: "POST", headers });
		}
		const bodies: [type: string, body: string][] = [
			["", ""],
			["", "x"],
			...[
				"",
				"email=a@x.y&email=b@x.y",
				"email[]=a",
				"email[toString]=1",
				"__proto__=1",
				"email=%E0",
				"=&&=",
			].map((body): [string, string] => [FORM, body]),
			[FORM, `email=${"a".repeat(5000)}`],
			...[
				"",
				"{",
				"null",
				"1",
				'{"email":["a"]}',
				'{"email":{"toString":1}}',
				'{"__proto__":1}',
			].map((body): [string, string] => ["application/json", body]),
			["multipart/form-data", "x"],
			["multipart/form-data; boundary=x", "--x\r\n"],
			["text/plain", "email=a@x.y"],
			["nonsense", "x"],
		];
		for (const [type, body] of bodies) {
			for (const path of ["/sign-in", DEAD, "/sign-out"]) {
				const typed = { ...headers, ...(type && { "Content-Type": type }) };
				await send(path, { method: "POST", headers: typed, body: Buffer.from(body) });
			}
		}
		expect(statuses).toContain(413);
		expect(app.logged()).not.toMatch(/^\s+at /m);
		await app.signedIn("after-all@example.com");
	});

	it("takes a body up to its limit only, even of unknown length", async () => {
		const send = (body: BodyInit) => {
			const headers = { Origin: app.origin, "Content-Type": FORM };
			const init = { method: "POST", headers, body, duplex: "half" };
			return app.client().send("/sign-in", init);
		};
		const stream = new ReadableStream<Uint8Array>({
			start: (controller) => {
				for (let i = 0; i < 5; i++) controller.enqueue(new Uint8Array(1000).fill(97));
				controller.close();
			},
		});
		expect((await send(stream)).status).toBe(413);
		// The app may close the connection before it has the whole body.
		const huge = await send("a".repeat(100_000_000)).catch(() => undefined);
		if (huge) expect(huge.status).toBe(413);
		expect((await app.client().get("/sign-in")).status).toBe(200);
	});

	it("listens on 127.0.0.1 only", async () => {
		const code = await new Promise((resolve) => {
			const socket = connect(app.port, "127.0.0.2", () => {
				socket.destroy();
				resolve("connected");
			});
			socket.on("error", ({ code }: NodeJS.ErrnoException) => resolve(code));
		});
		expect(code).not.toBe("connected");
	});

	it("sends links and cookies for its ORIGIN", async () => {
		const server = await app.run({ ORIGIN: "https://Example.com/some/path" });
		expect(server.origin).toBe("https://example.com");
		const browser = app.client(server);
		expect((await browser.post("/sign-in", { email: "https@example.com" })).status).toBe(200);
		const link = await app.mailedUrl("https@example.com");
		expect(link.href).toMatch(/^https:\/\/example\.com\/sign-in\/\w{43}$/);
		const page = await browser.post(link.pathname);
		expect(page.headers.getSetCookie()).toEqual([expect.stringMatching(/; Secure;/)]);
		expect((await browser.get("/")).text).toContain("Signed in as https@example.com");
		await server.stop();
	});

	it("prints mails without SMTP_URL, but not with HTTPS", async () => {
		const server = await app.run({ SMTP_URL: "" });
		await app.client(server).post("/sign-in", { email: "printed@example.com" });
		const link = () => /http\S+\/sign-in\/\w{43}/.exec(server.logged())?.[0] ?? "";
		await expect.poll(link, { timeout: 20_000 }).not.toBe("");
		expect((await app.client(server).post(new URL(link()).pathname)).status).toBe(303);
		await server.stop();

		const secure = await app.run({ SMTP_URL: "", ORIGIN: "https://example.com" });
		expect(secure.serves).toBe(false);
		expect(secure.logged()).toContain("Set SMTP_URL.");
	});

	it("deletes expired links once a day", async () => {
		await app.link("absent@example.com");
		const expired = app.db.prepare("SELECT id FROM auth_key WHERE expires = 1");
		app.db.exec("UPDATE auth_key SET expires = 1");
		expect(expired.all()).not.toEqual([]);
		writeFileSync(
			join(app.folder, "fast.mjs"),
			`const real = setInterval;
			globalThis.setInterval = (run, time) => real(run, time === 86_400_000 ? 100 : time);`,
		);
		const server = await app.run({ NODE_OPTIONS: "--import ./fast.mjs" });
		await expect.poll(() => expired.all(), { timeout: 20_000 }).toEqual([]);
		await sleep(200);
		await server.stop();
	});
});
