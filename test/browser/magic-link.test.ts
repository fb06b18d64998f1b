import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { codesIn, type Demo, startDemo } from "../examples/demo.js";
import { heading, launch, openContext, posts, screenshot, withoutChromium } from "./chromium.js";

const ADA = "ada@example.com";

const name = withoutChromium
	? "the demo in Chromium (skipped: there is none; install it or set CHROMIUM_PATH)"
	: "the demo in Chromium";

describe.skipIf(withoutChromium)(name, () => {
	let browser: Browser;
	beforeAll(async () => {
		browser = await launch();
	});
	afterAll(() => browser?.close());

	const open = (options?: BrowserContextOptions) => openContext(browser, options);

	const ask = async (page: Page, demo: Demo) => {
		await page.goto(demo.url);
		await page.getByLabel("Email address").fill(ADA);
		await page.getByRole("button", { name: "Send me a link" }).click();
	};

	describe.each(["light", "dark"] as const)("in %s colors", (colorScheme) => {
		it("goes through the full story", async () => {
			const demo = await startDemo();
			const page = await (await open({ colorScheme })).newPage();
			const shoot = (name: string) => screenshot(page, `${colorScheme}-${name}`);

			await page.goto(demo.url);
			await shoot("01-sign-in");
			await page.getByLabel("Email address").fill("ada at example");
			await page.getByRole("button", { name: "Send me a link" }).click();
			expect(await page.getByLabel("Email address").inputValue()).toBe("ada at example");
			await shoot("02-refused-address");
			await page.goto(`${demo.url}/mailbox`);
			await shoot("03-mailbox-empty");

			await ask(page, demo);
			expect(await heading(page)).toBe("Check your mail");
			await shoot("04-check-your-mail");

			await page.getByRole("link", { name: "the mailbox" }).click();
			await shoot("05-mailbox");
			const link = page.locator("article a").first();
			const href = (await link.getAttribute("href")) ?? "";
			await link.click();
			expect(await heading(page)).toBe("One more step");
			expect(await page.locator("time").innerText()).toMatch(/^(10 min|9 min 5\d s)$/);
			await shoot("06-confirm");
			if (process.env["UPDATE_SCREENSHOT"] && colorScheme === "light") {
				await page.setViewportSize({ width: 800, height: 480 });
				await page.screenshot({ path: "docs/demo.png" });
			}

			await page.getByRole("button", { name: "Sign in" }).click();
			await page.waitForURL(`${demo.url}/`);
			expect(await heading(page)).toBe("You are signed in");
			expect(await page.locator("main").innerText()).toContain("There are none.");
			await shoot("07-home-without-links");

			for (let count = 0; count < 3; count++) {
				await page.goto(demo.url);
				await page.getByRole("button", { name: "Send me another link" }).click();
			}
			await page.goto(demo.url);
			const rows = page.locator("tbody tr");
			expect(await rows.count()).toBe(3);
			await shoot("08-home");

			const before = await rows.first().locator("time").innerText();
			await expect.poll(() => rows.first().locator("time").innerText()).not.toBe(before);

			await rows.first().getByRole("button", { name: "Revoke" }).click();
			await expect.poll(() => rows.count()).toBe(2);
			await page.getByRole("button", { name: "Revoke all" }).click();
			await expect.poll(() => rows.count()).toBe(0);

			await page.goto(href);
			expect(await heading(page)).toBe("This link does not work");
			await shoot("09-used-link");

			await page.goto(demo.url);
			await page.getByRole("button", { name: "Sign out" }).click();
			await expect.poll(() => heading(page)).toBe("Sign in");
			await page.reload();
			expect(await heading(page)).toBe("Sign in");
		});

		it("goes through the story of a code", async () => {
			const demo = await startDemo();
			const page = await (await open({ colorScheme })).newPage();
			const shoot = (name: string) => screenshot(page, `${colorScheme}-code-${name}`);
			const field = page.getByLabel("Code of 8 digits");

			await page.goto(demo.url);
			await page.getByLabel("Email address").fill(ADA);
			await page.getByRole("button", { name: "Send me a code" }).click();
			await page.waitForURL(`${demo.url}/code`);
			expect(await heading(page)).toBe("Enter your code");
			await shoot("1-type");

			// The mailbox in a tab of its own: the code's page stays as it is.
			const mailbox = await page.context().newPage();
			await mailbox.goto(`${demo.url}/mailbox`);
			await screenshot(mailbox, `${colorScheme}-code-2-mailbox`);
			const [code = ""] = codesIn(await mailbox.locator("article .text").innerText());
			expect(code).toMatch(/^\d{4} \d{4}$/);

			await field.fill("1234");
			await page.keyboard.press("Enter");
			await page.getByText("A code has 8 digits.").waitFor();
			const wrong = code === "0000 0000" ? "11111111" : "00000000";
			for (let tries = 1; tries <= 4; tries++) {
				await field.fill(wrong);
				await Promise.all([
					page.waitForEvent("load"),
					page.getByRole("button", { name: "Sign in" }).click(),
				]);
				await page.getByText("That is not the code.").waitFor();
			}
			await shoot("3-wrong");
			await field.fill(wrong);
			await page.getByRole("button", { name: "Sign in" }).click();
			await expect.poll(() => heading(page)).toBe("Request a new code");
			await shoot("4-too-often");

			await page.getByRole("button", { name: "Send me a new code" }).click();
			await expect.poll(() => heading(page)).toBe("Enter your code");
			await mailbox.reload();
			const [newer = ""] = codesIn(await mailbox.locator("article .text").first().innerText());
			await field.pressSequentially(newer);
			await page.getByRole("button", { name: "Sign in" }).click();
			await page.waitForURL(`${demo.url}/`);
			expect(await heading(page)).toBe("You are signed in");

			await page.goto(`${demo.url}/code`);
			expect(await heading(page)).toBe("There is no code to enter");
			await shoot("5-none");

			await page.goto(demo.url);
			await page.getByRole("button", { name: "Send me another link" }).click();
			await page.goto(demo.url);
			await page.getByRole("button", { name: "Send me a code" }).click();
			await page.goto(demo.url);
			const rows = page.locator("tbody tr");
			expect(await rows.locator("th").allInnerTexts()).toEqual([
				expect.stringMatching(/^Link /),
				expect.stringMatching(/^Code /),
			]);
			await shoot("6-home");
			await rows.nth(1).getByRole("button", { name: "Revoke" }).click();
			await expect.poll(() => rows.count()).toBe(1);
		});

		it("has pages for an expired link, a refused request and a mistyped address", async () => {
			// Long enough for a busy machine to load the page first.
			const demo = await startDemo({ expiresIn: 5 });
			const page = await (await open({ colorScheme })).newPage();
			const link = await demo.link(ADA);
			await page.goto(`${demo.url}${link}`);
			await expect
				.poll(() => page.locator("time").innerText(), { timeout: 20_000 })
				.toBe("expired");
			await page.getByRole("button", { name: "Sign in" }).click();
			await expect.poll(() => heading(page)).toBe("This link has expired");
			await screenshot(page, `${colorScheme}-10-expired-link`);
			await page.getByLabel("Email address").fill(ADA);
			await page.getByRole("button", { name: "Send me a new link" }).click();
			await expect.poll(() => heading(page)).toBe("Check your mail");
		});

		it("fits a telephone", async () => {
			const demo = await startDemo();
			const viewport = { width: 320, height: 640 };
			const page = await (await open({ colorScheme, viewport })).newPage();
			const link = await demo.link(ADA);
			await demo.link(ADA);
			await page.goto(`${demo.url}/mailbox`);
			const widths = [await page.evaluate(() => document.documentElement.scrollWidth)];
			await screenshot(page, `${colorScheme}-11-telephone-mailbox`);
			await page.goto(`${demo.url}${link}`);
			widths.push(await page.evaluate(() => document.documentElement.scrollWidth));
			await page.getByRole("button", { name: "Sign in" }).click();
			await page.waitForURL(`${demo.url}/`);
			widths.push(await page.evaluate(() => document.documentElement.scrollWidth));
			await screenshot(page, `${colorScheme}-12-telephone-home`);
			await page.getByRole("button", { name: "Send me a code" }).click();
			await page.waitForURL(`${demo.url}/code`);
			widths.push(await page.evaluate(() => document.documentElement.scrollWidth));
			await screenshot(page, `${colorScheme}-13-telephone-code`);
			for (const width of widths) expect(width).toBeLessThanOrEqual(viewport.width);
		});
	});

	it("can be used by the keyboard alone", async () => {
		const demo = await startDemo();
		const page = await (await open()).newPage();
		const focused = () =>
			page.evaluate(() => {
				const element = document.activeElement as HTMLElement;
				if (element === document.body) return {};
				const label = (element as HTMLInputElement).labels?.[0]?.innerText ?? element.innerText;
				return { label, outline: getComputedStyle(element).outlineStyle };
			});
		/** Presses Tab until the element with that name has the focus, which must be visible. */
		const tabTo = async (label: string) => {
			for (let presses = 0; presses < 20; presses++) {
				await page.keyboard.press("Tab");
				const { label: found, outline } = await focused();
				// Past the last element the focus leaves the page for the browser's own.
				if (found === undefined) continue;
				expect(outline).toBe("solid");
				if (found.startsWith(label)) return;
			}
			throw new Error(`Tab does not get to ${label}`);
		};

		await page.goto(demo.url);
		await tabTo("Email address");
		await page.keyboard.type("ada");
		await page.keyboard.press("Enter");
		// The page that refuses an address puts the focus where it is to be corrected.
		await page.waitForSelector("#email-error");
		expect((await focused()).label).toBe("Email address");
		await page.keyboard.press("End");
		await page.keyboard.type("@example.com");
		await page.keyboard.press("Enter");
		await expect.poll(() => heading(page)).toBe("Check your mail");

		await tabTo("Mailbox");
		await page.keyboard.press("Enter");
		await expect.poll(() => heading(page)).toBe("Mailbox");
		await tabTo(`${demo.url}/sign-in/`);
		await screenshot(page, "keyboard-1-mailbox");
		await page.keyboard.press("Enter");
		await expect.poll(() => heading(page)).toBe("One more step");
		await tabTo("Sign in");
		await screenshot(page, "keyboard-2-confirm");
		await page.keyboard.press("Space");
		await expect.poll(() => heading(page)).toBe("You are signed in");

		await tabTo("Send me another link");
		await page.keyboard.press("Enter");
		await expect.poll(() => heading(page)).toBe("Check your mail");
		await tabTo("Home");
		await page.keyboard.press("Enter");
		await expect.poll(() => page.locator("tbody tr").count()).toBe(1);
		await tabTo("Revoke");
		await screenshot(page, "keyboard-3-revoke");
		await page.keyboard.press("Enter");
		await page.getByText("There are none.").waitFor();
		await tabTo("Sign out");
		await page.keyboard.press("Enter");
		await expect.poll(() => heading(page)).toBe("Sign in");

		await tabTo("Email address");
		await page.keyboard.type(ADA);
		await tabTo("Send me a code");
		await page.keyboard.press("Enter");
		await expect.poll(() => heading(page)).toBe("Enter your code");
		// The page for a code puts the focus on its field.
		expect((await focused()).label).toBe("Code of 8 digits");
		const [code = ""] = codesIn((await demo.browser().get("/mailbox")).text);
		await page.keyboard.type(code);
		await screenshot(page, "keyboard-4-code");
		await page.keyboard.press("Enter");
		await expect.poll(() => heading(page)).toBe("You are signed in");
	});

	it("a double click on the code's button sends it once and signs in", async () => {
		const demo = await startDemo();
		const page = await (await open()).newPage();
		await page.route("**/code/use", async (route) => {
			await sleep(200);
			await route.continue();
		});
		const sent = posts(page);
		await page.goto(demo.url);
		await page.getByLabel("Email address").fill(ADA);
		await page.getByRole("button", { name: "Send me a code" }).click();
		await page.waitForURL(`${demo.url}/code`);
		const [code = ""] = codesIn((await demo.browser().get("/mailbox")).text);
		await page.getByLabel("Code of 8 digits").fill(code);
		await page.getByRole("button", { name: "Sign in" }).dblclick({ delay: 20 });
		await page.waitForURL(`${demo.url}/`);
		await sleep(100);
		expect(await heading(page)).toBe("You are signed in");
		expect(sent).toHaveLength(2);
	});

	it("a double click on the link's button sends it once and signs in", async () => {
		for (const delay of [0, 200]) {
			const demo = await startDemo();
			const page = await (await open()).newPage();
			// A slow network, so that the second click falls before the answer.
			await page.route("**/sign-in/*", async (route) => {
				if (route.request().method() === "POST") await sleep(delay);
				await route.continue();
			});
			const sent = posts(page);
			await page.goto(`${demo.url}${await demo.link(ADA)}`);
			await page.getByRole("button", { name: "Sign in" }).dblclick({ delay: 20 });
			await page.waitForURL(`${demo.url}/`);
			await sleep(100);
			expect(await heading(page)).toBe("You are signed in");
			expect(sent).toHaveLength(1);
		}
	});

	it("a second press without scripts, once the first was answered, says who is signed in", async () => {
		const demo = await startDemo();
		const context = await open({ javaScriptEnabled: false });
		const link = `${demo.url}${await demo.link(ADA)}`;
		const [first, second] = [await context.newPage(), await context.newPage()];
		await first.goto(link);
		await second.goto(link);
		await first.getByRole("button", { name: "Sign in" }).click();
		await first.waitForURL(`${demo.url}/`);
		await second.getByRole("button", { name: "Sign in" }).click();
		await second.getByText("You are already signed in").waitFor();
		await screenshot(second, "signed-in-already");
		await second.getByRole("link", { name: "Go to your page" }).click();
		await second.waitForURL(`${demo.url}/`);
		expect(await heading(second)).toBe("You are signed in");
	});

	it.each(["one browser", "two browsers"])(
		"one of two tabs in %s that press the button at once signs in, and the other shows the used page",
		async (browsers) => {
			const demo = await startDemo();
			for (let round = 0; round < 5; round++) {
				const link = `${demo.url}${await demo.link(ADA)}`;
				const first = await open();
				const second = browsers === "one browser" ? first : await open();
				const tabs = [await first.newPage(), await second.newPage()];
				await Promise.all(tabs.map((tab) => tab.goto(link)));
				await Promise.all(
					tabs.map(async (tab) => {
						await tab.getByRole("button", { name: "Sign in" }).click();
						await expect.poll(() => heading(tab)).not.toBe("One more step");
					}),
				);
				const headings = await Promise.all(tabs.map(heading));
				expect(headings.sort()).toEqual(["This link does not work", "You are signed in"]);
				if (round === 0) {
					await Promise.all(tabs.map((tab, index) => screenshot(tab, `tab-${index + 1}`)));
				}
			}
		},
	);

	it("sends a null Origin from a page without referrer, which is accepted as the app's own", async () => {
		const demo = await startDemo();
		const page = await (await open()).newPage();
		const sent = posts(page);
		await page.goto(`${demo.url}${await demo.link(ADA)}`);
		await page.getByRole("button", { name: "Sign in" }).click();
		await page.waitForURL(`${demo.url}/`);
		const headers = await sent[0]?.allHeaders();
		expect(headers?.["origin"]).toBe("null");
		expect(headers?.["sec-fetch-site"]).toBe("same-origin");
		expect(headers?.["referer"]).toBeUndefined();
	});

	it("refuses the forms of a foreign page and of its sandboxed frame, and the link stays good", async () => {
		const demo = await startDemo();
		const link = `${demo.url}${await demo.link(ADA)}`;
		const form = `<form method=post action="${link}"><button>Win</button></form>`;
		const evil = createServer((request, response) => {
			response.setHeader("Content-Type", "text/html");
			response.setHeader("Referrer-Policy", "no-referrer");
			response.end(
				request.url === "/framed"
					? `<iframe sandbox="allow-forms allow-top-navigation" srcdoc='<base target=_top>${form}'></iframe>`
					: form,
			);
		}).listen(0, "127.0.0.1");
		onTestFinished(() => void evil.close());
		await once(evil, "listening");
		const { port } = evil.address() as AddressInfo;
		const page = await (await browser.newContext()).newPage();
		const sent = posts(page);
		// Another port on localhost is the same site, and 127.0.0.1 is another.
		for (const host of ["localhost", "127.0.0.1"]) {
			await page.goto(`http://${host}:${port}/`);
			await page.getByRole("button").click();
			await expect.poll(() => heading(page)).toBe("This request was refused");
			await page.goto(`http://${host}:${port}/framed`);
			await page.frameLocator("iframe").getByRole("button").click();
			await expect.poll(() => heading(page)).toBe("This request was refused");
		}
		await screenshot(page, "refused-request");
		const origins = await Promise.all(
			sent.map(async (request) => (await request.allHeaders())["origin"]),
		);
		expect(origins).toEqual(Array(4).fill("null"));
		expect((await demo.browser().get(new URL(link).pathname)).status).toBe(200);
		await page.context().close();
	});
});
