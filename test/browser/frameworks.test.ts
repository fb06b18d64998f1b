import Database from "libsql";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { idToken } from "../../src/index.js";
import { betterSqlite3 } from "../../src/stores/better-sqlite3.js";
import { heading, launch, openContext, posts, screenshot, withoutChromium } from "./chromium.js";
import {
	type App,
	buildApp,
	failToStart,
	FRAMEWORKS,
	type Framework,
	notInstalled,
	startApp,
} from "./framework-app.js";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const DAY = 1000 * 60 * 60 * 24;

// The mail server is down for the first mail to this address.
const UNLUCKY = "unlucky@example.com";
const FAILING_MAIL = `
	const { unshift } = Array.prototype;
	let failed = false;
	Array.prototype.unshift = function (...items) {
		if (!failed && items[0]?.to === "${UNLUCKY}") {
			failed = true;
			throw new Error("The mail server is down");
		}
		return unshift.apply(this, items);
	};`;

// Days pass in a fifth of a second.
const SHORT_DAYS = `
	const { setInterval } = globalThis;
	globalThis.setInterval = (work, time, ...rest) =>
		setInterval(work, time === ${DAY} ? 200 : time, ...rest);`;

// An address of its own for each link, because a user waits a minute for the next one.
let users = 0;
const someone = () => `user-${++users}@example.com`;

/** A handler on an app's own database, for links that the app would take minutes for. */
const linksOf = async <Result>(
	dataFile: string,
	work: (links: ReturnType<typeof idToken>, userIdOf: (email: string) => string) => Promise<Result>,
): Promise<Result> => {
	const db = new Database(dataFile);
	db.pragma("busy_timeout = 5000");
	const user = db.prepare("SELECT id FROM auth_user WHERE email = ?");
	const links = idToken(betterSqlite3(db), "magic-link", { storeToken: "hashed", expiresIn: 600 });
	try {
		return await work(links, (email) => (user.get(email) as { id: string }).id);
	} finally {
		db.close();
	}
};

/** Issues a link, besides those that the app has sent. */
const issue = (app: App, email: string, expiresIn?: number): Promise<string> =>
	linksOf(app.dataFile, async (links, userIdOf) => {
		const options = expiresIn === undefined ? {} : { expiresIn };
		return `${app.url}/sign-in/${await links.issue(userIdOf(email), options)}`;
	});

const rows = ({ dataFile }: App, table: string): string => {
	const db = new Database(dataFile);
	const found = JSON.stringify(db.prepare(`SELECT * FROM ${table} ORDER BY id`).all());
	db.close();
	return found;
};

const skip = (framework: Framework): string | false =>
	(withoutChromium && "install Chromium or set CHROMIUM_PATH") ||
	(notInstalled(framework) && `first npm ci --prefix examples/${framework}`);

describe.each(FRAMEWORKS)("the %s example", (framework) => {
	const skipped = skip(framework);
	const title = skipped ? `(skipped: ${skipped})` : "";

	describe.skipIf(skipped)(`built ${title}`, () => {
		let browser: Browser;
		let app: App;
		beforeAll(async () => {
			browser = await launch();
			await buildApp(framework);
			app = await startApp(framework, { preload: FAILING_MAIL });
		}, 300_000);
		afterAll(async () => {
			await browser?.close();
			await app?.stop();
		});

		const open = (options?: BrowserContextOptions) => openContext(browser, options);

		const shoot = (page: Page, name: string) => screenshot(page, `${framework}-${name}`);

		const press = (page: Page, name: string) => page.getByRole("button", { name }).click();

		const sees = (page: Page, text: string) => expect.poll(() => heading(page)).toBe(text);

		const address = (page: Page) => page.getByLabel("Email address").inputValue();

		const sessionOf = async (page: Page) =>
			(await page.context().cookies()).find(({ name }) => name === "auth_session");

		/** Opens a page on which scripts have loaded, if they are on. */
		const settle = async (page: Page, path: string) =>
			page.goto(new URL(path, app.url).href, { waitUntil: "networkidle" });

		/** Opens a link and signs in with it. */
		const signIn = async (page: Page, href: string) => {
			await page.goto(href);
			await press(page, "Sign in");
			await sees(page, "You are signed in");
		};

		describe.each(["with", "without"])("%s scripts", (scripts) => {
			const javaScriptEnabled = scripts === "with";
			const newPage = async () => (await open({ javaScriptEnabled })).newPage();

			it("goes through the full story", async () => {
				const email = someone();
				const page = await newPage();
				// One that the next page cuts off has no headers to tell of.
				const referrers: Promise<string | undefined>[] = [];
				page.on("request", (request) =>
					referrers.push(
						request.allHeaders().then(
							({ referer }) => referer,
							() => undefined,
						),
					),
				);

				await page.goto(app.url);
				await sees(page, "Sign in");
				await shoot(page, "1-sign-in");
				await page.getByLabel("Email address").fill(email);
				await press(page, "Send me a link");
				await sees(page, "Check your mail");
				expect(await page.locator("strong").innerText()).toBe(email);
				await shoot(page, "2-check-your-mail");
				await page.getByRole("link", { name: "the mailbox" }).click();
				await sees(page, "Mailbox");
				await shoot(page, "3-mailbox");
				const mailed = page.locator("article a").first();
				const href = (await mailed.getAttribute("href")) ?? "";

				await mailed.click();
				await sees(page, "One more step");
				expect(await page.locator("strong").innerText()).toBe(email);
				await shoot(page, "4-confirm");
				await press(page, "Sign in");
				await sees(page, "You are signed in");
				expect(page.url()).toBe(`${app.url}/`);
				expect(await page.locator("strong").innerText()).toBe(email);
				await shoot(page, "5-home");
				const session = (await sessionOf(page))?.value ?? "";
				expect(rows(app, "auth_session")).toContain(session);
				await page.reload();
				await sees(page, "You are signed in");

				expect((await page.goto(href))?.status()).toBe(410);
				await sees(page, "You are signed in already");
				expect(await page.locator("strong").innerText()).toBe(email);
				await shoot(page, "6-used-link");

				await page.getByRole("link", { name: "Go on" }).click();
				await press(page, "Sign out");
				await sees(page, "Sign in");
				await page.reload();
				await sees(page, "Sign in");
				expect(rows(app, "auth_session")).not.toContain(session);

				// The site alone, and never a link.
				const sent = new Set(await Promise.all(referrers));
				sent.delete(undefined);
				expect([...sent]).toEqual([`${app.url}/`]);
			});

			it("goes back to the page that asked to sign in", async () => {
				const page = await newPage();
				await settle(page, "/account");
				await sees(page, "Sign in");
				const email = someone();
				await page.getByLabel("Email address").fill(email);
				await press(page, "Send me a link");
				await sees(page, "Check your mail");
				await page.goto((await app.links())[0] ?? "");
				await press(page, "Sign in");
				await sees(page, "Your account");
				expect(await page.locator("strong").innerText()).toBe(email);
			});

			it("keeps what was typed for an address, and sends nothing there", async () => {
				const page = await newPage();
				await settle(page, "/?next=/account");
				const typed = `ada@example.com,"><b>eve@example.com`;
				// Browsers refuse it, too, unless they are told not to.
				await page.locator("input[type=email]").evaluate((input: HTMLInputElement) => {
					input.form?.setAttribute("novalidate", "");
				});
				await page.getByLabel("Email address").fill(typed);
				const before = rows(app, "auth_user");
				await press(page, "Send me a link");
				await page.getByText("That is not an email address.").waitFor();
				expect(await address(page)).toBe(typed);
				expect(await page.locator("input[name=next]").inputValue()).toBe("/account");
				expect(rows(app, "auth_user")).toBe(before);
			});

			it("sends no second mail when the page after the form is reloaded", async () => {
				const page = await newPage();
				await settle(page, "/");
				const email = `o'neil&sons+${scripts}@example.com`;
				await page.getByLabel("Email address").fill(email);
				await press(page, "Send me a link");
				await sees(page, "Check your mail");
				const sent = posts(page);
				await page.reload();
				await sees(page, "Check your mail");
				expect(await page.locator("strong").innerText()).toBe(email);
				expect(sent).toEqual([]);
			});

			it("says who is signed in where a link has been used: by Back, and by a reload", async () => {
				const email = someone();
				const page = await newPage();
				await signIn(
					page,
					await app.link(email, "/account?a=b").then((link) => link.split("?")[0] ?? ""),
				);
				await page.goBack();
				await sees(page, "You are signed in already");
				await page.reload();
				await sees(page, "You are signed in already");
				expect(await page.locator("main").innerText()).toContain(`You are signed in as ${email}`);
				await page.getByRole("link", { name: "Go on" }).click();
				await sees(page, "You are signed in");
			});

			it("offers a new link where one has expired, for the same address and the same page", async () => {
				const email = someone();
				await app.link(email);
				const page = await newPage();
				const expired = await issue(app, email, 0);
				expect((await settle(page, `${expired}?next=/account`))?.status()).toBe(410);
				await sees(page, "This link does not work");
				expect(await address(page)).toBe(email);
				expect(await page.locator("input[name=next]").inputValue()).toBe("/account");
				await page.getByLabel("Email address").fill(someone());
				await press(page, "Send me a link");
				await sees(page, "Check your mail");
			});

			it("does the same where a link expires before the button is pressed", async () => {
				const email = someone();
				await app.link(email);
				const page = await newPage();
				await settle(page, await issue(app, email, 2));
				await sees(page, "One more step");
				await sleep(2100);
				await press(page, "Sign in");
				await sees(page, "This link does not work");
				expect(await address(page)).toBe(email);
			});

			it("can be used by the keyboard alone", async () => {
				const page = await newPage();
				const tabTo = async (name: string) => {
					for (let presses = 0; presses < 10; presses++) {
						await page.keyboard.press("Tab");
						const focused = page.locator(":focus");
						// Past the last element the focus leaves the page for the browser's own.
						if ((await focused.count()) === 0) continue;
						const [label, outline] = await focused.evaluate((element: HTMLInputElement) => [
							element.labels?.[0]?.innerText ?? element.innerText,
							getComputedStyle(element).outlineStyle,
						]);
						expect(outline).not.toBe("none");
						if (label?.startsWith(name)) return;
					}
					throw new Error(`Tab does not get to ${name}`);
				};

				await settle(page, "/");
				await tabTo("Email address");
				await page.keyboard.type(someone());
				await page.keyboard.press("Enter");
				await sees(page, "Check your mail");
				await tabTo("the mailbox");
				await page.keyboard.press("Enter");
				await sees(page, "Mailbox");
				await tabTo(`${app.url}/sign-in/`);
				await page.keyboard.press("Enter");
				await sees(page, "One more step");
				await tabTo("Sign in");
				await page.keyboard.press("Space");
				await sees(page, "You are signed in");
				await tabTo("Your account");
				await page.keyboard.press("Enter");
				await sees(page, "Your account");
				await tabTo("Home");
				await page.keyboard.press("Enter");
				await sees(page, "You are signed in");
				await tabTo("Sign out");
				await page.keyboard.press("Enter");
				await sees(page, "Sign in");
			});
		});

		it.each(["light", "dark"] as const)(
			"has pages that everyone can use, each with its title, on a telephone in %s colors",
			async (colorScheme) => {
				const page = await (
					await openContext(
						browser,
						{ colorScheme, viewport: { width: 390, height: 844 }, bypassCSP: true },
						/status of (404|410|422)/,
					)
				).newPage();
				const check = async (expected: string) => {
					await sees(page, expected);
					await expect.poll(() => page.title()).toBe(expected);
					expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
					expect(await page.locator("meta[name=viewport]").count()).toBe(1);
					await page.evaluate(AXE);
					const violations = await page.evaluate(async () => {
						const { axe } = globalThis as unknown as {
							axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
						};
						return (await axe.run()).violations.map(({ id, nodes }) => [id, nodes[0]?.html]);
					});
					expect(violations).toEqual([]);
				};

				const email = `${"a".repeat(50)}.${colorScheme}@${"b".repeat(63)}.example`;
				await settle(page, "/");
				await check("Sign in");
				await page.locator("form").evaluate((form: HTMLFormElement) => (form.noValidate = true));
				await press(page, "Send me a link");
				await page.getByText("That is not an email address.").waitFor();
				await check("Sign in");
				await page.getByLabel("Email address").fill(email);
				await press(page, "Send me a link");
				await check("Check your mail");
				await page.goto(`${app.url}/mailbox`);
				await check("Mailbox");
				const href = (await app.links())[0] ?? "";
				await page.goto(`${app.url}/sign-in/unknown`);
				await check("This link does not work");
				await page.goto(href);
				await check("One more step");
				await press(page, "Sign in");
				await check("You are signed in");
				await page.goto(`${app.url}/account`);
				await check("Your account");
				await page.goto(href);
				await check("You are signed in already");
				expect((await page.goto(`${app.url}/nothing`))?.status()).toBe(404);
				await check("Not Found");
			},
		);

		it("changes nothing when a link is opened, however often, and keeps its page to itself", async () => {
			const href = await app.link(someone());
			const before = rows(app, "auth_key");
			for (const method of ["GET", "HEAD", "GET"]) {
				const { status, headers } = await app.request(href, { method });
				expect(status).toBe(200);
				expect(headers.getSetCookie()).toEqual([]);
				expect(headers.get("referrer-policy")).toBe("strict-origin");
				expect(headers.get("cache-control")).toContain("no-store");
				expect(headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
			}
			expect(rows(app, "auth_key")).toBe(before);
			expect(before).not.toContain(new URL(href).pathname.split("/").at(-1));
		});

		it.each([0, 200])(
			"a double click sends the link once and signs in, on a network of %i ms",
			async (delay) => {
				const page = await (await open()).newPage();
				await page.route("**/sign-in**", async (route) => {
					if (route.request().method() === "POST") await sleep(delay);
					await route.continue();
				});
				const href = await app.link(someone());
				const sent = posts(page);
				await page.goto(href);
				await page.getByRole("button", { name: "Sign in" }).dblclick({ delay: 20 });
				await sees(page, "You are signed in");
				expect(sent).toHaveLength(1);
			},
		);

		it.each([
			["one browser", ["You are signed in", "You are signed in already"]],
			["two browsers", ["This link does not work", "You are signed in"]],
		])(
			"of two tabs in %s that press the button at once, one signs in",
			async (browsers, expected) => {
				for (let round = 0; round < 3; round++) {
					const href = await app.link(someone());
					const first = await open();
					const second = browsers === "one browser" ? first : await open();
					const tabs = [await first.newPage(), await second.newPage()];
					await Promise.all(tabs.map((tab) => tab.goto(href, { waitUntil: "networkidle" })));
					await Promise.all(
						tabs.map(async (tab) => {
							await press(tab, "Sign in");
							await expect.poll(() => heading(tab)).not.toBe("One more step");
						}),
					);
					// The slower one may be too early to see the session of the faster one.
					if (browsers === "one browser") {
						for (const tab of tabs) {
							if ((await heading(tab)) === "This link does not work") await tab.reload();
						}
					}
					const headings = await Promise.all(tabs.map(heading));
					expect(headings.sort()).toEqual(expected);
				}
			},
		);

		it("replaces the browser's session with a new one", async () => {
			const page = await (await open()).newPage();
			await signIn(page, await app.link(someone()));
			const former = (await sessionOf(page))?.value ?? "";
			expect(rows(app, "auth_session")).toContain(former);
			const email = someone();
			await signIn(page, await app.link(email));
			await expect.poll(() => page.locator("strong").innerText()).toBe(email);
			expect((await sessionOf(page))?.value).not.toBe(former);
			expect(rows(app, "auth_session")).not.toContain(former);
		});

		it("revokes a user's other links with the one that signs in", async () => {
			const email = someone();
			const href = await app.link(email);
			const other = await issue(app, email);
			expect((await app.request(other)).status).toBe(200);
			await app.submit(await app.form(href, "Sign in"));
			expect((await app.request(other)).status).toBe(410);
		});

		it("keeps a user's link good, however often a stranger requests one, and says nothing of it", async () => {
			const email = someone();
			const responses: unknown[] = [];
			for (let time = 0; time < 5; time++) {
				const response = await app.ask(email);
				responses.push([
					response.status,
					response.headers.get("location"),
					response.headers.getSetCookie().map((line) => line.replace(/Expires=[^;]*/, "")),
					await response.text(),
				]);
			}
			expect(responses[0]).toEqual([303, "/sent", [expect.stringContaining("asked=")], ""]);
			expect(new Set(responses.map((response) => JSON.stringify(response))).size).toBe(1);
			const mailbox = await (await app.request("/mailbox")).text();
			expect(mailbox.replaceAll("<!-- -->", "").split(`To ${email}`)).toHaveLength(2);
			expect((await app.request((await app.links())[0] ?? "")).status).toBe(200);
		});

		it("lets a user request a link at once if the mail could not be sent", async () => {
			const before = await app.links();
			const response = await app.ask(UNLUCKY);
			expect(await response.text()).toContain("The mail could not be sent.");
			expect(await app.links()).toEqual(before);
			expect((await app.ask(UNLUCKY)).headers.get("location")).toBe("/sent");
			expect(await app.links()).toHaveLength(before.length + 1);
		});

		it.each([
			["/account?a=b", "/account?a=b"],
			["account", "/account"],
			["//evil.example", "/"],
			["/\\evil.example", "/"],
			["/\t/evil.example", "/"],
			["/.//evil.example", "/"],
			["//[", "/"],
			["https://evil.example", "/"],
			["javascript:alert(1)", "/"],
			["", "/"],
		])("goes on from %j to %j after a sign-in", async (next, path) => {
			const [href = ""] = (await app.link(someone())).split("?");
			const form = await app.form(`${href}?next=${encodeURIComponent(next)}`, "Sign in");
			if (form.body.has("next")) form.body.set("next", next);
			const response = await app.submit(form);
			expect(response.status).toBe(303);
			expect(response.headers.get("location")).toBe(path);
			expect(response.headers.getSetCookie().join()).toContain("auth_session=");
		});

		it("refuses forms of foreign pages, and the link stays good", async () => {
			const href = await app.link(someone());
			for (const headers of [{ Origin: "https://evil.example" }, { Origin: "null" }, {}]) {
				const response = await app.submit(await app.form(href, "Sign in"), {}, headers);
				expect(response.status).toBe(403);
				expect(response.headers.getSetCookie()).toEqual([]);
			}
			expect((await app.request(href)).status).toBe(200);
		});

		it("shows a forged cookie as text", async () => {
			const response = await app.request("/sent", {
				headers: { Cookie: `asked=${encodeURIComponent("<script>")}` },
			});
			const page = await response.text();
			expect(page).toContain("<strong>&lt;script");
		});

		it("responds to no URL and no body with a 500", async () => {
			const href = await app.link(someone());
			const urls = ["/sign-in/%E0%A4%A", "/%E0%A4%A", "/sign-in/%00", "/sign-in/a%2Fb", "/nothing"];
			urls.push("/?next=%E0%A4%A", "/?next=a&next=b", `${href}?next=%E0%A4%A`, "/sign-in/");
			const { url: ask } = await app.form("/", "Send me a link");
			const { url: use } = await app.form(href, "Sign in");
			const multipart = (end = "") => ({ "Content-Type": `multipart/form-data${end}` });
			const fields = new FormData();
			fields.append("email", "a@example.com");
			fields.append("email", new Blob(["b"]), "c");
			fields.append("next", new Blob(["b"]), "c");
			const unknown = new FormData();
			unknown.append(`$ACTION_ID_${"a".repeat(42)}`, "");
			const bodies: RequestInit[] = [
				{},
				{ body: "{", headers: { "Content-Type": "application/json" } },
				{ body: new Blob(["abc"]) }, // without Content-Type
				{ body: "abc" },
				{ body: "abc", headers: multipart() },
				{ body: "abc", headers: multipart("; boundary=x") },
				{ body: "--x\r\nContent-Disposition: form-data", headers: multipart("; boundary=x") },
				{ body: new URLSearchParams({ email: "a".repeat(3_000_000) }) },
				{ body: fields },
				{ body: unknown },
				{ body: "[]", headers: { "Next-Action": "a".repeat(42) } },
				{ body: "[]", headers: { "Next-Action": "__proto__" } },
			];
			const failures: unknown[] = [];
			const send = async (url: string, init: RequestInit) => {
				const { status } = await app.request(url, init);
				if (status >= 500) failures.push([status, init.method, url, init.body, init.headers]);
			};
			for (const url of [...urls, ask, use]) {
				for (const method of ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"]) {
					await send(url, { method, headers: { Origin: app.url } });
				}
				for (const body of bodies) {
					const headers = { Origin: app.url, ...(body.headers as Record<string, string>) };
					await send(url, { ...body, method: "POST", headers });
				}
			}
			expect(failures).toEqual([]);
			expect((await app.request("/")).status).toBe(200);
		});

		it("deletes expired tokens at its start, and once a day", async () => {
			const first = await startApp(framework, { preload: SHORT_DAYS });
			onTestFinished(() => first.stop());
			const email = someone();
			await first.link(email);
			const expired = (app: App) =>
				linksOf(app.dataFile, async (links, userIdOf) =>
					(await links.getAllUserTokens(userIdOf(email))).filter((token) => token.expired),
				);
			await issue(first, email, 0);
			await expect.poll(() => expired(first)).toEqual([]);

			// Its days are long.
			await issue(app, await app.ask(email).then(() => email), 0);
			expect(await expired(app)).toHaveLength(1);
			const second = await startApp(framework, { dataFile: app.dataFile });
			onTestFinished(() => second.stop());
			await expect.poll(() => expired(app)).toEqual([]);
		});

		it("does not start with an ORIGIN that is none, and says what to set", async () => {
			await expect(failToStart(framework, "https://example.com/")).rejects.toThrow(
				"ORIGIN=https://example.com\n",
			);
			await expect(failToStart(framework, "example.com")).rejects.toThrow(/ORIGIN/);
		});
	});

	it.skipIf(skipped)(
		`works in development, at the PORT that you set ${title}`,
		async () => {
			const app = await startApp(framework, { script: "dev" });
			onTestFinished(() => app.stop());
			const href = await app.link(someone());
			expect(new URL(href).origin).toBe(app.url);
			const used = await app.submit(await app.form(href, "Sign in"));
			expect(used.status).toBe(303);
			expect(used.headers.getSetCookie().join()).toContain("auth_session=");
			expect((await app.request(href)).status).toBe(410);
		},
		120_000,
	);
});
