import { describe, expect, test } from "vitest";
import { startOwnApp, startSharedApp } from "./app.js";
import { type Browser, leadsTo, seen } from "./browser.js";
import { codeIn, pathIn, urlIn } from "./smtp.js";

const app = await startSharedApp();

const use = (browser: Browser, code: string) => browser.post("/code/use", { code });

/** A wrong code. */
const wrong = (code: string, by = 1): string =>
	String((Number(code.replace(" ", "")) + by) % 1e8).padStart(8, "0");

describe("a link", () => {
	test("leads from an address to a mail, a button, a session, and out again", async () => {
		const email = "story@example.com";
		const browser = app.browser();
		const asked = await browser.post("/sign-in", { email: " Story@Example.COM " });
		expect(leadsTo(asked)).toEqual([303, "/check-mail"]);
		expect((await browser.get("/check-mail")).text).toContain(email);
		expect(await app.isSignedIn(browser)).toBe(false);

		const { href, pathname: link } = urlIn(await app.smtp.next(email));
		expect(href).toMatch(new RegExp(`^${app.origin}/sign-in/[0-9A-Za-z]+$`));
		expect(JSON.stringify(await app.tables())).not.toContain(link.split("/")[2]);
		expect((await browser.get(link)).text).toContain(`as <strong>${email}`);
		expect((await app.user(email))?.isVerified).toBe(false);

		const used = await browser.post(link);
		expect(leadsTo(used)).toEqual([303, `${app.origin}/`]);
		expect(used.headers.getSetCookie()).toEqual([
			expect.stringMatching(/^auth_session=\w{40}; Path=\/; .*; HttpOnly; SameSite=Lax$/),
			expect.stringMatching(/^asked=; Path=\/; Expires=Thu, 01 Jan 1970/),
		]);
		expect(await app.sessions(email)).toEqual([browser.session]);
		expect((await app.user(email))?.isVerified).toBe(true);
		expect((await browser.get("/")).text).toContain(email);

		const former = browser.copy();
		expect(leadsTo(await browser.post("/sign-out"))).toEqual([303, "/sign-in"]);
		expect(browser.session).toBeUndefined();
		expect(await app.isSignedIn(former)).toBe(false);
		expect(await app.sessions(email)).toEqual([]);
	});

	test("of any flow is only read by the GET and HEAD of a mail scanner", async () => {
		const email = "scan@example.com";
		const browser = await app.signedIn(email);
		await browser.post("/address", { email: "scan2@example.com" });
		await app.nextMinute();
		const links = [
			await app.link(email),
			pathIn(await app.request(app.browser(), "/password/link", email)),
			pathIn(await app.smtp.next("scan2@example.com")),
		];
		const before = await app.tables();
		for (const link of links) {
			for (const method of ["GET", "HEAD", "GET"]) {
				const page = await browser.copy().send(method, link);
				expect(page.status).toBe(200);
				expect(page.headers.getSetCookie()).toEqual([]);
				expect(Object.fromEntries(page.headers)).toMatchObject({
					"referrer-policy": "strict-origin",
					"cache-control": "no-store",
					"content-security-policy":
						"default-src 'none';style-src 'self';script-src 'self';img-src 'self';" +
						"form-action 'self';base-uri 'none';frame-ancestors 'none'",
				});
			}
		}
		expect(await app.tables()).toEqual(before);
		expect((await app.browser().post(links[0] ?? "")).status).toBe(303);
	});

	test.each(["used", "expired", "malformed", "of another type"])(
		"that is %s opens nothing, and offers a new one to its owner",
		async (what) => {
			const email = `${what.replaceAll(" ", "-")}@example.com`;
			let link = await app.link(email);
			if (what === "used") await app.browser().post(link);
			if (what === "expired") await app.expire();
			if (what === "malformed") link = "/sign-in/x%00y";
			if (what === "of another type") {
				const other = pathIn(await app.request(app.browser(), "/password/link", email));
				link = other.replace("/password/link", "/sign-in");
			}
			const before = await app.tables();
			const asked = app.browser();
			asked.asked = ["/sign-in", "own@example.com", "", crypto.randomUUID(), 0, 0];
			for (const [method, browser, own] of [
				["GET", app.browser(), ""],
				["GET", asked, "own@example.com"],
				["POST", app.browser(), ""],
			] as const) {
				const page = await browser.send(method, link, { headers: { Origin: app.origin } });
				expect(page.status).toBe(410);
				expect(page.headers.getSetCookie()).toEqual([]);
				expect(page.text).toContain('<form method="post" action="/sign-in"');
				const [, offered = ""] = /name="email".*? value="(.*?)"/.exec(page.text) ?? [];
				// Whoever holds an expired link holds its owner's mail. Nothing is known of the others.
				expect(offered).toBe(what === "expired" ? email : own);
			}
			// A POST deletes what has expired.
			if (what === "expired") expect(await app.tokens(email)).toEqual([]);
			else expect(await app.tables()).toEqual(before);
		},
	);

	test("that was used tells a browser that is signed in who it is, and where to go on", async () => {
		const email = "back@example.com";
		const browser = await app.signedIn("former-user@example.com");
		const link = await app.link(email, browser);
		const before = browser.copy();
		await browser.post(link);
		for (const page of [await browser.get(link), await browser.post(link)]) {
			expect(page.status).toBe(410);
			expect(page.text).toContain(`You are signed in as <strong>${email}</strong>`);
			expect(page.text).toContain('href="/"');
			expect(page.headers.getSetCookie()).toEqual([]);
		}
		// The second of two clicks still has the former session's cookie: it must not take the new one away.
		const second = await before.post(link);
		expect(second.status).toBe(410);
		expect(second.text).toContain(`value="${email}"`);
		expect(second.headers.getSetCookie()).toEqual([]);
		expect(await app.isSignedIn(browser)).toBe(true);
	});

	test("works with what mail clients glue to it", async () => {
		const link = await app.link("glued@example.com");
		const browser = app.browser();
		for (const glued of [">", ".", ")", "%3E.", "%22", "]", "%C2%BB", "'", "%0A"]) {
			expect([glued, (await browser.get(link + glued)).status]).toEqual([glued, 200]);
		}
		expect((await browser.post(`${link}%3E.`)).status).toBe(303);
	});

	test("replaces the browser's session, also another user's, and no other browser's", async () => {
		const [ada, grace] = ["ada@example.com", "grace@example.com"];
		const other = await app.signedIn(ada);
		await app.nextMinute();
		const browser = await app.signedIn(ada);
		for (const email of [ada, grace]) {
			const former = browser.copy();
			await app.nextMinute();
			expect((await browser.post(await app.link(email, browser))).status).toBe(303);
			expect(await app.isSignedIn(former)).toBe(false);
			expect((await browser.get("/")).text).toContain(email);
		}
		expect(await app.sessions(ada)).toEqual([other.session]);
	});

	test.each(["link", "code"])("or a code revokes its user's others, alone: %s", async (kind) => {
		const all = ["magic-link", "password-link", "sign-in-code"];
		const [email, other] = [`revoke-${kind}@example.com`, `keep-${kind}@example.com`];
		const browser = app.browser();
		for (const each of [other, email]) {
			await app.request(app.browser(), "/password/link", each);
			const link = await app.link(each);
			const code = await app.code(each, browser);
			expect(await app.tokens(each)).toEqual(all);
			if (each === other) continue;
			const page = await (kind === "link" ? browser.post(link) : use(browser, code));
			expect(page.status).toBe(303);
		}
		expect(await app.tokens(email)).toEqual([]);
		expect(await app.tokens(other)).toEqual(all);
	});
});

describe("a code", () => {
	test("signs in, however it is typed", async () => {
		const email = "code@example.com";
		const browser = app.browser();
		const asked = await browser.post("/code", { email });
		expect(leadsTo(asked)).toEqual([303, "/code"]);
		expect((await browser.get("/code")).text).toContain(`on its way to <strong>${email}`);
		const mail = await app.smtp.next(email);
		expect(mail.subject).not.toMatch(/\d/);
		const used = await use(browser, ` ${codeIn(mail).replace(" ", "-")}\t`);
		expect(leadsTo(used)).toEqual([303, `${app.origin}/`]);
		expect(await app.sessions(email)).toEqual([browser.session]);
		expect((await app.user(email))?.isVerified).toBe(true);
		expect(browser.cookies.has("asked")).toBe(false);
		// A second click, with the cookies of before or after.
		expect((await use(browser, codeIn(mail))).text).toContain("You are already signed in");
	});

	test("works only in the browser that requested it, even after its next request", async () => {
		const email = "bound@example.com";
		const browser = app.browser();
		const code = await app.code(email, browser);
		const [, , , nonce] = browser.asked;
		const rival = app.browser();
		await rival.post("/code", { email }); // within the minute: no mail
		expect(rival.asked[3]).not.toBe(nonce);
		expect((await use(rival, code)).status).toBe(422);
		expect((await use(app.browser(), code)).status).toBe(410);
		await app.nextMinute();
		await app.code(email, browser);
		expect((await use(browser, code)).status).toBe(303);
		await browser.post("/code", { email });
		expect(browser.asked[3]).not.toBe(nonce);
	});

	test("that has expired, or for an address that nobody has, looks like a wrong one", async () => {
		const [known, unknown] = ["known@example.com", "never@example.com"];
		const browser = app.browser();
		const code = await app.code(known, browser);
		const [late, other] = [browser.copy(), browser.copy()];
		other.asked = ["/code", unknown, ...browser.asked.slice(2)];
		for (let tries = 0; tries < 7; tries++) {
			const expected = seen(await use(browser, wrong(code)), known);
			expect(seen(await use(other, wrong(code)), unknown)).toEqual(expected);
			if (tries === 0) {
				await app.expire();
				expect(seen(await use(late, code), known)).toEqual(expected);
			}
		}
		expect(await app.sessions(known)).toEqual([]);
		expect(await app.user(unknown)).toBeUndefined();
	});

	test("can be mistyped four times; after five, the page leads to a new one without a circle", async () => {
		const email = "wrong@example.com";
		const browser = app.browser();
		const code = await app.code(email, browser);
		const before = browser.copy();
		for (let by = 1; by <= 4; by++) {
			const page = await use(browser, wrong(code, by));
			expect(page.status).toBe(422);
			expect(page.text).toContain('aria-describedby="error"');
		}
		expect((await use(browser.copy(), code)).status).toBe(303);

		await app.nextMinute();
		const next = await app.code(email, browser);
		for (let by = 1; by <= 5; by++) expect((await use(browser, wrong(next, by))).status).toBe(422);
		const dead = /<p role="alert">You entered 5 wrong codes.*in \d+ seconds/s;
		// A request within the minute sends nothing, so the page must not say that a code is on its way.
		for (let times = 0; times < 2; times++) {
			expect((await browser.get("/code")).text).toMatch(dead);
			expect((await use(browser, next)).text).toMatch(dead);
			expect((await browser.post("/code", { email })).status).toBe(303);
		}
		expect((await use(before, next)).status).toBe(422); // an old cookie gives no more attempts

		browser.wait();
		expect((await browser.get("/code")).text).toContain("Send it again");
		await app.nextMinute();
		const last = await app.code(email, browser);
		expect((await browser.get("/code")).text).toContain("on its way");
		expect((await use(browser, last)).status).toBe(303);
	});
});

test.each(["/sign-in", "/code", "/password/link"])(
	"%s responds before the app finds the user",
	async (path) => {
		const email = `patient${path.replaceAll("/", "-")}@example.com`;
		await app.all("BEGIN IMMEDIATE"); // the app can't write meanwhile
		const { status } = await app.browser().post(path, { email });
		await app.all("COMMIT");
		expect(status).toBe(303);
		await app.smtp.next(email);
	},
);

test("of the link and the code of one mail, one works, even at once", async () => {
	const both = await startOwnApp({ flows: ["link-and-code", "magic-link", "one-time-code"] });
	for (const isLinkFirst of [true, false, true, false]) {
		const email = `both-${crypto.randomUUID()}@example.com`;
		const browser = both.browser();
		const mail = await both.request(browser, "/link-and-code", email);
		const byLink = () => both.browser().post(pathIn(mail));
		const byCode = () => use(browser, codeIn(mail));
		const ways = isLinkFirst ? [byLink, byCode] : [byCode, byLink];
		const pages = await Promise.all(ways.map((way) => way()));
		expect(pages.filter(({ status }) => status === 303)).toHaveLength(1);
		expect(await both.sessions(email)).toHaveLength(1);
		expect(await both.tokens(email)).toEqual([]);
	}
	expect(both.logged()).toBe("");
});

test.each([
	["magic-link", ["Send me a link"], []],
	["one-time-code", ["Send me a code"], []],
	["password", ["Use a password"], ["/password/change"]],
	["change-address", [], ["/address"]],
])("the flow %s starts alone, and shows only its own ways", async (flow, ways, links) => {
	const alone = await startOwnApp({ flows: [flow] });
	const browser = alone.browser();
	const { text } = await browser.get("/sign-in");
	const labels = [...text.matchAll(/<(?:button|a href="\/password)[^>]*>([^<]*)</g)];
	expect(labels.map(([, label]) => label)).toEqual(ways);
	const [session, later] = ["s".repeat(40), Date.now() + 1e6];
	await alone.all("INSERT INTO auth_user (id, email) VALUES ('a', 'a@example.com')");
	await alone.all("INSERT INTO auth_session VALUES (?, 'a', ?, ?)", session, later, later);
	browser.cookies.set("auth_session", session);
	const home = await browser.get("/");
	expect([...home.text.matchAll(/<p><a href="([^"]*)"/g)].map(([, href]) => href)).toEqual(links);
	for (const link of links) expect((await browser.get(link)).status).toBe(200);
	expect(alone.logged()).toBe("");
});
