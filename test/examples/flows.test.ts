import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type App, startApp } from "./app.js";
import { type Browser, seen } from "./browser.js";
import { codeIn, pathIn } from "./smtp.js";

let app: App;
beforeAll(async () => {
	app = await startApp();
});
afterAll(async () => {
	await app?.close();
	expect(app.logged()).toBe("");
});

const use = (browser: Browser, code: string) => browser.post("/code/use", { code });

/** A wrong code. */
const wrong = (code: string, by = 1): string =>
	String((Number(code.replace(" ", "")) + by) % 1e8).padStart(8, "0");

const loseCode = async (browser: Browser, code: string): Promise<void> => {
	for (let by = 1; by <= 5; by++) expect((await use(browser, wrong(code, by))).status).toBe(422);
};

describe("a link", () => {
	it("leads from an address to a mail, a button, a session, and out again", async () => {
		const email = "story@example.com";
		const browser = app.browser();
		const asked = await browser.post("/sign-in", { email: " Story@Example.COM " });
		expect([asked.status, asked.headers.get("location")]).toEqual([303, "/check-mail"]);
		expect((await browser.get("/check-mail")).text).toContain(email);
		expect(await app.isSignedIn(browser)).toBe(false);

		const { text } = await app.smtp.next(email);
		const [url = ""] = /http\S+/.exec(text) ?? [];
		expect(url).toMatch(new RegExp(`^${app.origin}/sign-in/[0-9A-Za-z]+$`));
		const link = new URL(url).pathname;
		expect(JSON.stringify(await app.tables())).not.toContain(link.split("/")[2]);
		expect((await browser.get(link)).text).toContain(`as <strong>${email}`);
		expect((await app.user(email))?.isVerified).toBe(false);

		const used = await browser.post(link);
		expect([used.status, used.headers.get("location")]).toEqual([303, `${app.origin}/`]);
		expect(used.headers.getSetCookie()).toEqual([
			expect.stringMatching(/^auth_session=\w{40}; Path=\/; .*; HttpOnly; SameSite=Lax$/),
			expect.stringMatching(/^asked=; Path=\/; Expires=Thu, 01 Jan 1970/),
		]);
		expect(await app.sessions(email)).toEqual([browser.session]);
		expect((await app.user(email))?.isVerified).toBe(true);
		expect(await app.tokens(email)).toEqual([]);
		expect((await browser.get("/")).text).toContain(email);

		const { session } = browser;
		expect((await browser.post("/sign-out")).headers.get("location")).toBe("/sign-in");
		expect(browser.session).toBeUndefined();
		browser.cookies.set("auth_session", session ?? "");
		expect(await app.isSignedIn(browser)).toBe(false);
		expect(await app.sessions(email)).toEqual([]);
	});

	it("of any flow is only read by the GET and HEAD of a mail scanner", async () => {
		const browser = await app.signedIn("scan@example.com");
		await browser.post("/address", { email: "scan2@example.com" });
		await app.nextMinute();
		const links = [
			await app.link("scan@example.com"),
			pathIn(await app.request(app.browser(), "/password/link", "scan@example.com")),
			pathIn(await app.smtp.next("scan2@example.com")),
		];
		const before = await app.tables();
		for (const link of links) {
			for (const method of ["GET", "HEAD", "GET"]) {
				const page = await browser.copy().send(method, link);
				expect(page.status).toBe(200);
				expect(page.headers.getSetCookie()).toEqual([]);
				expect(page.headers.get("referrer-policy")).toBe("strict-origin");
				expect(page.headers.get("cache-control")).toBe("no-store");
				const policy = "default-src 'none';style-src 'self';script-src 'self';img-src 'self';";
				const rest = "form-action 'self';base-uri 'none';frame-ancestors 'none'";
				expect(page.headers.get("content-security-policy")).toBe(policy + rest);
			}
		}
		expect(await app.tables()).toEqual(before);
		expect((await app.browser().post(links[0] ?? "")).status).toBe(303);
	});

	it.each(["used", "expired", "garbage", "other type"])(
		"that is no good (%s) opens nothing, and offers a new one to its owner",
		async (kind) => {
			const email = `${kind.replace(" ", "-")}@example.com`;
			let link = await app.link(email);
			if (kind === "used") await app.browser().post(link);
			if (kind === "expired") await app.expire();
			if (kind === "garbage") link = "/sign-in/x%00y";
			if (kind === "other type") {
				const other = pathIn(await app.request(app.browser(), "/password/link", email));
				link = other.replace("/password/link", "/sign-in");
			}
			const before = await app.tables();
			// Whoever holds an expired link holds its owner's mail. Nothing is known of the others.
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
				expect(offered).toBe(kind === "expired" ? email : own);
			}
			// A POST deletes what has expired.
			if (kind === "expired") expect(await app.tokens(email)).toEqual([]);
			else expect(await app.tables()).toEqual(before);
		},
	);

	it("that was used tells a browser that is signed in who it is, and where to go on", async () => {
		const email = "back@example.com";
		const former = await app.signedIn("former-user@example.com");
		const link = await app.link(email, former);
		const before = former.copy();
		await former.post(link);
		for (const page of [await former.get(link), await former.post(link)]) {
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
		expect(await app.isSignedIn(former)).toBe(true);
	});

	it.each(["link", "code"])("or a code (%s) that twenty use at once signs in one", async (kind) => {
		const email = `twenty-${kind}@example.com`;
		const browser = app.browser();
		const link = await app.link(email, browser);
		const code = await app.code(email, browser);
		const pages = await Promise.all(
			Array.from({ length: 20 }, () =>
				kind === "link" ? browser.copy().post(link) : use(browser.copy(), code),
			),
		);
		expect(pages.filter(({ status }) => status === 303)).toHaveLength(1);
		expect(await app.sessions(email)).toHaveLength(1);
	});

	it.each([">", ".", ")", "%3E.", "%22", "]", "%C2%BB", "'", "%0A"])(
		"works with %s glued to it",
		async (glued) => {
			const link =
				(await app.link(`glued${escape(glued).length}-${Date.now()}@example.com`)) + glued;
			const browser = app.browser();
			expect((await browser.get(link)).status).toBe(200);
			expect((await browser.post(link)).status).toBe(303);
		},
	);

	it("replaces the browser's session, also another user's, and no other browser's", async () => {
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
		expect(await app.isSignedIn(other)).toBe(true);
	});

	it("or a code revokes its user's others, and nobody else's", async () => {
		const [email, other] = ["revoke@example.com", "keep@example.com"];
		const browser = app.browser();
		const all = ["magic-link", "password-link", "sign-in-code"];
		for (const kind of ["link", "code"]) {
			await app.nextMinute();
			const links = [await app.link(email), await app.link(other)];
			await app.request(app.browser(), "/password/link", email);
			await app.request(app.browser(), "/password/link", other);
			const codes = [await app.code(email, browser), await app.code(other, app.browser())];
			expect(await app.tokens(email)).toEqual(all);
			browser.asked = ["/code", email, "", browser.asked[3], 0, Date.now()];
			const signIn = () =>
				kind === "link" ? browser.post(links[0] ?? "") : use(browser, codes[0] ?? "");
			expect((await signIn()).status).toBe(303);
			expect(await app.tokens(email)).toEqual([]);
		}
		expect([...new Set(await app.tokens(other))]).toEqual(all);
	});
});

describe("a code", () => {
	it.each([
		["as it is in the mail", (code: string) => code],
		["without its space", (code: string) => code.replace(" ", "")],
		["with more spaces", (code: string) => ` ${[...code].join(" ")}\t`],
		["with a dash", (code: string) => code.replace(" ", "-")],
	])("signs in, typed %s", async (how, typed) => {
		const email = `${how.replaceAll(" ", "-")}@example.com`;
		const browser = app.browser();
		const asked = await browser.post("/code", { email });
		expect(asked.headers.get("location")).toBe("/code");
		expect((await browser.get("/code")).text).toContain(`on its way to <strong>${email}`);
		const mail = await app.smtp.next(email);
		expect(mail.subject).not.toMatch(/\d/);
		const used = await use(browser, typed(codeIn(mail)));
		expect([used.status, used.headers.get("location")]).toEqual([303, `${app.origin}/`]);
		expect(await app.sessions(email)).toEqual([browser.session]);
		expect((await app.user(email))?.isVerified).toBe(true);
		expect(browser.cookies.has("asked")).toBe(false);
		// A second click, with the cookies of before or after.
		expect((await use(browser, codeIn(mail))).text).toContain("You are already signed in");
		expect(await app.tokens(email)).toEqual([]);
	});

	it("works only in the browser that requested it", async () => {
		const email = "bound@example.com";
		const browser = app.browser();
		const code = await app.code(email, browser);
		const rival = app.browser();
		await rival.post("/code", { email }); // within the minute: no mail
		expect(rival.asked[3]).not.toBe(browser.asked[3]);
		expect((await use(rival, code)).status).toBe(422);
		expect((await use(app.browser(), code)).status).toBe(410);
		expect((await use(browser, code)).status).toBe(303);
		// The next request is another one.
		const nonce = browser.asked[3];
		await browser.post("/code", { email });
		expect(browser.asked[3]).not.toBe(nonce);
	});

	it("that is late still works after the next request", async () => {
		const email = "late@example.com";
		const browser = app.browser();
		const code = await app.code(email, browser);
		await app.nextMinute();
		await app.code(email, browser);
		expect((await use(browser, code)).status).toBe(303);
	});

	it("that has expired looks like a wrong one", async () => {
		const email = "old-code@example.com";
		const browser = app.browser();
		const code = await app.code(email, browser);
		const same = browser.copy();
		const first = seen(await use(browser, wrong(code)), email);
		await app.expire();
		expect(seen(await use(same, code), email)).toEqual(first);
		expect(await app.sessions(email)).toEqual([]);
	});

	it("can be mistyped four times; after five, the page leads to a new one without a circle", async () => {
		const email = "wrong@example.com";
		const browser = app.browser();
		const first = await app.code(email, browser);
		for (let by = 1; by <= 4; by++) {
			const page = await use(browser, wrong(first, by));
			expect(page.status).toBe(422);
			expect(page.text).toContain('aria-describedby="error"');
		}
		const same = browser.copy();
		expect((await use(same, first)).status).toBe(303);

		await app.nextMinute();
		const again = app.browser();
		const code = await app.code(email, again);
		await loseCode(again, code);
		const dead = /<p role="alert">You entered 5 wrong codes.*in \d+ seconds/s;
		// A request within the minute sends nothing, so the page must not say that a code is on its way.
		for (let times = 0; times < 2; times++) {
			expect((await again.get("/code")).text).toMatch(dead);
			expect((await use(again, code)).text).toMatch(dead);
			expect((await again.post("/code", { email })).status).toBe(303);
		}
		expect(await app.sessions(email)).toEqual([same.session]);

		again.wait();
		expect((await again.get("/code")).text).toContain("Send it again");
		await app.nextMinute();
		const newer = await app.code(email, again); // the very next mail
		expect((await again.get("/code")).text).toContain("on its way");
		expect((await use(again, newer)).status).toBe(303);
	});

	it("gets no more attempts by an old cookie, nor by guesses at once", async () => {
		const email = "cookie@example.com";
		const browser = app.browser();
		const code = await app.code(email, browser);
		await Promise.all(
			Array.from({ length: 20 }, (_, by) => use(browser.copy(), wrong(code, by + 1))),
		);
		expect((await use(browser, code)).status).toBe(422);
	});

	it("for an address that nobody has is treated the same way", async () => {
		const [known, unknown] = ["known@example.com", "never@example.com"];
		const browser = app.browser();
		await app.code(known, browser);
		const other = browser.copy();
		other.asked = ["/code", unknown, ...browser.asked.slice(2)];
		for (let tries = 0; tries < 7; tries++) {
			expect(seen(await use(other, "00000000"), unknown)).toEqual(
				seen(await use(browser, "00000000"), known),
			);
		}
		expect(await app.user(unknown)).toBeUndefined();
	});
});

describe("a mail with a link and a code", () => {
	let both: App;
	beforeAll(async () => {
		const flows = { "link-and-code": "linkAndCode", "magic-link": "magicLink" };
		both = await startApp({ flows: { ...flows, "one-time-code": "oneTimeCode" } });
	});
	afterAll(() => both?.close());

	it.each(["link first", "code first", "at once"])("lets one of them work: %s", async (order) => {
		for (let round = 0; round < (order === "at once" ? 6 : 1); round++) {
			const email = `${order.replace(" ", "-")}-${round}@example.com`;
			const browser = both.browser();
			const mail = await both.request(browser, "/link-and-code", email);
			const ways = [() => both.browser().post(pathIn(mail)), () => use(browser, codeIn(mail))];
			if (order === "code first" || round % 2 === 1) ways.reverse();
			const pages =
				order === "at once"
					? await Promise.all(ways.map((way) => way()))
					: [await ways[0]?.(), await ways[1]?.()];
			expect(pages.filter((page) => page?.status === 303)).toHaveLength(1);
			expect(await both.sessions(email)).toHaveLength(1);
			expect(await both.tokens(email)).toEqual([]);
		}
		expect(both.logged()).toBe("");
	});
});

describe.each([
	["magic-link", "magicLink", "Send me a link"],
	["one-time-code", "oneTimeCode", "Send me a code"],
	["password", "password", "Use a password"],
	["change-address", "changeAddress", undefined],
])("the flow %s alone", (file, name, label) => {
	it("shows only its way in, and its story runs", async () => {
		const alone = await startApp({ flows: { [file]: name } });
		try {
			const email = "alone@example.com";
			const browser = alone.browser();
			const { text } = await browser.get("/sign-in");
			const ways = [...text.matchAll(/<(?:button|a href="\/password)[^>]*>([^<]*)</g)];
			expect(ways.map(([, way]) => way)).toEqual(label ? [label] : []);
			if (name === "magicLink") await browser.post(await alone.link(email, browser));
			if (name === "oneTimeCode") await use(browser, await alone.code(email, browser));
			if (name === "password") await browser.post("/password", {}); // refused, not broken
			if (name === "changeAddress") {
				const expires = Date.now() + 1e6;
				await alone.all("INSERT INTO auth_user (id, email) VALUES ('u', ?)", email);
				await alone.all(
					`INSERT INTO auth_session VALUES (?, 'u', ${expires}, ${expires})`,
					"s".repeat(40),
				);
				browser.cookies.set("auth_session", "s".repeat(40));
				await browser.post("/address", { email: "new@example.com" });
				await browser.post(pathIn(await alone.smtp.next("new@example.com")));
				expect((await browser.get("/")).text).toContain("new@example.com");
			}
			const own = name === "password" ? await alone.withPassword(email, "a good one") : browser;
			const home = await own.get("/");
			expect(home.status).toBe(200);
			const links = [...home.text.matchAll(/<p><a href="([^"]*)"/g)].map(([, href]) => href);
			const expected = { password: ["/password/change"], changeAddress: ["/address"] };
			expect(links).toEqual(expected[name as "password"] ?? []);
			expect(alone.logged()).toBe("");
		} finally {
			await alone.close();
		}
	});
});
