import { existsSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import {
	type Browser,
	type BrowserContext,
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

/** Where Chromium is; `undefined` where there is none. */
export const chromiumPath = PATHS.find((path) => path !== undefined && existsSync(path));

/** Whether to skip the browser tests. CI never skips them. */
export const withoutChromium = chromiumPath === undefined && process.env["CI"] !== "true";

/** @throws Error there is no Chromium */
export const launch = (): Promise<Browser> => {
	if (chromiumPath === undefined) {
		throw new Error("There is no Chromium. Install it, or set CHROMIUM_PATH");
	}
	return chromium.launch({
		executablePath: chromiumPath,
		args: [
			"--no-sandbox",
			"--disable-gpu",
			"--disable-quic",
			"--no-first-run",
			"--disable-background-networking",
			"--disable-component-update",
			"--disable-sync",
		],
	});
};

/**
 * A separate browser. An error in its console fails the test.
 *
 * @param refusal the statuses that the app answers refused requests with, which Chromium reports too
 */
export const openContext = async (
	browser: Browser,
	options: BrowserContextOptions = {},
	refusal = /status of (410|422)/,
): Promise<BrowserContext> => {
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
	return context;
};

export const screenshot = (page: Page, name: string) =>
	page.screenshot({
		path: fileURLToPath(new URL(`screenshots/${name}.png`, import.meta.url)),
		fullPage: true,
	});

export const heading = (page: Page): Promise<string> => page.locator("h1").innerText();

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

/** All POSTs that a page sends from now on. */
export const posts = (page: Page): Request[] => {
	const requests: Request[] = [];
	page.on("request", (request) => {
		if (request.method() === "POST") requests.push(request);
	});
	return requests;
};
