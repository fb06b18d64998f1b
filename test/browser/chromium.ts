import axe from "axe-core";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import {
	type Browser,
	type BrowserContextOptions,
	chromium,
	type Page,
	type Request,
} from "playwright-core";
import { expect, onTestFinished } from "vitest";
import { findProgram } from "../support/server.js";

const chromiumPath =
	process.env["CHROMIUM_PATH"] ??
	["chromium", "chromium-browser", "google-chrome"].map(findProgram).find((path) => path);

/** Why to skip the browser tests, if there is a reason. CI never skips them. */
export const withoutChromium =
	chromiumPath === undefined && process.env["CI"] !== "true"
		? "install Chromium or set CHROMIUM_PATH"
		: undefined;

export const launch = (): Promise<Browser> =>
	chromium.launch({ executablePath: chromiumPath ?? "chromium", args: ["--no-sandbox"] });

/**
 * Opens a page in a browser of its own. An error in its console, such as a CSP violation, fails the test.
 *
 * @param refusal the statuses of the app's refusals, which Chromium reports too
 */
export const openPage = async (
	browser: Browser,
	options: BrowserContextOptions = {},
	refusal = /status of (410|422)/,
): Promise<Page> => {
	const context = await browser.newContext(options);
	const complaints: string[] = [];
	context.on("console", (message) => {
		if (message.type() === "error" && !refusal.test(message.text())) {
			complaints.push(message.text());
		}
	});
	context.on("weberror", (error) => complaints.push(String(error.error())));
	onTestFinished(async () => {
		await context.close();
		expect(complaints).toEqual([]);
	});
	return context.newPage();
};

export const heading = (page: Page): Promise<string> => page.locator("h1").innerText();

/** Waits for the page with this heading. */
export const sees = (page: Page, title: string) => expect.poll(() => heading(page)).toBe(title);

/** The label of what has the focus, if that can be seen. */
export const focused = (page: Page) =>
	page.evaluate(() => {
		const element = document.activeElement as HTMLInputElement;
		if (element === document.body) return undefined;
		const { outlineStyle, outlineWidth } = getComputedStyle(element);
		const outline = `${outlineStyle} ${outlineWidth}`;
		const label = element.labels?.[0]?.innerText ?? element.innerText;
		return outline === "solid 3px" ? label : `${label}, with the outline ${outline}`;
	});

/** Goes by Tab from label to label, unless one has the focus, types each text, and presses Enter at the last. */
export const enter = async (page: Page, steps: Record<string, string>): Promise<void> => {
	for (const [label, text] of Object.entries(steps)) {
		for (let tabs = 0; (await focused(page)) !== label; tabs++) {
			if (tabs > 20) throw new Error(`Tab does not lead to ${label}`);
			await page.keyboard.press("Tab");
			expect(String(await focused(page))).not.toContain("with the outline");
		}
		await page.keyboard.press("Control+A");
		await page.keyboard.type(text);
	}
	await page.keyboard.press("Enter");
};

/** All POSTs that a page sends from now on. */
export const posts = (page: Page): Request[] => {
	const requests: Request[] = [];
	page.on("request", (request) => {
		if (request.method() === "POST") requests.push(request);
	});
	return requests;
};

/** A telephone, whose pages have the width that `<meta name="viewport">` sets. */
export const TELEPHONE = { isMobile: true, hasTouch: true, viewport: { width: 390, height: 720 } };

/** What axe complains about on a page, whose browser runs scripts. */
const violationsOn = async (page: Page): Promise<string[]> => {
	await page.evaluate(axe.source);
	return page.evaluate(async () => {
		const { run } = (globalThis as unknown as { axe: typeof axe }).axe;
		// Off by default: WCAG 2.2 asks for targets of 24 by 24 pixels.
		const { violations } = await run({ rules: { "target-size": { enabled: true } } });
		return violations.map(({ id, nodes }) => [id, ...nodes.map(({ html }) => html)].join(" "));
	});
};

/** Expects that a telephone's page has a title, fits, and is accessible in light and in dark colors. */
export const expectUsable = async (page: Page, app: string, title: string): Promise<void> => {
	await sees(page, title);
	expect(await page.locator("h1").count()).toBe(1);
	await expect.poll(() => page.title()).toBe(title);
	expect(await page.locator("html").getAttribute("lang")).toBe("en");
	for (const width of [1024, 320, 390]) {
		await page.setViewportSize({ width, height: 720 });
		const needed = await page.evaluate(() => document.documentElement.scrollWidth);
		expect(needed, `${title} at ${width}`).toBe(width);
	}
	for (const colorScheme of ["dark", "light"] as const) {
		await page.emulateMedia({ colorScheme });
		expect(await violationsOn(page), page.url()).toEqual([]);
		const name = `screenshots/${app}-${colorScheme}-${title.replace("?", "")}.png`;
		await page.screenshot({ path: fileURLToPath(new URL(name, import.meta.url)), fullPage: true });
	}
};

/** Clicks twice on the button of a link, whose POST takes a while. Expects that it is sent once. */
export const expectOneUse = async (page: Page, link: string, delay: number, title: string) => {
	await page.goto(link);
	await page.route("**/sign-in**", async (route) => {
		if (route.request().method() === "POST") await sleep(delay);
		await route.continue();
	});
	const sent = posts(page);
	await page.getByRole("button", { name: "Sign in" }).dblclick({ delay: 20 });
	await sees(page, title);
	expect(sent).toHaveLength(1);
};
