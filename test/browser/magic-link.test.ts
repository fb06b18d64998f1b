import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { type App, startApp } from "../examples/app.js";
import { codeIn, pathIn } from "../examples/smtp.js";
import { expectAccessible } from "./axe.js";
import * as chromium from "./chromium.js";
import { focused, heading, withoutChromium } from "./chromium.js";

const PASSWORD = "a good password";
const OTHER = "another good password";
const EMAIL = "Email address";
const CODE = "Code of eight digits";
const REFUSED = /status of (400|403|404|409|410|422|429)/;

const skipped = withoutChromium ? " (skipped: install Chromium or set CHROMIUM_PATH)" : "";
// Busy machines take a second or two for each check by axe.
describe.skipIf(withoutChromium)(`the app in Chromium${skipped}`, { timeout: 180_000 }, () => {
	let browser: Browser;
	let app: App;
	beforeAll(async () => {
		[browser, app] = await Promise.all([chromium.launch(), startApp()]);
	});
	afterAll(async () => {
		await browser?.close();
		await app?.close();
	});

	/** A page in a browser of its own. What it complains about, such as a CSP violation, fails the test. */
	const open = async (options: BrowserContextOptions = {}): Promise<Page> =>
		(await chromium.openContext(browser, { baseURL: app.origin, ...options }, REFUSED)).newPage();

	// An address of its own for each test, because the next mail waits for a minute.
	let users = 0;
	const someone = () => `user-${++users}@example.com`;

	const sees = (page: Page, title: string) => expect.poll(() => heading(page)).toBe(title);

	const setCookie = (page: Page, name: string, value = "") =>
		page.context().addCookies([{ name, value, url: app.origin }]);

	const signIn = (page: Page, { cookies }: { cookies: Map<string, string> }) =>
		setCookie(page, "auth_session", cookies.get("auth_session"));

	const linkTo = async (email: string) => app.origin + pathIn(await app.smtp.next(email));

	/** Presses a button when the fields with these labels are filled, and waits for the next page. */
	const press = async (page: Page, name: string, fields: Record<string, string> = {}) => {
		for (const [label, text] of Object.entries(fields)) await page.getByLabel(label).fill(text);
		const button = page.getByRole("button", { name, exact: true });
		await Promise.all([page.waitForEvent("load"), button.click()]);
	};

	/** A new browser that has asked for a mail. */
	const ask = async (email: string, button = "Send me a link", options?: BrowserContextOptions) => {
		const page = await open(options);
		await page.goto("/");
		await press(page, button, { [EMAIL]: email });
		return page;
	};

	/** Lets the minute pass in which neither this browser nor any address gets another mail. */
	const nextMinute = async (page: Page) => {
		await app.nextMinute();
		const cookies = await page.context().cookies();
		const asked = decodeURIComponent(cookies.find(({ name }) => name === "asked")?.value ?? "");
		await setCookie(page, "asked", encodeURIComponent(asked.replace(/\d+\]$/, "0]")));
		await page.reload();
	};

	type Failure = [button: string, fields: Record<string, string>, label: string, error: string];

	describe("every page is accessible, has a title of its own, and fits a telephone", () => {
		const titles: string[] = [];
		const checker = (page: Page) => {
			const check = async (title: string) => {
				await sees(page, title);
				expect(await page.locator("h1").count()).toBe(1);
				expect(await page.title()).toBe(title);
				expect(await page.locator("html").getAttribute("lang")).toBe("en");
				for (const width of [1024, 320, 390]) {
					await page.setViewportSize({ width, height: 720 });
					const needed = await page.evaluate(() => document.documentElement.scrollWidth);
					expect(needed, `${title} at ${width}`).toBe(width);
				}
				for (const colorScheme of ["dark", "light"] as const) {
					await page.emulateMedia({ colorScheme });
					await expectAccessible(page);
					await chromium.screenshot(page, `magic-link-${colorScheme}-${title.replace("?", "")}`);
				}
			};
			const next = async (title: string) => {
				expect(titles).not.toContain(title);
				titles.push(title);
				await check(title);
			};
			const visit = (path: string, title: string) => page.goto(path).then(() => next(title));
			const submit = (button: string, fields: Record<string, string>, title: string) =>
				press(page, button, fields).then(() => next(title));
			/** The same page comes again, with an error at the field that has the focus. */
			const fail = async (...[button, fields, label, error]: Failure) => {
				await press(page, button, fields);
				await check(await heading(page));
				expect(await focused(page)).toBe(label);
				const field = page.getByLabel(label);
				expect(await field.getAttribute("aria-invalid")).toBe("true");
				const id = await field.getAttribute("aria-describedby");
				expect(await page.locator(`[id="${id}"]`).innerText()).toContain(error);
			};
			return { next, visit, submit, fail };
		};

		// `<meta name="viewport">` sets the width of a telephone's page.
		const telephone = { isMobile: true, hasTouch: true, viewport: { width: 390, height: 720 } };

		it("from sign-in to a password", async () => {
			const page = await open(telephone);
			const { visit, submit, fail } = checker(page);
			const email = `${"a".repeat(50)}@${"b".repeat(63)}.example`;
			await visit("/", "Sign in");
			await page.locator("form").evaluate((form: HTMLFormElement) => (form.noValidate = true));
			await fail("Send me a link", { [EMAIL]: "ada" }, EMAIL, "That is not an email address.");
			await visit("/code", "Request a code in this browser first");
			await submit("Send me a code", { [EMAIL]: email }, "Enter your code");
			await fail("Sign in", { [CODE]: "1" }, CODE, "This code does not work.");
			for (let tries = 2; tries <= 4; tries++) await press(page, "Sign in", { [CODE]: "1" });
			await submit("Sign in", { [CODE]: "1" }, "Request a new code");
			await app.smtp.next(email);

			await page.goto("/sign-in");
			await submit("Send me a link", {}, "Check your mail");
			const link = await linkTo(email);
			await visit(link, "One more step");
			await submit("Sign in", {}, "Home");
			await visit(link, "You are already signed in");

			await visit("/password/change", "You have no password yet");
			await press(page, "Send me a link to choose a password");
			const passwordLink = await linkTo(email);
			await visit(passwordLink, "Choose a password");
			const short = { "New password": "short" };
			await fail("Set my password", short, "New password", "A password has 8 to 256 characters.");
			await submit("Set my password", { "New password": PASSWORD }, "Your password is changed");
			await visit(passwordLink, "This link does not work");
			await visit("/password/link", "Send me a link to choose a password");
			await visit("/password", "Sign in with a password");
			const wrong = { [EMAIL]: email, Password: OTHER };
			await fail("Sign in", wrong, EMAIL, "The address or the password is wrong.");
		});

		it("of an account, and of refusals", async () => {
			const page = await open(telephone);
			const { visit, submit, fail } = checker(page);
			await signIn(page, await app.withPassword(someone(), PASSWORD));
			await visit("/password/change", "Change your password");
			const [label, error] = ["Current password", "This is not your current password."];
			const both = { [label]: OTHER, "New password": OTHER };
			await fail("Change my password", both, label, error);

			const taken = someone();
			await visit("/address", "Change your email address");
			await fail("Send a link", { [EMAIL]: taken, [label]: OTHER }, label, error);
			await submit("Send a link", { [label]: PASSWORD }, "Confirm your new address");
			await page.goto("/address");
			const again = { [EMAIL]: taken, [label]: PASSWORD };
			await submit("Send a link", again, "A link is on its way already");
			const link = await linkTo(taken);
			await visit(link, "Change your address?");
			const owner = await app.signedIn(taken);
			await submit("Change my address", {}, "You can't use this address");
			await signIn(page, owner);
			await page.goto(link);
			await submit("Change my address", {}, "This link is for another account");

			await visit("/nowhere", "There is no such page");
			await visit("/sign-in/%E0", "This request can't be read");
			const body = `<form method="post" action="${app.origin}/sign-in"><button>Win</button></form>`;
			const foreign = { contentType: "text/html", body };
			await page.route("https://other.example/", (route) => route.fulfill(foreign));
			await page.goto("https://other.example/");
			await submit("Win", {}, "This request was refused");
			expect(app.logged()).toBe("");
		});

		it("with the demo's mailbox, and after too many requests", async () => {
			const demo = await startApp({ env: { SMTP_URL: "", CLIENT_LIMIT: "1" } });
			onTestFinished(() => demo.close());
			const options = { ...telephone, baseURL: demo.origin };
			const page = await ask("ada@example.com", "Send me a link", options);
			const { next, submit } = checker(page);
			const mailed = page.getByRole("link", { name: "/sign-in/" });
			await expect.poll(async () => (await page.goto("/mailbox"), mailed.count())).toBe(1);
			await next("Mailbox");
			await mailed.click();
			await sees(page, "One more step");
			await page.goto("/sign-in");
			await submit("Send me a link", {}, "Too many requests");
		});
	});

	describe.each(["with", "without"])("%s scripts", (scripts) => {
		it("the keyboard alone is enough", async () => {
			const email = someone();
			const page = await open({ javaScriptEnabled: scripts === "with" });
			/** Goes by Tab from label to label, unless one has the focus, and presses Enter at the last. */
			const enter = async (steps: Record<string, string>, title: string) => {
				for (const [label, text] of Object.entries(steps)) {
					for (let tabs = 0; (await focused(page)) !== label; tabs++) {
						if (tabs > 20) throw new Error(`Tab does not lead to ${label}`);
						await page.keyboard.press("Tab");
						expect(await focused(page)).not.toContain("with the outline");
					}
					await page.keyboard.press("Control+A");
					await page.keyboard.type(text);
				}
				await Promise.all([page.waitForEvent("load"), page.keyboard.press("Enter")]);
				expect(await heading(page)).toBe(title);
			};

			await page.goto("/");
			await enter({ [EMAIL]: email }, "Check your mail");
			await page.goto(await linkTo(email));
			await enter({ "Sign in": "" }, "Home");
			await enter({ "Sign out": "" }, "Sign in");

			await enter({ [EMAIL]: email, "Send me a code": "" }, "Enter your code");
			expect(await focused(page)).toBe(CODE);
			await enter({ [CODE]: "1" }, "Enter your code");
			expect(await focused(page)).toBe(CODE);
			await enter({ [CODE]: codeIn(await app.smtp.next(email)) }, "Home");

			await enter({ "Change my password": "" }, "You have no password yet");
			await enter({ "Send me a link to choose a password": "" }, "Check your mail");
			await page.goto(await linkTo(email));
			await enter({ "New password": "short" }, "Choose a password");
			expect(await focused(page)).toBe("New password");
			await enter({ "New password": PASSWORD }, "Your password is changed");
			await enter({ Continue: "" }, "Sign in");
			await enter({ "Use a password": "" }, "Sign in with a password");
			await enter({ [EMAIL]: email, Password: PASSWORD }, "Home");
			await enter({ "Change my password": "" }, "Change your password");
			const passwords = { "Current password": PASSWORD, "New password": OTHER };
			await enter(passwords, "Your password is changed");
			await enter({ Continue: "" }, "Home");
			await enter({ "Sign out": "" }, "Sign in");
			expect(await app.works(email, OTHER)).toBe(true);
		});

		it("Back and a second tab tell who is signed in, with a way on", async () => {
			const email = someone();
			const page = await ask(email, "Send me a link", { javaScriptEnabled: scripts === "with" });
			const link = await linkTo(email);
			await page.goto(link);
			const second = await page.context().newPage();
			await second.goto(link);
			await press(page, "Sign in");
			await sees(page, "Home");
			await page.goBack();
			await press(second, "Sign in");
			for (const tab of [page, second]) {
				await sees(tab, "You are already signed in");
				expect(await tab.locator("strong").innerText()).toBe(email);
				await tab.getByRole("link", { name: "Continue" }).click();
				await sees(tab, "Home");
			}
		});
	});

	it.each([0, 200])("a double click on the link's button signs in, in %i ms", async (delay) => {
		const email = someone();
		const page = await ask(email);
		await page.goto(await linkTo(email));
		await page.route("**/sign-in/*", (route) => sleep(delay).then(() => route.continue()));
		const sent = chromium.posts(page);
		await page.getByRole("button").dblclick({ delay: 20 });
		await sees(page, "Home");
		expect(sent).toHaveLength(1);
	});

	it("a page that the browser shows again as it was left asks whether its link still works", async () => {
		const email = someone();
		const page = await ask(email);
		await page.goto(await linkTo(email));
		await app.expire();
		// Chromium does this when it goes back, but Playwright turns its back/forward cache off.
		const pageshow = "dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))";
		await Promise.all([page.waitForEvent("load"), page.evaluate(pageshow)]);
		await sees(page, "This link does not work");
		expect(await page.getByLabel(EMAIL).inputValue()).toBe(email);
	});

	it("a reload sends no mail, and a minute later the address is still known", async () => {
		const email = someone();
		const page = await ask(email);
		await app.smtp.next(email);
		const sent = chromium.posts(page);
		await page.reload();
		await page.getByText("You can request another one in").waitFor();
		await nextMinute(page);
		expect(sent).toEqual([]);
		await press(page, "Send it again");
		await page.goto(await linkTo(email));
		await press(page, "Sign in");
		await sees(page, "Home");
	});

	it("after the fifth wrong code, a new one signs in", async () => {
		const email = someone();
		const page = await ask(email, "Send me a code");
		await app.smtp.next(email);
		for (let tries = 1; tries <= 5; tries++) await press(page, "Sign in", { [CODE]: "1" });
		await sees(page, "Request a new code");
		await nextMinute(page);
		await press(page, "Send it again");
		await press(page, "Sign in", { [CODE]: codeIn(await app.smtp.next(email)) });
		await sees(page, "Home");
	});

	it("leads on to the page that was asked for, by a link and by a password", async () => {
		const email = someone();
		await app.withPassword(email, PASSWORD);
		const page = await open();
		await page.goto("/password/change");
		await press(page, "Send me a link", { [EMAIL]: email });
		await page.goto(await linkTo(email));
		await press(page, "Sign in");
		await sees(page, "Change your password");
		await page.context().clearCookies();
		await page.reload();
		await page.getByRole("link", { name: "Use a password" }).click();
		await press(page, "Sign in", { [EMAIL]: email, Password: PASSWORD });
		await sees(page, "Change your password");
	});
});

it("all examples have the same submit-once.js", () => {
	const files = ["magic-link/public", "sveltekit/static", "nextjs/public"].map((folder) =>
		readFileSync(new URL(`../../examples/${folder}/submit-once.js`, import.meta.url), "utf8"),
	);
	expect(new Set(files).size).toBe(1);
});
