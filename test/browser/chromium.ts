import { existsSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import {
	type Browser,
	type BrowserContextOptions,
	chromium,
	type Page,
	type Request,
} from "playwright-core";
import { expect, onTestFinished } from "vitest";

const PATHS = [
	process.env["CHROMIUM_PATH"],
	"/usr/bin/chromium",
	"/usr/bin/chromium-browser",
	"/usr/bin/google-chrome",
];

const chromiumPath = PATHS.find((path) => path !== undefined && existsSync(path));

/** Why to skip the browser tests, if there is a reason. CI never skips them. */
export const withoutChromium =
	chromiumPath === undefined && process.env["CI"] !== "true"
		? "install Chromium or set CHROMIUM_PATH"
		: undefined;

/** @throws Error there is no Chromium */
export const launch = (): Promise<Browser> => {
	if (chromiumPath === undefined) {
		throw new Error("There is no Chromium. Install it, or set CHROMIUM_PATH");
	}
	return chromium.launch({ executablePath: chromiumPath, args: ["--no-sandbox"] });
};

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

export const screenshot = (page: Page, name: string) =>
	page.screenshot({
		path: fileURLToPath(new URL(`screenshots/${name}.png`, import.meta.url)),
		fullPage: true,
	});

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
