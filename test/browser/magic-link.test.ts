import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type App, startApp, startOwnApp } from "../examples/app.js";
import { pathIn } from "../examples/smtp.js";
import * as chromium from "./chromium.js";
import { expectUsable, focused, heading, sees, TELEPHONE, withoutChromium } from "./chromium.js";

const PASSWORD = "a good password";
const OTHER = "another good password";
const EMAIL = "Email address";
const CODE = "Code of eight digits";
const REFUSED = /status of (400|403|404|409|410|422|429)/;

const skipped = withoutChromium ? ` (skipped: ${withoutChromium})` : "";
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

	const open = (options: BrowserContextOptions = {}): Promise<Page> =>
		chromium.openPage(browser, { baseURL: app.origin, ...options }, REFUSED);

	// An address of its own for each test, because the next mail waits for a minute.
	let users = 0;
	const someone = () => `user-${++users}@example.com`;

	const signIn = (page: Page, { session: value = "" }: { session: string | undefined }) =>
		page.context().addCookies([{ name: "auth_session", value, url: app.origin }]);

	const linkTo = async (email: string) => app.origin + pathIn(await app.smtp.next(email));

	type Failure = [button: string, fields: Record<string, string>, label: string, error: string];

	describe("by the keyboard alone, every page is accessible, has its title, and fits a telephone", () => {
		const titles: string[] = [];
		const checker = (page: Page) => {
			const check = (title: string) => expectUsable(page, "magic-link", title);
			const next = async (title: string) => {
				expect(titles).not.toContain(title);
				titles.push(title);
				await check(title);
			};
			const visit = (path: string, title: string) => page.goto(path).then(() => next(title));
			/** Fills in the fields, and presses a button or a link. */
			const enter = (name: string, fields: Record<string, string> = {}) =>
				Promise.all([page.waitForEvent("load"), chromium.enter(page, { ...fields, [name]: "" })]);
			const submit = (name: string, fields: Record<string, string>, title: string) =>
				enter(name, fields).then(() => next(title));
			/** The same page comes again, with an error at the field that has the focus. */
			const fail = async (...[button, fields, label, error]: Failure) => {
				await enter(button, fields);
				await check(await heading(page));
				expect(await focused(page)).toBe(label);
				const field = page.getByLabel(label);
				expect(await field.getAttribute("aria-invalid")).toBe("true");
				const id = await field.getAttribute("aria-describedby");
				expect(await page.locator(`[id="${id}"]`).innerText()).toContain(error);
			};
			return { next, visit, enter, submit, fail };
		};

		test("from sign-in to a password", async () => {
			const page = await open(TELEPHONE);
			const { next, visit, enter, submit, fail } = checker(page);
			const email = `${"a".repeat(50)}@${"b".repeat(63)}.example`;
			await visit("/", "Sign in");
			await page.locator("form").evaluate((form: HTMLFormElement) => (form.noValidate = true));
			await fail("Send me a link", { [EMAIL]: "ada" }, EMAIL, "That is not an email address.");
			await visit("/code", "Request a code in this browser first");
			await submit("Send me a code", { [EMAIL]: email }, "Enter your code");
			expect(await focused(page)).toBe(CODE);
			await fail("Sign in", { [CODE]: "1" }, CODE, "This code does not work.");
			for (let tries = 2; tries <= 4; tries++) await enter("Sign in", { [CODE]: "1" });
			await submit("Sign in", { [CODE]: "1" }, "Request a new code");
			await app.smtp.next(email);

			await page.goto("/sign-in");
			await submit("Send me a link", {}, "Check your mail");
			const link = await linkTo(email);
			await visit(link, "One more step");
			await submit("Sign in", {}, "Home");
			await page.goBack();
			await next("You are already signed in");
			await enter("Continue");

			await submit("Change my password", {}, "You have no password yet");
			await enter("Send me a link to choose a password");
			const passwordLink = await linkTo(email);
			await visit(passwordLink, "Choose a password");
			const short = { "New password": "short" };
			await fail("Set my password", short, "New password", "A password has 8 to 256 characters.");
			await submit("Set my password", { "New password": PASSWORD }, "Your password is changed");
			await visit(passwordLink, "This link does not work");
			await visit("/password/link", "Send me a link to choose a password");
			await page.goto("/sign-in");
			await submit("Use a password", {}, "Sign in with a password");
			const wrong = { [EMAIL]: email, Password: OTHER };
			await fail("Sign in", wrong, EMAIL, "The address or the password is wrong.");
			await enter("Sign in", { Password: PASSWORD });
			await enter("Sign out");
			await sees(page, "Sign in");
		});

		test("of an account, and of refusals", async () => {
			const page = await open(TELEPHONE);
			const { next, visit, submit, fail } = checker(page);
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
			await page.getByRole("button").click();
			await next("This request was refused");
			expect(app.logged()).toBe("");
		});

		test("with the demo's mailbox, and after too many requests", async () => {
			const demo = await startOwnApp({ env: { SMTP_URL: "", CLIENT_LIMIT: "1" } });
			const page = await open({ ...TELEPHONE, baseURL: demo.origin });
			const { next, enter, submit } = checker(page);
			await page.goto("/");
			await enter("Send me a link", { [EMAIL]: "ada@example.com" });
			const mailed = page.getByRole("link", { name: "/sign-in/" });
			await expect.poll(async () => (await page.goto("/mailbox"), mailed.count())).toBe(1);
			await next("Mailbox");
			await mailed.click();
			await sees(page, "One more step");
			await page.goto("/sign-in");
			await submit("Send me a link", {}, "Too many requests");
		});
	});

	test.each([0, 200])("a double click on the link's button signs in, in %i ms", async (delay) => {
		await chromium.expectOneUse(await open(), await app.link(someone()), delay, "Home");
	});

	test("a page that the browser shows again as it was left asks whether its link still works", async () => {
		const email = someone();
		const page = await open();
		await page.goto(await app.link(email));
		await app.expire();
		// Chromium does this when it goes back, but Playwright turns its back/forward cache off.
		const pageshow = "dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))";
		await Promise.all([page.waitForEvent("load"), page.evaluate(pageshow)]);
		await sees(page, "This link does not work");
		expect(await page.getByLabel(EMAIL).inputValue()).toBe(email);
	});
});
