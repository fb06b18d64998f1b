import { readdirSync, readFileSync } from "node:fs";
import { request } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type App, FOLDER, startApp } from "./app.js";
import { Browser, escaped, type Page, seen } from "./browser.js";
import { pathIn } from "./smtp.js";

const HOSTILE = `"><script>alert('1')</script>&amp;`;
const FORM = { "Content-Type": "application/x-www-form-urlencoded" };

let app: App;
beforeAll(async () => {
	app = await startApp();
});
afterAll(async () => {
	await app?.close();
	expect(app.logged()).toBe("");
});

let count = 0;
const fresh = () => `user${100 + count++}@example.com`;

it("an address has one spelling, so a mailbox has one account", async () => {
	for (const email of ["U@b\u00fccher.test", "u@bu\u0308cher.test", "u@xn--bcher-kva.test"]) {
		await app.browser().post("/sign-in", { email });
	}
	await expect.poll(() => app.smtp.mails.length, { timeout: 20_000 }).toBe(1);
	app.smtp.mails.length = 0;
	expect(await app.all("SELECT email FROM auth_user WHERE email LIKE 'u@%'")).toHaveLength(1);
	for (const email of [
		"a\u200b@example.com",
		"a@exam\u0001ple.com",
		"a@b@c",
		"a@",
		"@b",
		"a b@c",
	]) {
		expect((await app.browser().post("/sign-in", { email })).status).toBe(422);
	}
});

it.each([['"'.repeat(490)], ["中".repeat(440)], ["x".repeat(3000)]])(
	"a path that is too long to remember does not cost the address: /%.3s…",
	async (path) => {
		const browser = app.browser();
		const email = `ä${fresh()}`;
		const { headers } = await browser.post("/code", { email, next: `/${path}` });
		expect(headers.getSetCookie().join().length).toBeLessThan(4096);
		expect((await browser.get("/code")).text).toContain(email);
	},
);

describe("the page that asked for the sign-in", () => {
	const NEXT = "/address?x=1";
	const field = `name="next" value="${NEXT}"`;

	it("is kept by an address that is refused", async () => {
		for (const path of ["/sign-in", "/code", "/password/link"]) {
			const { text } = await app.browser().post(path, { email: "no address", next: NEXT });
			expect(text).toContain(field);
		}
	});

	it("is kept by another address, by a password, and by a link to choose one", async () => {
		const browser = app.browser();
		await browser.post("/sign-in", { email: fresh(), next: NEXT });
		for (const path of ["/sign-in", "/password"]) {
			expect((await browser.get(path)).text).toContain(field);
		}
		const query = `?next=${encodeURIComponent(NEXT)}`;
		expect((await app.browser().get(`/password${query}`)).text).toContain(`/password/link${query}`);
		expect((await app.browser().get(`/password/link${query}`)).text).toContain(field);
	});

	it("is kept by a link that does not work", async () => {
		const browser = app.browser();
		const email = fresh();
		await browser.post("/sign-in", { email, next: NEXT });
		await app.smtp.next(email);
		await app.nextMinute();
		await browser.post("/sign-in", { email }); // from the page of the dead link
		const used = await browser.post(pathIn(await app.smtp.next(email)));
		expect(used.headers.get("location")).toBe(app.origin + NEXT);
	});
});

describe("after the sign-in", () => {
	let known: string;
	beforeAll(async () => {
		known = fresh();
		await app.withPassword(known, "a good password");
	});

	it.each([
		["/address?x=1", "/address?x=1"],
		["/%0d%0aSet-Cookie:x=1", "/%0d%0aSet-Cookie:x=1"],
		["/..//evil.example", "//evil.example"], // a path of this origin
		["//evil.example", "/"],
		["/\\evil.example", "/"],
		["/\t/evil.example", "/"],
		["/\n/evil.example", "/"],
		["\t//evil.example", "/"],
		["https://evil.example", "/"],
		["javascript:alert(1)", "/"],
		["@evil.example", "/"],
		[".evil.example", "/"],
		["//", "/"],
		["", "/"],
	])("%j leads to %j of the app", async (next, path) => {
		const location = (page: Page) => [page.status, page.headers.get("location")];
		const [byLink, byCode] = [app.browser(), app.browser()];
		const [email, other] = [fresh(), fresh()];
		await byLink.post("/sign-in", { email, next });
		const link = pathIn(await app.smtp.next(email));
		expect(location(await byLink.post(link))).toEqual([303, app.origin + path]);
		await byCode.post("/code", { email: other, next });
		const [code = ""] = /\d{4} \d{4}/.exec((await app.smtp.next(other)).text) ?? [];
		expect(location(await byCode.post("/code/use", { code }))).toEqual([303, app.origin + path]);
		const fields = { email: known, current: "a good password", next };
		const byPassword = location(await app.browser().post("/password", fields));
		expect(byPassword).toEqual([303, app.origin + path]);
	});
});

describe("a page", () => {
	it("keeps where a browser was going and its address, from form to form", async () => {
		const email = fresh();
		const browser = app.browser();
		const sent = await browser.get("/address?x=1");
		expect(sent.headers.get("location")).toBe("/sign-in?next=%2Faddress%3Fx%3D1");
		const field = 'name="next" value="/address?x=1"';
		const signIn = await browser.get("/sign-in?next=%2Faddress%3Fx%3D1");
		expect(signIn.text).toContain(field);
		expect(signIn.text).toContain('href="/password?next=%2Faddress%3Fx%3D1"');
		expect((await browser.get("/password?next=%2Faddress%3Fx%3D1")).text).toContain(field);
		const fields = { email: "x", next: "/address?x=1" };
		expect((await browser.post("/password", fields)).text).toContain(field);

		await browser.post("/sign-in", { email, next: "/address?x=1" });
		browser.wait();
		const again = (await browser.get("/check-mail")).text;
		expect(again).toMatch(new RegExp(`value="${email}".*${field.replace("?", "\\?")}`, "s"));
		for (const path of ["/sign-in", "/password", "/password/link", "/sign-in/x"]) {
			expect((await browser.get(path)).text).toContain(`value="${email}"`);
		}
		await browser.post("/code", { email });
		browser.wait();
		expect((await browser.get("/code")).text).toContain(`name="email" value="${email}"`);
		expect((await browser.get("/password/link/x")).text).toContain(`value="${email}"`);
		// A cookie that is too long would be dropped, and the address with it.
		await browser.post("/code", { email, next: `/${"x".repeat(1500)}` });
		expect(browser.asked.slice(0, 3)).toEqual(["/code", email, ""]);
	});

	it("that says that a mail is on its way sends none when it is loaded again", async () => {
		const email = fresh();
		const browser = app.browser();
		await app.link(email, browser);
		await app.nextMinute();
		const before = await app.tables();
		for (let times = 0; times < 3; times++) {
			for (const path of ["/check-mail", "/code"]) {
				expect((await browser.get(path)).text).toContain(email);
			}
		}
		expect(await app.tables()).toEqual(before);
	});

	it("has a language, landmarks, one heading, no inline script, and is not kept", async () => {
		const browser = await app.signedIn(fresh());
		const out = app.browser();
		out.asked = ["/code", fresh(), "", crypto.randomUUID(), 5, 0];
		const paths = ["/", "/address", "/address?sent=a@b", "/password/change", "/password/changed"];
		const open = ["/sign-in", "/check-mail", "/password", "/password/link", "/code", "/none"];
		for (const page of [
			...(await Promise.all(paths.map((path) => browser.get(path)))),
			...(await Promise.all(open.map((path) => out.get(path)))),
			await out.post("/sign-in", {}),
			await out.post("/sign-in", {}, {}),
			await out.get("/sign-in/x"),
		]) {
			expect(page.text).toMatch(/^<!doctype html><html lang="en">.*<title>[^<]+<\/title>/s);
			for (const tag of ["<h1>", "<main>", "<nav "]) expect(page.text.split(tag)).toHaveLength(2);
			expect(page.text).not.toMatch(/<script>|<style|\sstyle=|\son[a-z]+=/);
			expect(page.headers.get("cache-control")).toBe("no-store");
			expect(page.headers.get("content-security-policy")).toMatch(/^default-src 'none';/);
			expect(page.headers.get("x-content-type-options")).toBe("nosniff");
			expect(page.headers.get("x-powered-by")).toBeNull();
		}
	});

	it("escapes what it shows of a form, a URL, and a real address", async () => {
		const signedIn = await app.signedIn("o'neil&co@example.com");
		const out = app.browser();
		const query = encodeURIComponent(HOSTILE);
		const pages = [
			await signedIn.post("/address", { email: HOSTILE }),
			await out.get(`/sign-in?next=${query}`),
			await out.get(`/password?next=${query}`),
			await out.post("/password", { email: "x", next: HOSTILE }),
		];
		for (const path of ["/sign-in", "/code", "/password", "/password/link"]) {
			pages.push(await out.post(path, { email: HOSTILE }));
		}
		for (const { text } of pages) {
			expect(text).toContain(`value="${escaped(HOSTILE)}"`);
			expect(text).not.toContain("<script>");
		}
		expect((await signedIn.get("/")).text).toContain("<strong>o'neil&amp;co@example.com<");
		for (const path of [`/address?sent=${query}`, `/address/x?email=${query}`]) {
			expect((await signedIn.get(path)).text).not.toContain("alert");
		}
	});

	const nonce = crypto.randomUUID();
	it.each<[what: string, value: unknown]>([
		["not JSON", undefined],
		["no list", { action: "/sign-in" }],
		["null", null],
		["an empty list", []],
		["no list in it", ["/sign-in", { a: 1 }, [], nonce, {}, []]],
		["a foreign action", ["//evil.example/x", "a@example.com", "", nonce, 0, 0]],
		["a URL as its action", ["https://evil.example", "a@example.com", "", nonce, 0, 0]],
		["an action with a query", ["/sign-in?evil", "a@example.com", "", nonce, 0, 0]],
		["HTML as its action", [`/x${HOSTILE}`, "a@example.com", "", nonce, 0, 0]],
		["HTML as its address", ["/sign-in", `evil${HOSTILE}@example.com`, "", nonce, 0, 0]],
		["two addresses", ["/sign-in", "evil@example.com,a@example.com", "", nonce, 0, 0]],
		["HTML as its nonce", ["/sign-in", "evil@example.com", "", HOSTILE.padEnd(36), 0, 0]],
		["a short nonce", ["/sign-in", "evil@example.com", "", "x", 0, 0]],
	])("takes a cookie with %s as none", async (_what, value) => {
		const browser = app.browser();
		if (value === undefined) browser.cookies.set("asked", "%E0%A4%A");
		else browser.asked = value;
		const clean = app.browser();
		for (const path of ["/sign-in", "/check-mail", "/code", "/password", "/password/link"]) {
			const [page, expected] = [await browser.get(path), await clean.get(path)];
			expect(seen(page, "")).toEqual(seen(expected, ""));
		}
		expect((await browser.post("/code/use", { code: "1" })).status).toBe(410);
	});

	it("is unharmed by a cookie with hostile text, numbers and another site to go on to", async () => {
		const email = fresh();
		const browser = app.browser();
		await app.code(email, browser);
		const [, , , own] = browser.asked;
		const elsewhere = "https://evil.example/";
		browser.asked = ["/code", email, HOSTILE, own, "x", "x"];
		for (const path of ["/check-mail", "/code"]) {
			const { status, text } = await browser.get(path);
			expect(status).toBe(200);
			expect(text).toContain(`name="next" value="${escaped(HOSTILE)}"`);
			expect(text).not.toContain("<script>");
		}
		browser.asked = ["/code", email, elsewhere, own, -1, 9e15];
		await app.nextMinute();
		const code = await app.code(email, browser);
		browser.asked = ["/code", email, elsewhere, own, 0, 0];
		const used = await browser.post("/code/use", { code });
		expect(used.headers.get("location")).toBe(`${app.origin}/`);
	});
});

/** The path of every POST of the app, as its source has them. */
const routes = readdirSync(FOLDER, { recursive: true, encoding: "utf8" })
	.filter((file) => /^(?!node_modules).*\.tsx?$/.test(file))
	.flatMap((file) => {
		const code = readFileSync(FOLDER + file, "utf8");
		const [, action] = /const way = { action: "([^"]*)"/.exec(code) ?? [];
		const found = code.matchAll(/\.(?:post|put|patch|delete|all|use|route)\(\s*("\/[^"]*"|way)/g);
		return [...found].map(([, path]) => (path === "way" ? action : path?.slice(1, -1)));
	});

describe("a POST", () => {
	const sent: Record<string, { links?: string; fields?: Record<string, string> }> = {
		"/address": { fields: { email: "new@example.com" } },
		"/address/:token": { links: "address" },
		"/code": { fields: { email: "new@example.com" } },
		"/code/use": { links: "code" },
		"/link-and-code": { fields: { email: "new@example.com" } },
		"/password": { fields: { email: "new@example.com", current: "x" } },
		"/password/change": { fields: { current: "a good password", password: "another one" } },
		"/password/link": { fields: { email: "new@example.com" } },
		"/password/link/:token": { links: "password", fields: { password: "another one" } },
		"/sign-in": { fields: { email: "new@example.com" } },
		"/sign-in/:token": { links: "link" },
		"/sign-out": {},
	};

	it("is one of these", () => {
		expect(routes.sort()).toEqual(Object.keys(sent));
	});

	it("from elsewhere is refused and changes nothing, on every route", async () => {
		const flows = { "magic-link": "magicLink", "one-time-code": "oneTimeCode" };
		const rest = { password: "password", "change-address": "changeAddress" };
		const all = await startApp({ flows: { ...flows, ...rest, "link-and-code": "linkAndCode" } });
		try {
			const email = fresh();
			const browser = await all.withPassword(email, "a good password");
			await all.nextMinute();
			await browser.post("/address", { email: "moved@example.com", current: "a good password" });
			const links: Record<string, string> = {
				address: pathIn(await all.smtp.next("moved@example.com")),
				link: await all.link(email),
				password: pathIn(await all.request(all.browser(), "/password/link", email)),
			};
			const code = await all.code(email, browser);
			const before = await all.tables();
			for (const [route, { links: kind = "", fields = {} }] of Object.entries(sent)) {
				for (const headers of [
					{},
					{ "Sec-Fetch-Site": "same-origin" },
					{ Referer: `${all.origin}/` },
					...["", "null", "https://evil.example", "http://localhost", "http://localhost:1"]
						.concat(
							all.origin.replace("http:", "https:"),
							all.origin.replace("localhost", "127.0.0.1"),
						)
						.concat(`${all.origin}.evil.example`, `${all.origin}/`, `${all.origin}, ${all.origin}`)
						.map((Origin) => ({ Origin })),
				]) {
					const path = links[kind] ?? route;
					const page = await browser
						.copy()
						.post(path, kind === "code" ? { code } : fields, headers);
					expect([route, headers, page.status]).toEqual([route, headers, 403]);
					expect(page.headers.getSetCookie()).toEqual([]);
				}
				// The route itself would do something with this.
				const page = await all.browser().post(route, fields);
				expect(page.status).not.toBe(404);
			}
			const tokens = (rows: Record<string, unknown>[][]) =>
				rows.map((table) => table.filter((row) => Object.values(row).includes(email)));
			expect(tokens(await all.tables())).toEqual(tokens(before));
			expect(await all.sessions(email)).toEqual([browser.session]);
			expect(await all.tokens(email)).toHaveLength(4);
			expect((await browser.post("/code/use", { code })).status).toBe(303);
		} finally {
			await all.close();
		}
	});
});

describe("no request", () => {
	it("is answered with an error of the server or its stack, and none is logged", async () => {
		const browser = await app.signedIn(fresh());
		const gets = ["/%", "/%E0%A4%A", "/sign-in/%E0%A4%A", "/sign-in/%00", "/sign-in/%F0%9F%92%A9"]
			.concat(
				`/${"x".repeat(9000)}`,
				`/sign-in/${"%3E".repeat(3000)}x`,
				"/password/link/%",
				"/..%2f",
			)
			.concat("/address/%00?email=%00", "/address?sent[]=x&sent=y", "/sign-in?next=%00&next[a]=b")
			.concat("/address/x?email=a%00@b.example", "/sign-in?next=%E0%A4%A", "/style.css/..%5c", "//")
			.concat("/sign-in/__proto__", "/constructor", "/password?next[__proto__]=x", "/.env");
		const form = (body: string) => ({ headers: { ...FORM, Origin: app.origin }, body });
		const bodies = ["", "email=%", "email=%E0%A4%A", "email[]=a@b.example", "email=a@b&email=c@d"]
			.concat("email=a%00@b.example&current=%00", "code=%00", `email=${"a".repeat(5000)}`, "&&&=&")
			.concat(
				"__proto__=x&constructor=y&toString=z",
				"a=b&".repeat(1001),
				"current=%00&password=%00",
			);
		const json = { headers: { "Content-Type": "application/json", Origin: app.origin }, body: "{" };
		const odd = ["text/plain", "multipart/form-data", "x", `${FORM["Content-Type"]}; charset=x`];
		const posts = routes.map((route) => String(route).replace(":token", "x%00"));
		browser.cookies.set("asked", "%");
		const pages: [string, Page][] = [];
		for (const own of [browser, app.browser()]) {
			for (const path of gets) pages.push([path, await own.send("GET", path)]);
			for (const path of posts.filter((path) => path !== "/sign-out")) {
				for (const body of bodies)
					pages.push([path + body, await own.send("POST", path, form(body))]);
				pages.push([path, await own.send("POST", path, json)]);
				pages.push([path, await own.send("POST", path, { headers: { Origin: app.origin } })]);
				for (const type of odd) {
					const headers = { Origin: app.origin, "Content-Type": type };
					pages.push([path, await own.send("POST", path, { headers, body: "email=a" })]);
				}
				for (const method of ["HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
					const headers = { Origin: app.origin };
					pages.push([method + path, await own.send(method, path, { headers })]);
				}
			}
		}
		const bad = new Browser(app.origin);
		for (const cookie of ["%E0%A4%A", "x".repeat(40), `${"x".repeat(39)}%00`, '"', "__proto__"]) {
			bad.cookies.set("auth_session", cookie);
			pages.push([cookie, await bad.get("/")], [cookie, await bad.post("/sign-out")]);
			bad.cookies.clear();
		}
		for (const [what, { status, text }] of pages) {
			expect([what, status < 500]).toEqual([what, true]);
			expect(text).not.toMatch(/node_modules|\n\s+at |Error:|sqlite/i);
		}
		const statuses = new Set(pages.map(([, { status }]) => status));
		for (const status of [200, 400, 404, 410, 413, 422]) expect(statuses).toContain(status);
		expect(app.logged()).toBe("");
	});

	it("with an absolute URL in its first line leads to another site", async () => {
		const location = await new Promise((resolve, reject) => {
			const { port } = new URL(app.address);
			request({ port, path: "http://evil.example/address" }, (response) => {
				response.resume();
				resolve(response.headers.location);
			})
				.on("error", reject)
				.end();
		});
		expect(location).toMatch(/^\/sign-in\?next=/);
	});

	it("shows a stack when the database fails, nor does it log a token", async () => {
		const broken = await startApp();
		try {
			const link = await broken.link(fresh());
			await broken.all("DROP TABLE auth_key");
			for (const page of [await broken.browser().get(link), await broken.browser().post(link)]) {
				expect(page.status).toBe(500);
				expect(page.text).not.toMatch(/auth_key|sqlite|node_modules/i);
			}
			expect(broken.logged()).toContain("auth_key");
			expect(broken.logged()).not.toContain(link.split("/")[2]);
		} finally {
			await broken.close();
		}
	});
});

it("nothing tells known, unknown and just mailed addresses apart, in any form", async () => {
	for (const path of ["/sign-in", "/code", "/password/link"]) {
		const [known, unknown] = [fresh(), fresh()];
		await app.withPassword(known, "a good password");
		await app.nextMinute();
		const pages = [];
		// The second round is within the minute.
		for (const email of [known, unknown, known, unknown]) {
			const browser = app.browser();
			const page = await browser.post(path, { email });
			expect(page.status).toBe(303);
			const next = await browser.get(page.headers.get("location") ?? "");
			pages.push([seen(page, email), seen(next, email)]);
		}
		for (const page of pages) expect(page).toEqual(pages[0]);
		for (const email of [known, unknown]) await app.smtp.next(email);
		expect(app.smtp.mails.filter(({ to }) => [known, unknown].includes(to))).toEqual([]);
	}
});

it.each(
	["ada", "ada@", "@example.com", "a@b@c", "a b@example.com", "a@b.example, c@d.example"]
		.concat(
			"a@b.example\r\nBcc: c@d.example",
			"Ada <a@b.example>",
			"a\0@b.example",
			"(x)a@b.example",
		)
		.concat(`${"a".repeat(65)}@example.com`, `a@${"b".repeat(190)}`, '"a"@b.example'),
)("%j is no address: nothing is stored or sent", async (email) => {
	const before = await app.tables();
	for (const path of ["/sign-in", "/code", "/password/link"]) {
		const browser = app.browser();
		expect((await browser.post(path, { email })).status).toBe(422);
		expect(browser.cookies.size).toBe(0);
	}
	expect(await app.tables()).toEqual(before);
});
