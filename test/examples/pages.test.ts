import { readdirSync, readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { FOLDER, startOwnApp, startSharedApp } from "./app.js";
import { leadsTo, seen } from "./browser.js";
import { FOREIGN_PATHS, foreignHeaders, sendHostile } from "./hostile.js";
import { pathIn } from "./smtp.js";

const HOSTILE = `"><script>alert('1')</script>&amp;`;
const ESCAPED = "&quot;>&lt;script>alert('1')&lt;/script>&amp;amp;";
const ASKING = ["/sign-in", "/code", "/password/link"];

const app = await startSharedApp();

let count = 0;
const fresh = () => `user${100 + count++}@example.com`;

test("an address has one spelling, so a mailbox has one account", async () => {
	for (const email of ["U@b\u00fccher.test", "u@bu\u0308cher.test", "u@xn--bcher-kva.test"]) {
		const browser = app.browser();
		await browser.post("/sign-in", { email });
		expect(browser.asked[1]).toBe("u@xn--bcher-kva.test");
	}
});

test.each([
	...["ada", "ada@", "@example.com", "a@b@c", "a b@example.com", "a@b.example, c@d.example"],
	...["a@b.example\r\nBcc: c@d.example", "Ada <a@b.example>", "a\0@b.example", "(x)a@b.example"],
	...["a\u200b@example.com", "a@exam\u0001ple.com", '"a"@b.example', `a@${"b".repeat(190)}`],
	`${"a".repeat(65)}@example.com`,
])("%j is no address: nothing is stored or sent", async (email) => {
	const before = await app.tables();
	for (const path of ASKING) {
		const browser = app.browser();
		expect((await browser.post(path, { email })).status).toBe(422);
		expect(browser.cookies.size).toBe(0);
	}
	expect(await app.tables()).toEqual(before);
});

test("nothing tells known, unknown and just mailed addresses apart, in any form", async () => {
	for (const path of ASKING) {
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

test("pages that say that a mail is on its way send none when they are loaded again", async () => {
	const email = fresh();
	const browser = app.browser();
	await app.link(email, browser);
	await app.nextMinute();
	const before = await app.tables();
	for (const path of ["/check-mail", "/code"]) {
		expect((await browser.get(path)).text).toContain(email);
	}
	expect(await app.tables()).toEqual(before);
});

describe("the page that asked for the sign-in", () => {
	const NEXT = "/address?x=1";
	const QUERY = `?next=${encodeURIComponent(NEXT)}`;
	const FIELD = `name="next" value="${NEXT}"`;

	test("and the address go from form to form, and on to the next mail", async () => {
		const email = fresh();
		const browser = app.browser();
		expect(leadsTo(await browser.get(NEXT))).toEqual([303, `/sign-in${QUERY}`]);
		const ways = { "/sign-in": "/password", "/password": "/password/link", "/password/link": "" };
		for (const [path, way] of Object.entries(ways)) {
			const { text } = await browser.get(path + QUERY);
			expect(text).toContain(FIELD);
			if (way) expect(text).toContain(`href="${way}${QUERY}"`);
		}
		for (const path of [...ASKING, "/password"]) {
			expect((await browser.post(path, { email: "none", next: NEXT })).text).toContain(FIELD);
		}
		await browser.post("/sign-in", { email, next: NEXT });
		await app.smtp.next(email);
		browser.wait();
		for (const path of ["/check-mail", "/sign-in", "/password"]) {
			expect((await browser.get(path)).text).toContain(FIELD);
		}
		const asking = ["/check-mail", "/sign-in", "/password", "/password/link", "/sign-in/x"];
		for (const path of [...asking, "/password/link/x"]) {
			expect((await browser.get(path)).text).toContain(`value="${email}"`);
		}
		// The form on the page of a dead link has no such field.
		await app.nextMinute();
		expect(leadsTo(await browser.post(await app.link(email, browser)))).toEqual([
			303,
			app.origin + NEXT,
		]);
	});

	test.each([['"'.repeat(490)], ["中".repeat(440)], ["x".repeat(3000)]])(
		"costs no address if it is too long to remember: /%.3s…",
		async (path) => {
			const browser = app.browser();
			const email = `ä${fresh()}`;
			const { headers } = await browser.post("/code", { email, next: `/${path}` });
			expect(headers.getSetCookie().join().length).toBeLessThan(4096);
			expect((await browser.get("/code")).text).toContain(email);
		},
	);

	const known = fresh();
	beforeAll(() => app.withPassword(known, "a good password"));

	test.each([
		["/address?x=1", "/address?x=1"],
		["/%0d%0aSet-Cookie:x=1", "/%0d%0aSet-Cookie:x=1"],
		["/..//evil.example", "//evil.example"], // a path of this origin
		...["@evil.example", ".evil.example", ...FOREIGN_PATHS].map((path) => [path, "/"]),
	])("%j leads to %j of the app", async (next, path) => {
		const browser = app.browser();
		const email = fresh();
		await browser.post("/sign-in", { email, next });
		const byLink = await browser.post(pathIn(await app.smtp.next(email)));
		const fields = { email: known, current: "a good password", next };
		for (const page of [byLink, await app.browser().post("/password", fields)]) {
			expect(leadsTo(page)).toEqual([303, app.origin + path]);
		}
	});
});

test("pages escape what they show of a form, a URL, and a real address", async () => {
	const signedIn = await app.signedIn("o'neil&co@example.com");
	const out = app.browser();
	const query = `?next=${encodeURIComponent(HOSTILE)}`;
	const pages = [await signedIn.post("/address", { email: HOSTILE })];
	for (const path of ["/sign-in", "/password"]) pages.push(await out.get(path + query));
	for (const path of [...ASKING, "/password"]) {
		pages.push(await out.post(path, { email: HOSTILE }));
	}
	for (const { text } of pages) {
		expect(text).toContain(`value="${ESCAPED}"`);
		expect(text).not.toContain("<script>");
	}
	expect((await signedIn.get("/")).text).toContain("<strong>o'neil&amp;co@example.com<");
});

describe("a cookie that another site of the domain could set", () => {
	const nonce = crypto.randomUUID();
	test.each([
		["no list", { action: "/sign-in" }],
		["a foreign action", ["//evil.example/x", "a@example.com", "", nonce, 0, 0]],
		["HTML as its action", [`/x${HOSTILE}`, "a@example.com", "", nonce, 0, 0]],
		["two addresses", ["/sign-in", "evil@example.com,a@example.com", "", nonce, 0, 0]],
		["a short nonce", ["/sign-in", "evil@example.com", "", "x", 0, 0]],
	])("counts as none with %s", async (_what, value) => {
		const browser = app.browser();
		browser.asked = value;
		expect(leadsTo(await browser.get("/check-mail"))).toEqual([303, "/"]);
		expect((await browser.post("/code/use", { code: "1" })).status).toBe(410);
	});

	test("does no harm with hostile text, numbers, and another site to go on to", async () => {
		const email = fresh();
		const browser = app.browser();
		const code = await app.code(email, browser);
		const [, , , own] = browser.asked;
		browser.asked = ["/code", email, HOSTILE, own, "x", "x"];
		for (const path of ["/check-mail", "/code"]) {
			const { text } = await browser.get(path);
			expect(text).toContain(`name="next" value="${ESCAPED}"`);
			expect(text).not.toContain("<script>");
		}
		browser.asked = ["/code", email, "https://evil.example/", own, -1, 9e15];
		expect((await browser.get("/code")).text).toContain("Send it again");
		const used = await browser.post("/code/use", { code });
		expect(leadsTo(used)).toEqual([303, `${app.origin}/`]);
	});
});

/** The path of every POST of the app, as its source has them. */
const routes = readdirSync(FOLDER, { recursive: true, encoding: "utf8" })
	.filter((file) => /^(?!node_modules).*\.tsx?$/.test(file))
	.flatMap((file) => {
		const code = readFileSync(FOLDER + file, "utf8");
		const [, action = ""] = /const way = { action: "([^"]*)"/.exec(code) ?? [];
		const found = code.matchAll(/\.(?:post|put|patch|delete|all|use|route)\(\s*("\/[^"]*"|way)/g);
		return [...found].map(([, path = ""]) => (path === "way" ? action : path.slice(1, -1)));
	});

test("a POST from elsewhere is refused and changes nothing, on every route", async () => {
	const flows = ["magic-link", "one-time-code", "password", "change-address", "link-and-code"];
	const all = await startOwnApp({ flows });
	const email = fresh();
	const current = "a good password";
	const browser = await all.withPassword(email, current);
	await all.nextMinute();
	await browser.post("/address", { email: "moved@example.com", current });
	const move = pathIn(await all.smtp.next("moved@example.com"));
	const link = await all.link(email);
	const reset = pathIn(await all.request(all.browser(), "/password/link", email));
	const code = await all.code(email, browser);
	// What each route would do something with.
	const sent: Record<string, [path: string, fields?: Record<string, string>]> = {
		"/address": ["/address", { email: "other@example.com", current }],
		"/address/:token": [move],
		"/code": ["/code", { email: "new@example.com" }],
		"/code/use": ["/code/use", { code }],
		"/link-and-code": ["/link-and-code", { email: "new@example.com" }],
		"/password": ["/password", { email, current }],
		"/password/change": ["/password/change", { current, password: "another one" }],
		"/password/link": ["/password/link", { email: "new@example.com" }],
		"/password/link/:token": [reset, { password: "another one" }],
		"/sign-in": ["/sign-in", { email: "new@example.com" }],
		"/sign-in/:token": [link],
		"/sign-out": ["/sign-out"],
	};
	expect(routes.sort()).toEqual(Object.keys(sent));
	const before = await all.tables();
	for (const [path, fields] of Object.values(sent)) {
		for (const headers of foreignHeaders(all.origin)) {
			const page = await browser.copy().post(path, fields, headers);
			expect([path, headers, page.status]).toEqual([path, headers, 403]);
			expect(page.headers.getSetCookie()).toEqual([]);
		}
	}
	expect(await all.tables()).toEqual(before);
	for (const [path, fields] of Object.values(sent)) {
		expect((await all.browser().post(path, fields)).status).not.toBe(404);
	}
});

test("no request gets an error of the server or its stack, and none is logged", async () => {
	const pages = ["/", "/sign-in/", "/sign-in", "/password", "/address/", "/style.css/"];
	const forms = routes.map((route) => route.replace(":token", "x%00")).sort();
	expect(forms.at(-1)).toBe("/sign-out");
	for (const browser of [await app.signedIn(fresh()), app.browser()]) {
		const statuses = await sendHostile(browser, pages, forms);
		for (const status of [200, 400, 404, 410, 413, 422]) expect(statuses).toContain(status);
	}
});

test("when the database fails, no page shows why, and no log has a token", async () => {
	const broken = await startOwnApp();
	const link = await broken.link(fresh());
	await broken.all("DROP TABLE auth_key");
	for (const page of [await broken.browser().get(link), await broken.browser().post(link)]) {
		expect(page.status).toBe(500);
		expect(page.text).not.toMatch(/auth_key|sqlite|node_modules/i);
	}
	expect(broken.logged()).toContain("auth_key");
	expect(broken.logged()).not.toContain(link.split("/")[2]);
});
