import { existsSync } from "node:fs";
import process from "node:process";
import { type Browser, chromium } from "playwright-core";

const PATHS = [
	process.env["CHROMIUM_PATH"],
	"/usr/bin/chromium",
	"/usr/bin/chromium-browser",
	"/usr/bin/google-chrome",
];

/** Where Chromium is; `undefined` where there is none. */
export const chromiumPath = PATHS.find((path) => path !== undefined && existsSync(path));

/** Whether to go without a browser. Continuous integration never does. */
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
