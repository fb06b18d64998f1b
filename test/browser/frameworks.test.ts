import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { SHORT_DAYS } from "../examples/app.js";
import { leadsTo, seen } from "../examples/browser.js";
import { FOREIGN_PATHS, foreignHeaders, sendHostile } from "../examples/hostile.js";
import {
	enter,
	expectOneUse,
	expectUsable,
	launch,
	openPage,
	posts,
	sees,
	TELEPHONE,
	withoutChromium,
} from "./chromium.js";
import { type App, FRAMEWORKS, notInstalled, startApp, startScript } from "./framework-app.js";

const EMAIL = "Email address";

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

// An address of its own for each link, because a user waits a minute for the next one.
let users = 0;
const someone = () => `user-${++users}@example.com`;

describe.each(FRAMEWORKS)("the %s example", (framework) => {
	const reason = withoutChromium ?? notInstalled(framework);
	const title = reason ? `(skipped: ${reason})` : "";

	describe.skipIf(reason)(`built ${title}`, () => {
		let browser: Browser;
		let app: App;
		beforeAll(async () => {
			browser = await launch();
			const { code, output } = await startScript(framework, "build").ended();
			expect(code, output).toBe(0);
			app = await startApp(framework, { preload: FAILING_MAIL });
		}, 300_000);
		afterAll(async () => {
			await browser?.close();
			await app?.stop();
		});

		const open = (options = {}, refusal?: RegExp): Promise<Page> =>
			openPage(browser, { baseURL: app.url, ...options }, refusal);

		const press = (page: Page, name: string) => page.getByRole("button", { name }).click();

		/** Opens a page, and waits for its scripts. */
		const settle = (page: Page, path: string) => page.goto(path, { waitUntil: "networkidle" });

		describe.each(["with", "without"])("%s scripts", (scripts) => {
			const javaScriptEnabled = scripts === "with";
			const options = { ...TELEPHONE, javaScriptEnabled };

			/** Expects a page, which is accessible, has a title of its own, and fits a telephone. */
			const shows = (page: Page, title: string) =>
				javaScriptEnabled ? expectUsable(page, framework, title) : sees(page, title);

			test("the keyboard alone leads from a page to a mail, back to that page, and out", async () => {
				const email = `o'neil&sons+${scripts}${"a".repeat(40)}@${"b".repeat(63)}.example`;
				const page = await open(options);
				const step = async (name: string, title: string, text = "") => {
					await enter(page, { [name]: text });
					await shows(page, title);
				};

				await settle(page, "/account");
				await shows(page, "Sign in");
				await step(EMAIL, "Check your mail", email);
				expect(await page.locator("strong").innerText()).toBe(email);
				const sent = posts(page);
				await page.reload();
				await sees(page, "Check your mail");
				expect(sent).toEqual([]);

				await step("the mailbox", "Mailbox");
				const [link = ""] = await app.links();
				await step(app.url + link, "One more step");
				expect(await page.locator("strong").innerText()).toBe(email);
				const second = await page.context().newPage();
				await settle(second, link);
				await step("Sign in", "Your account");
				expect(await page.locator("strong").innerText()).toBe(email);

				await page.goBack();
				await press(second, "Sign in");
				for (const tab of [page, second]) {
					await shows(tab, "You are signed in already");
					expect(await tab.locator("strong").innerText()).toBe(email);
				}
				await step("Go on", "Your account");
				await step("Home", "You are signed in");
				expect(await page.locator("strong").innerText()).toBe(email);
				await step("Sign out", "Sign in");
				await page.goto("/account");
				await sees(page, "Sign in");
			});

			test("keeps what was typed for an address, and sends nothing there", async () => {
				const page = await open(options);
				await settle(page, "/?next=/account");
				const typed = `ada@example.com,"><b>eve@example.com`;
				// Browsers refuse it, too, unless they are told not to.
				await page.locator("form").evaluate((form: HTMLFormElement) => (form.noValidate = true));
				await page.getByLabel(EMAIL).fill(typed);
				const before = app.rows("auth_user");
				await press(page, "Send me a link");
				await page.getByText("That is not an email address.").waitFor();
				await shows(page, "Sign in");
				expect(await page.getByLabel(EMAIL).inputValue()).toBe(typed);
				expect(await page.locator("input[name=next]").inputValue()).toBe("/account");
				expect(app.rows("auth_user")).toEqual(before);
			});

			test("offers a new link in place of one that expires, for the same address and page", async () => {
				const email = someone();
				const link = await app.link(email, "/account");
				const page = await open(options);
				await settle(page, link);
				app.expire();
				const second = await page.context().newPage();
				expect((await settle(second, link))?.status()).toBe(410);
				await press(page, "Sign in");
				for (const tab of [page, second]) {
					await shows(tab, "This link does not work");
					expect(await tab.getByLabel(EMAIL).inputValue()).toBe(email);
					expect(await tab.locator("input[name=next]").inputValue()).toBe("/account");
					await tab.getByLabel(EMAIL).fill(someone());
					await press(tab, "Send me a link");
					await sees(tab, "Check your mail");
				}
			});
		});

		test("has an accessible page for what is not there", async () => {
			const page = await open(TELEPHONE, /status of 404/);
			await page.goto("/nothing");
			await expectUsable(page, framework, "Not Found");
		});

		test.each([0, 200])(
			"a double click sends the link once and signs in, on a network of %i ms",
			async (delay) => {
				await expectOneUse(await open(), await app.link(someone()), delay, "You are signed in");
			},
		);

		test("changes nothing when a link is opened, however often, and keeps its page to itself", async () => {
			const link = await app.link(someone());
			const before = app.rows("auth_key");
			for (const method of ["GET", "HEAD", "GET"]) {
				const { status, headers } = await app.browser().send(method, link);
				expect(status).toBe(200);
				expect(headers.getSetCookie()).toEqual([]);
				expect(headers.get("referrer-policy")).toBe("strict-origin");
				expect(headers.get("cache-control")).toContain("no-store");
				expect(headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
			}
			expect(app.rows("auth_key")).toEqual(before);
			const [token = ""] = /\w{43,}/.exec(link) ?? [];
			expect(JSON.stringify(before)).not.toContain(token);
		});

		test("replaces the browser's session, and revokes the user's other links", async () => {
			const email = someone();
			const own = app.browser();
			const other = await app.link(email);
			app.db.exec("DELETE FROM auth_key WHERE id LIKE ':%'"); // the minute has passed
			for (const link of [await app.link(someone()), await app.link(email)]) {
				expect((await own.get(other)).status).toBe(200);
				const former = own.copy();
				expect(leadsTo(await app.press(own, link, "Sign in"))).toEqual([303, "/"]);
				if (former.session) expect((await former.get("/")).text).not.toContain("You are signed in");
			}
			expect((await own.get("/")).text).toContain(email);
			expect((await app.browser().get(other)).status).toBe(410);
		});

		test("keeps a user's link good, however often a stranger requests one, and says nothing of it", async () => {
			const email = someone();
			const [pages, before] = [[], await app.links()] as [unknown[], string[]];
			for (let time = 0; time < 5; time++) {
				const page = await app.ask(email);
				expect(leadsTo(page)).toEqual([303, "/sent"]);
				pages.push(seen(page, email));
			}
			for (const page of pages) expect(page).toEqual(pages[0]);
			const [link = "", ...rest] = await app.links();
			expect(rest).toEqual(before);
			expect((await app.browser().get(link)).status).toBe(200);
		});

		test("lets a user request a link at once if the mail could not be sent", async () => {
			const before = await app.links();
			expect((await app.ask(UNLUCKY)).text).toContain("The mail could not be sent.");
			expect(await app.links()).toEqual(before);
			expect(leadsTo(await app.ask(UNLUCKY))).toEqual([303, "/sent"]);
			expect(await app.links()).toHaveLength(before.length + 1);
		});

		test.each([
			["/account?a=b", "/account?a=b"],
			["account", "/account"],
			...["/.//evil.example", ...FOREIGN_PATHS].map((path) => [path, "/"]),
		])("goes on from %j to %j after a sign-in", async (next, path) => {
			const link = (await app.link(someone())).replace(/\?.*/, "");
			const query = `?next=${encodeURIComponent(next)}`;
			const page = await app.press(app.browser(), link + query, "Sign in", { next });
			expect(leadsTo(page)).toEqual([303, path]);
			expect(page.headers.getSetCookie().join()).toContain("auth_session=");
		});

		test("refuses forms of foreign pages, and the link stays good", async () => {
			const link = await app.link(someone());
			for (const headers of foreignHeaders(app.url)) {
				const page = await app.press(app.browser(), link, "Sign in", {}, headers);
				expect(page.status, JSON.stringify(headers)).toBe(403);
				expect(page.headers.getSetCookie()).toEqual([]);
			}
			expect((await app.browser().get(link)).status).toBe(200);
		});

		test("responds to no URL, no cookie and no body with a 500", async () => {
			const link = await app.link(someone());
			const forms = ["/", "/?/ask", "/?/signOut", link];
			await sendHostile(app.browser(), ["/", "/sign-in/", "/mailbox"], forms);

			const fields = new FormData();
			fields.append("email", "a@example.com");
			fields.append("email", new Blob(["b"]), "c");
			fields.append("next", new Blob(["b"]), "c");
			const unknown = new FormData();
			unknown.append(`$ACTION_ID_${"a".repeat(42)}`, "");
			const bodies: RequestInit[] = [
				{ body: new URLSearchParams({ email: "a".repeat(3_000_000) }) },
				{ body: fields },
				{ body: unknown },
				{ body: "[]", headers: { "Next-Action": "a".repeat(42) } },
				{ body: "[]", headers: { "Next-Action": "__proto__" } },
			];
			for (const form of forms) {
				for (const { body = null, headers } of bodies) {
					const own = { Origin: app.url, ...(headers as Record<string, string>) };
					const { status } = await app.browser().send("POST", form, { body, headers: own });
					expect(status, form).toBeLessThan(500);
				}
			}
		});

		test("deletes expired tokens at its start, and once a day", async () => {
			const first = await startApp(framework, { preload: SHORT_DAYS });
			onTestFinished(() => first.stop());
			await first.link(someone());
			first.expire();
			await expect.poll(first.expired).toEqual([]);

			// Its days are long.
			await app.link(someone());
			app.expire();
			const second = await startApp(framework, { dataFile: app.dataFile });
			onTestFinished(() => second.stop());
			await expect.poll(app.expired).toEqual([]);
		});

		test.each([
			["https://example.com/", "ORIGIN=https://example.com\n"],
			["example.com", "ORIGIN"],
		])("does not start with the ORIGIN %s, and says what to set", async (ORIGIN, text) => {
			const { code, output } = await startScript(framework, "start", { ORIGIN }).ended();
			expect(code).not.toBe(0);
			expect(output).toContain(text);
		});
	});

	test.skipIf(reason)(
		`works in development, at the PORT that you set ${title}`,
		async () => {
			const app = await startApp(framework, { script: "dev" });
			onTestFinished(() => app.stop());
			const link = await app.link(someone());
			expect((await app.browser().get("/mailbox")).text).toContain(app.url + link);
			const used = await app.press(app.browser(), link, "Sign in");
			expect(used.status).toBe(303);
			expect(used.headers.getSetCookie().join()).toContain("auth_session=");
			expect((await app.browser().get(link)).status).toBe(410);
		},
		120_000,
	);
});
