import Database from "libsql";
import { setTimeout as sleep } from "node:timers/promises";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { heading, launch, openContext, posts, screenshot, withoutChromium } from "./chromium.js";
import { type App, FRAMEWORKS, notInstalled, startApp } from "./framework-app.js";

const ADA = "ada@example.com";

describe.each(FRAMEWORKS)("the $name example", (framework) => {
	const skipped =
		(withoutChromium && "install Chromium or set CHROMIUM_PATH") ||
		(notInstalled(framework) && `first npm ci --prefix examples/${framework.name}`);

	describe.skipIf(skipped)(skipped ? `in Chromium (skipped: ${skipped})` : "in Chromium", () => {
		let browser: Browser;
		let app: App;
		beforeAll(async () => {
			browser = await launch();
			app = await startApp(framework);
		}, 300_000);
		afterAll(async () => {
			await browser?.close();
			await app?.stop();
		});

		const open = (options?: BrowserContextOptions) =>
			openContext(browser, options, new RegExp(`status of (${framework.deadLink}|422)`));

		const shoot = (page: Page, name: string) => screenshot(page, `${framework.name}-${name}`);

		const link = (email = ADA) => app.link(email);

		const signIn = (page: Page) => page.getByRole("button", { name: "Sign in" }).click();

		const sessionOf = async (page: Page) =>
			(await page.context().cookies()).find(({ name }) => name === "auth_session");

		const rows = (table: string): string => {
			const db = new Database(app.dataFile);
			const found = JSON.stringify(db.prepare(`SELECT * FROM ${table} ORDER BY id`).all());
			db.close();
			return found;
		};

		it.each(["with", "without"])("goes through the full story %s scripts", async (scripts) => {
			const page = await (await open({ javaScriptEnabled: scripts === "with" })).newPage();
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
			expect(await heading(page)).toBe("Sign in");
			await shoot(page, "1-sign-in");
			await page.getByLabel("Email address").fill(ADA);
			await page.getByRole("button", { name: "Send me a link" }).click();
			await expect.poll(() => heading(page)).toBe("Check your mail");
			await shoot(page, "2-check-your-mail");
			await page.getByRole("link", { name: "the mailbox" }).click();
			await expect.poll(() => heading(page)).toBe("Mailbox");
			await shoot(page, "3-mailbox");
			const mailed = page.locator("article a").first();
			const href = (await mailed.getAttribute("href")) ?? "";

			await mailed.click();
			await expect.poll(() => heading(page)).toBe("One more step");
			expect(await page.locator("strong").innerText()).toBe(ADA);
			await shoot(page, "4-confirm");
			await signIn(page);
			await page.waitForURL(`${app.url}/`);
			await expect.poll(() => heading(page)).toBe("You are signed in");
			expect(await page.locator("strong").innerText()).toBe(ADA);
			await shoot(page, "5-home");
			await page.reload();
			expect(await heading(page)).toBe("You are signed in");

			expect((await page.goto(href))?.status()).toBe(framework.deadLink);
			expect(await heading(page)).toBe("This link does not work");
			expect(await page.locator("strong").innerText()).toBe(ADA);
			await shoot(page, "6-used-link");

			await page.getByRole("link", { name: "Go to your page" }).click();
			await page.getByRole("button", { name: "Sign out" }).click();
			await expect.poll(() => heading(page)).toBe("Sign in");
			await page.reload();
			expect(await heading(page)).toBe("Sign in");
			expect(rows("auth_session")).toBe("[]");

			// The site alone, and never a link.
			const sent = new Set(await Promise.all(referrers));
			sent.delete(undefined);
			expect([...sent]).toEqual([`${app.url}/`]);
		});

		it("changes nothing when a link is opened, however often, and keeps its page to itself", async () => {
			const href = await link();
			const before = rows("auth_key");
			for (let time = 0; time < 2; time++) {
				const page = await (await open()).newPage();
				const answer = await page.goto(href);
				expect(await heading(page)).toBe("One more step");
				expect(await sessionOf(page)).toBeUndefined();
				const headers = await answer?.allHeaders();
				expect(headers?.["referrer-policy"]).toBe("strict-origin");
				expect(headers?.["cache-control"]).toContain("no-store");
				expect(headers?.["content-security-policy"]).toContain("frame-ancestors 'none'");
			}
			expect(rows("auth_key")).toBe(before);
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
				const href = await link();
				const sent = posts(page);
				await page.goto(href);
				await page.getByRole("button", { name: "Sign in" }).dblclick({ delay: 20 });
				await page.waitForURL(`${app.url}/`);
				await expect.poll(() => heading(page)).toBe("You are signed in");
				expect(sent).toHaveLength(1);
			},
		);

		it.each(["one browser", "two browsers"])(
			"one of two tabs in %s that press the button at once signs in, and the other shows the used page",
			async (browsers) => {
				for (let round = 0; round < 3; round++) {
					const href = await link();
					const first = await open();
					const second = browsers === "one browser" ? first : await open();
					const tabs = [await first.newPage(), await second.newPage()];
					await Promise.all(tabs.map((tab) => tab.goto(href)));
					await Promise.all(
						tabs.map(async (tab) => {
							await signIn(tab);
							await expect.poll(() => heading(tab)).not.toBe("One more step");
						}),
					);
					const headings = await Promise.all(tabs.map(heading));
					expect(headings.sort()).toEqual(["This link does not work", "You are signed in"]);
				}
			},
		);

		it("replaces the browser's session with a new one", async () => {
			const page = await (await open()).newPage();
			await page.goto(await link());
			await signIn(page);
			await page.waitForURL(`${app.url}/`);
			const former = (await sessionOf(page))?.value ?? "";
			expect(rows("auth_session")).toContain(former);
			await page.goto(await link("grace@example.com"));
			await signIn(page);
			await page.waitForURL(`${app.url}/`);
			await expect.poll(() => page.locator("strong").innerText()).toBe("grace@example.com");
			expect((await sessionOf(page))?.value).not.toBe(former);
			expect(rows("auth_session")).not.toContain(former);
		});

		it("uses up a user's other links with the one that signs in", async () => {
			const [other, href] = [await link(), await link()];
			const page = await (await open()).newPage();
			await page.goto(href);
			await signIn(page);
			await page.waitForURL(`${app.url}/`);
			await page.goto(other);
			expect(await heading(page)).toBe("This link does not work");
		});

		it("has a page for a link that was never sent, which leads to a new one", async () => {
			const page = await (await open()).newPage();
			const answer = await page.goto(`${app.url}/sign-in/unknown`);
			expect(answer?.status()).toBe(framework.deadLink);
			expect(await heading(page)).toBe("This link does not work");
			await page.getByRole("link", { name: "Request a new link" }).click();
			await expect.poll(() => heading(page)).toBe("Sign in");
		});

		it("sends nothing to what is no email address", async () => {
			const page = await (await open()).newPage();
			await page.goto(app.url);
			await page.getByLabel("Email address").fill("ada@example.com,eve@example.com");
			const users = rows("auth_user");
			await page.locator("form").evaluate((form: HTMLFormElement) => (form.noValidate = true));
			await page.getByRole("button", { name: "Send me a link" }).click();
			await page.getByText("That is not an email address.").waitFor();
			expect(rows("auth_user")).toBe(users);
		});

		it("refuses forms of foreign pages, and the link stays good", async () => {
			const href = await link();
			const page = await (await open()).newPage();
			const sent = posts(page);
			await page.goto(href);
			await signIn(page);
			await page.waitForURL(`${app.url}/`);
			const [request] = sent;

			const second = await link();
			for (const origin of ["https://evil.example", "null"]) {
				const answer = await fetch(request?.url().replace(href, second) ?? "", {
					method: "POST",
					redirect: "manual",
					headers: { "Content-Type": "application/x-www-form-urlencoded", Origin: origin },
					body: new URLSearchParams({ token: second.split("/").at(-1) ?? "" }),
				});
				expect(answer.status).toBe(403);
				expect(answer.headers.getSetCookie()).toEqual([]);
			}
			await page.goto(second);
			expect(await heading(page)).toBe("One more step");
		});
	});
});
