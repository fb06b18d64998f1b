import Database from "libsql";
import { request } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { Browser, importDemo, linksIn, startDemo, temporaryFolder } from "./demo.js";

const ADA = "ada@example.com";
const GRACE = "grace@example.com";

const ids = (home: string): string[] =>
	[...home.matchAll(/name="id" value="([^"]*)"/g)].map(([, id = ""]) => id);

describe("the story", () => {
	it("goes from an address to a mail, a button, a session and out of it again", async () => {
		const demo = await startDemo();
		const browser = demo.browser();
		expect((await browser.get("/")).text).toContain("<h1>Sign in</h1>");

		const asked = await browser.post("/sign-in", { email: ADA });
		expect(asked.status).toBe(200);
		expect(asked.text).toContain("Check your mail");

		const mailbox = await browser.get("/mailbox");
		expect(mailbox.text).toContain(`To <strong>${ADA}</strong>`);
		expect(mailbox.text).toContain("Your sign-in link");
		const [link = ""] = linksIn(mailbox.text);
		expect(link).toMatch(new RegExp(`^${demo.url}/sign-in/[a-zA-Z0-9]{43}$`));

		const page = await browser.get(new URL(link).pathname);
		expect(page.status).toBe(200);
		expect(page.text).toContain(`sign in as <strong>${ADA}</strong>`);
		expect(page.text).toMatch(/>\s*(10 min|9 min 5\d s)\s*</);
		expect(browser.cookie).toBeUndefined();

		const used = await browser.post(new URL(link).pathname);
		expect(used.status).toBe(303);
		expect(used.headers.get("location")).toBe("/");
		expect(used.headers.getSetCookie()).toEqual([
			expect.stringMatching(/^auth_session=\w{40}; Path=\/; Expires=.*; HttpOnly; SameSite=Lax$/),
		]);

		const home = await browser.get("/");
		expect(home.text).toContain("You are signed in");
		expect(home.text).toContain(ADA);

		const { cookie } = browser;
		const out = await browser.post("/sign-out");
		expect(out.status).toBe(303);
		expect(browser.cookie).toBeUndefined();
		browser.cookie = cookie;
		expect((await browser.get("/")).text).toContain("<h1>Sign in</h1>");
	});

	it("treats an address with spaces and capitals as the same address", async () => {
		const demo = await startDemo();
		await demo.link("  Ada@EXAMPLE.com ");
		const browser = await demo.signedIn(ADA);
		expect(ids((await browser.get("/")).text)).toHaveLength(1);
	});

	it("marks the session cookie as secure if the base URL is https", async () => {
		const demo = await startDemo({ baseUrl: "https://demo.example" });
		const answer = await demo.browser().post(await demo.link(ADA));
		expect(answer.headers.getSetCookie()[0]).toContain("; Secure");
	});

	it("creates one user for an address that is entered many times at once", async () => {
		const demo = await startDemo();
		const answers = await Promise.all(
			Array.from({ length: 20 }, () => demo.browser().post("/sign-in", { email: ADA })),
		);
		expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200));
		const [users] = demo.rows() as unknown[][];
		expect(users).toEqual([{ id: expect.any(String) as string, email: ADA }]);

		// Requests seldom meet between the look and the insert; these calls do.
		const { openDatabase } = await importDemo<{
			openDatabase: (file: string) => Database.Database;
		}>("auth/database.js");
		const { createAuth } = await importDemo<{
			createAuth: (
				db: Database.Database,
				options: object,
			) => { userIdOf: (email: string) => Promise<string> };
		}>("auth/auth.js");
		const db = openDatabase(demo.dataFile);
		onTestFinished(() => void db.close());
		const { userIdOf } = createAuth(db, {
			baseUrl: demo.url,
			expiresIn: 60,
			secret: "x".repeat(32),
		});
		const ids = await Promise.all(Array.from({ length: 20 }, () => userIdOf(GRACE)));
		expect(new Set(ids).size).toBe(1);
	});
});

describe("GET and HEAD on a link", () => {
	it("change no row, whether the link is good, used, unknown, malformed or expired", async () => {
		const demo = await startDemo({ expiresIn: 0.3 });
		const expired = await demo.link(ADA);
		const used = await demo.link(ADA);
		const browser = demo.browser();
		expect((await browser.post(used)).status).toBe(303);
		await sleep(310);
		const good = await demo.link(GRACE);

		const before = demo.rows();
		const statuses: number[] = [];
		for (const path of [
			good,
			good,
			used,
			expired,
			expired,
			`/sign-in/${"x".repeat(43)}`,
			"/sign-in/%00",
			"/sign-in/%E0%A4%A",
			`/sign-in/${"x".repeat(5000)}`,
		]) {
			for (const method of ["GET", "HEAD"]) {
				statuses.push((await browser.send(method, path)).status);
			}
		}
		expect(demo.rows()).toEqual(before);
		expect(statuses.slice(0, 4)).toEqual([200, 200, 200, 200]);
		expect(statuses.slice(4)).toEqual(Array(14).fill(410));
	});

	it("neither start a session nor take one away", async () => {
		const demo = await startDemo();
		const browser = await demo.signedIn(ADA);
		const answer = await browser.get(await demo.link(GRACE));
		expect(answer.headers.getSetCookie()).toEqual([]);
		expect((await browser.get("/")).text).toContain(ADA);
	});
});

describe("a link works once", () => {
	it("and says on every later try that it was used or is not valid", async () => {
		const demo = await startDemo();
		const link = await demo.link(ADA);
		expect((await demo.browser().post(link)).status).toBe(303);
		for (let round = 0; round < 3; round++) {
			const answer = await demo.browser().post(link);
			expect(answer.status).toBe(410);
			expect(answer.text).toContain("It was already used or is not valid");
			expect(answer.text).toContain("Send me a new link");
			expect(answer.text).not.toContain(ADA);
			expect(answer.headers.getSetCookie()).toEqual([]);
		}
		expect((await demo.browser().get(link)).text).toContain("It was already used");
	});

	it("for one of twenty that press the button at once", async () => {
		const demo = await startDemo();
		for (let round = 0; round < 5; round++) {
			const link = await demo.link(ADA);
			const browsers = Array.from({ length: 20 }, () => demo.browser());
			const answers = await Promise.all(browsers.map((browser) => browser.post(link)));
			expect(answers.filter(({ status }) => status === 303)).toHaveLength(1);
			expect(answers.filter(({ status }) => status === 410)).toHaveLength(19);
			expect(browsers.filter(({ cookie }) => cookie !== undefined)).toHaveLength(1);
		}
		const [, sessions] = demo.rows() as unknown[][];
		expect(sessions).toHaveLength(5);
	});

	it("and tells users who pressed twice that they are already signed in", async () => {
		const demo = await startDemo();
		const browser = demo.browser();
		const link = await demo.link(ADA);
		await browser.post(link);
		const again = await browser.post(link);
		expect(again.status).toBe(410);
		expect(again.text).toContain("You are already signed in");
		expect(again.text).toContain('href="/"');
	});

	it("and a lost second press with a replaced session leaves the new cookie alone", async () => {
		const demo = await startDemo();
		const browser = await demo.signedIn(ADA);
		const former = browser.cookie;
		const link = await demo.link(ADA);
		await browser.post(link);
		const loser = demo.browser();
		loser.cookie = former;
		const answer = await loser.post(link);
		expect(answer.status).toBe(410);
		expect(answer.headers.getSetCookie()).toEqual([]);
	});

	it("and not at all once it has expired, which has its own page", async () => {
		const demo = await startDemo({ expiresIn: 0.1 });
		const link = await demo.link(ADA);
		await sleep(110);
		for (const answer of [await demo.browser().get(link), await demo.browser().post(link)]) {
			expect(answer.status).toBe(410);
			expect(answer.text).toContain("This link has expired");
			expect(answer.text).toContain("Send me a new link");
			expect(answer.text).not.toContain(ADA);
			expect(answer.headers.getSetCookie()).toEqual([]);
		}
	});

	it.each(["x".repeat(43), "x", "%00", "%E0%A4%A", "a:b", "%F0%9F%92%A9"])(
		"and an unknown one, %s, never",
		async (token) => {
			const demo = await startDemo();
			const answer = await demo.browser().post(`/sign-in/${token}`);
			expect(answer.status).toBe(410);
			expect(answer.text).toContain("It was already used or is not valid");
		},
	);

	it("and its page offers a new one", async () => {
		const demo = await startDemo();
		const { text } = await demo.browser().post("/sign-in/unknown");
		expect(text).toMatch(/<form method="post" action="\/sign-in"[^>]*>[^]*name="email"/);
	});
});

describe("a session", () => {
	it("replaces the former one", async () => {
		const demo = await startDemo();
		const browser = await demo.signedIn(ADA);
		const former = browser.cookie;
		await browser.post(await demo.link(GRACE));
		expect((await browser.get("/")).text).toContain(GRACE);
		const old = demo.browser();
		old.cookie = former;
		expect((await old.get("/")).text).toContain("<h1>Sign in</h1>");
	});

	it("leaves other links of its user alone", async () => {
		const demo = await startDemo();
		const other = await demo.link(ADA);
		await demo.signedIn(ADA);
		expect((await demo.browser().get(other)).status).toBe(200);
	});
});

describe("home", () => {
	it("lists the outstanding links with the time left, without revealing a token", async () => {
		const demo = await startDemo();
		const links = [await demo.link(ADA), await demo.link(ADA)];
		await demo.link(GRACE);
		const browser = await demo.signedIn(ADA);
		const { text } = await browser.get("/");
		expect(ids(text)).toHaveLength(2);
		expect(text.match(/>\s*(10 min|9 min 5\d s)\s*</g)).toHaveLength(2);
		for (const link of links) expect(text).not.toContain(link.slice("/sign-in/".length));
	});

	it("says of a link that it has expired", async () => {
		const demo = await startDemo({ expiresIn: 0.2 });
		await demo.link(ADA);
		const browser = await demo.signedIn(ADA);
		await sleep(210);
		expect((await browser.get("/")).text).toMatch(/>\s*expired\s*</);
	});

	it("revokes one link and leaves the other", async () => {
		const demo = await startDemo();
		const links = [await demo.link(ADA), await demo.link(ADA)];
		const browser = await demo.signedIn(ADA);
		const [first, second] = ids((await browser.get("/")).text);
		expect((await browser.post("/revoke", { id: first ?? "" })).status).toBe(303);
		expect(ids((await browser.get("/")).text)).toEqual([second]);
		const statuses = await Promise.all(
			links.map(async (link) => (await demo.browser().post(link)).status),
		);
		expect(statuses.sort()).toEqual([303, 410]);
	});

	it("revokes all links of its user and of nobody else", async () => {
		const demo = await startDemo();
		const links = [await demo.link(ADA), await demo.link(ADA)];
		const others = await demo.link(GRACE);
		const browser = await demo.signedIn(ADA);
		expect((await browser.post("/revoke-all")).status).toBe(303);
		expect((await browser.get("/")).text).toContain("There are none.");
		for (const link of links) expect((await demo.browser().post(link)).status).toBe(410);
		expect((await demo.browser().post(others)).status).toBe(303);
	});

	it("lets nobody revoke the link of another, signed in or not", async () => {
		const demo = await startDemo();
		const link = await demo.link(ADA);
		const [id = ""] = ids((await (await demo.signedIn(ADA)).get("/")).text);
		for (const browser of [await demo.signedIn(GRACE), demo.browser()]) {
			expect((await browser.post("/revoke", { id })).status).toBe(303);
			await browser.post("/revoke-all");
		}
		expect((await demo.browser().post(link)).status).toBe(303);
	});

	it("ignores a revocation without a link", async () => {
		const demo = await startDemo();
		await demo.link(ADA);
		const browser = await demo.signedIn(ADA);
		for (const fields of [{}, { id: "" }, { id: "x" }]) await browser.post("/revoke", fields);
		expect(ids((await browser.get("/")).text)).toHaveLength(1);
	});
});

describe("an address", () => {
	it("gets the same answer whether or not it has an account", async () => {
		const demo = await startDemo();
		await demo.signedIn(ADA);
		const known = await demo.browser().post("/sign-in", { email: ADA });
		const unknown = await demo.browser().post("/sign-in", { email: "eve@example.com" });
		const comparable = ({ status, headers, text }: typeof known) => ({
			status,
			headers: Object.entries(Object.fromEntries(headers.entries())).filter(
				([name]) => name !== "date",
			),
			text: text.replaceAll(ADA, "ADDRESS").replaceAll("eve@example.com", "ADDRESS"),
		});
		expect(comparable(unknown)).toEqual(comparable(known));
	});

	it.each([
		"",
		"ada",
		"ada@",
		"@example.com",
		"ada@@example.com",
		"ada@example.com@example.org",
		"ada@exam ple.com",
		"ada@example.com, eve@example.com",
		"ada@example.com\r\nBcc: eve@example.com",
		"Ada <ada@example.com>",
		"ada\0@example.com",
		"ädä@example.com",
		`${"a".repeat(65)}@example.com`,
		`ada@${"example.".repeat(40)}com`,
	])(
		"that is not valid, %j, is refused, kept in its field, and nothing is stored or sent",
		async (email) => {
			const { html } = await importDemo<{
				html: (strings: TemplateStringsArray, ...values: unknown[]) => { toString(): string };
			}>("pages/html.js");
			const demo = await startDemo();
			const before = demo.rows();
			const answer = await demo.browser().post("/sign-in", { email });
			expect(answer.status).toBe(422);
			expect(answer.text).toContain("That is not an email address");
			expect(answer.text).toContain(html`value="${email}"`.toString());
			expect(demo.rows()).toEqual(before);
			expect((await demo.browser().get("/mailbox")).text).toContain("No mail yet");
		},
	);

	it("that is missing or sent twice is refused", async () => {
		const demo = await startDemo();
		for (const body of ["", "email=a%40b.example&email=c%40d.example"]) {
			const answer = await demo.browser().send("POST", "/sign-in", {
				headers: { Origin: demo.url, "Content-Type": "application/x-www-form-urlencoded" },
				body,
			});
			expect(answer.status).toBe(422);
		}
	});

	it("is escaped wherever it is shown", async () => {
		const demo = await startDemo();
		const refused = await demo
			.browser()
			.post("/sign-in", { email: `"><script>alert('1')</script>&amp;` });
		expect(refused.text).toContain(
			'value="&quot;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;amp;"',
		);
		// All the marks that a real address may have.
		const odd = "o'neil&co@example.com";
		const sent = await demo.browser().post("/sign-in", { email: odd });
		const browser = await demo.signedIn(odd);
		for (const { text } of [sent, await browser.get("/"), await browser.get("/mailbox")]) {
			expect(text).toContain("o&#39;neil&amp;co@example.com");
			expect(text).not.toContain(odd);
		}
	});
});

describe("an address that was just sent a mail", () => {
	it.each(["/sign-in", "/code"])(
		"gets no other by %s, and reads how long to wait",
		async (path) => {
			const demo = await startDemo({ minInterval: 60 });
			const first = await demo.browser().post(path, { email: ADA });
			expect(first.status).toBeLessThan(400);
			const browser = demo.browser();
			const again = await browser.post(path, { email: ADA });
			expect(again.status).toBe(429);
			const seconds = Number(again.headers.get("retry-after"));
			expect(seconds).toBeGreaterThan(0);
			expect(seconds).toBeLessThanOrEqual(60);
			expect(again.text).toMatch(
				new RegExp(`request another in\\s+${seconds === 60 ? "1 min" : `${seconds} s`}\\.`),
			);
			expect(browser.cookies.size).toBe(0);
			const mailbox = (await demo.browser().get("/mailbox")).text;
			expect(mailbox.match(/<article/g)).toHaveLength(1);
			expect(demo.logged).toEqual([]);

			// Others are not affected, nor is the other kind of mail.
			expect((await demo.browser().post(path, { email: GRACE })).status).toBe(first.status);
			const other = path === "/code" ? "/sign-in" : "/code";
			expect((await demo.browser().post(other, { email: ADA })).status).toBeLessThan(400);
		},
	);

	it("gets one again after 30 seconds, by default", async () => {
		const { startServer } = await importDemo<{
			startServer: (
				options: object,
			) => Promise<{ url: string; port: number; close(): Promise<void> }>;
		}>("server.js");
		const dataFile = join(temporaryFolder(), "demo.db");
		const server = await startServer({ port: 0, dataFile });
		onTestFinished(() => server.close());
		const post = () => new Browser(server).post("/sign-in", { email: ADA });
		expect((await post()).status).toBe(200);
		const again = await post();
		expect(again.status).toBe(429);
		expect(Number(again.headers.get("retry-after"))).toBeLessThanOrEqual(30);
		vi.useFakeTimers({ now: Date.now() + 30_000, toFake: ["Date"] });
		onTestFinished(() => void vi.useRealTimers());
		expect((await post()).status).toBe(200);
	});
});

const sentRecently = async () => {
	const demo = await startDemo({ minInterval: 60 });
	await demo.link(ADA);
	return demo.browser().post("/sign-in", { email: ADA });
};

describe("every page", () => {
	it("forbids caching, framing and foreign content, and names no software", async () => {
		const demo = await startDemo();
		const link = await demo.link(ADA);
		const browser = await demo.signedIn(ADA);
		await demo.code(ADA, browser);
		const answers = {
			"/": await browser.get("/"),
			"/sent": await browser.post("/sign-in", { email: ADA }),
			"/refused": await browser.post("/sign-in", { email: "" }),
			"/none": await browser.get("/none"),
			"/code requested": await browser.post("/code", { email: ADA }),
			"/code": await browser.get("/code"),
			"/code wrong": await browser.post("/code/use", { code: "x" }),
			"/code none": await demo.browser().get("/code"),
			"/mailbox": await browser.get("/mailbox"),
			[link]: await browser.get(link),
			"/sign-in/unknown": await browser.get("/sign-in/unknown"),
			"/sign-in/%E0%A4%A": await browser.get("/sign-in/%E0%A4%A"),
			"/foreign": await browser.post(link, {}, { Origin: "https://evil.example" }),
			"/used": await browser.post(link),
			"/sent recently": await sentRecently(),
		};
		for (const { headers } of Object.values(answers)) {
			expect(headers.get("cache-control")).toBe("no-store");
			expect(headers.get("x-content-type-options")).toBe("nosniff");
			expect(headers.get("x-powered-by")).toBeNull();
			expect(headers.get("etag")).toBeNull();
			const policy = headers.get("content-security-policy")?.split("; ");
			expect(policy).toEqual(
				expect.arrayContaining([
					"default-src 'none'",
					"style-src 'self'",
					"script-src 'self'",
					"form-action 'self'",
					"base-uri 'none'",
					"frame-ancestors 'none'",
				]),
			);
		}
		for (const path of ["/mailbox", link, "/sign-in/unknown", "/sign-in/%E0%A4%A", "/used"]) {
			expect(answers[path]?.headers.get("referrer-policy")).toBe("no-referrer");
		}
	});

	it("has a language, its own title, landmarks, one main heading and no inline script", async () => {
		const demo = await startDemo({ expiresIn: 60 });
		const link = await demo.link(ADA);
		const out = demo.browser();
		const browser = await demo.signedIn(ADA);
		const tried = demo.browser();
		await demo.code(ADA, tried);
		await demo.code(GRACE, browser);
		for (let round = 0; round < 5; round++) {
			await tried.post("/code/use", { code: String(round).repeat(8) });
		}
		const texts = [
			await out.get("/"),
			await out.post("/sign-in", { email: GRACE }),
			await out.post("/sign-in", { email: "x" }),
			await browser.get("/"),
			await out.get("/mailbox"),
			await out.get("/none"),
			await browser.get("/code"),
			await browser.post("/code/use", { code: "x" }),
			await tried.get("/code"),
			await out.get("/code"),
			await out.get(link),
			await out.get("/sign-in/unknown"),
			await out.post(link, {}, {}),
			await sentRecently(),
		].map(({ text }) => text);
		for (const text of texts) {
			expect(text).toMatch(/^<!doctype html>\s*<html lang="en">/);
			for (const element of ["<h1>", "<main", "<header>", "<nav", "<footer>"]) {
				expect(text.split(element)).toHaveLength(2);
			}
			expect(text).not.toMatch(/<script>|<style|\sstyle=|\son[a-z]+=/);
		}
		const titles = texts.map((text) => /<title>(.*)<\/title>/.exec(text)?.[1]);
		expect(new Set(titles).size).toBe(titles.length);
	});

	it("that does not exist is answered with 404, and a body that is too long with 413", async () => {
		const demo = await startDemo();
		expect((await demo.browser().get("/none")).status).toBe(404);
		const long = await demo.browser().post("/sign-in", { email: "a".repeat(5000) });
		expect(long.status).toBe(413);
		expect(long.text).toContain("too long");
		expect(long.text).not.toContain("at ");
		expect(demo.logged).toEqual([]);
	});

	it("shows no stack trace and no cause when something breaks", async () => {
		const demo = await startDemo();
		const link = await demo.link(ADA);
		const db = new Database(demo.dataFile);
		db.exec("DROP TABLE auth_key");
		db.close();
		for (const answer of [await demo.browser().get(link), await demo.browser().post(link)]) {
			expect(answer.status).toBe(500);
			expect(answer.text).toContain("Something went wrong");
			expect(answer.text).not.toMatch(/auth_key|sqlite|node_modules/i);
		}
		expect(demo.logged.join()).toContain("auth_key");
		expect(demo.logged.join()).not.toContain(link.slice("/sign-in/".length));
	});
});

it("builds links from the configured base URL, whatever the Host header says", async () => {
	const demo = await startDemo();
	const body = `email=${encodeURIComponent(ADA)}`;
	const status = await new Promise((resolve, reject) => {
		request(
			{
				port: demo.port,
				host: "127.0.0.1",
				method: "POST",
				path: "/sign-in",
				headers: {
					Host: "evil.example",
					"X-Forwarded-Host": "evil.example",
					"X-Forwarded-Proto": "https",
					Forwarded: "host=evil.example;proto=https",
					Origin: demo.url,
					"Content-Type": "application/x-www-form-urlencoded",
					"Content-Length": body.length,
				},
			},
			(response) => {
				response.resume();
				resolve(response.statusCode);
			},
		)
			.on("error", reject)
			.end(body);
	});
	expect(status).toBe(200);
	const { text } = await demo.browser().get("/mailbox");
	expect(text).not.toContain("evil");
	expect(linksIn(text)).toEqual([expect.stringMatching(`^${demo.url}/sign-in/`)]);
});
