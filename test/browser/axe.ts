import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Page } from "playwright-core";
import { expect } from "vitest";
import { screenshot, sees } from "./chromium.js";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

interface Axe {
	run(options: object): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }>;
}

/** A telephone, whose pages have the width that `<meta name="viewport">` sets. */
export const TELEPHONE = { isMobile: true, hasTouch: true, viewport: { width: 390, height: 720 } };

/** Expects that axe finds nothing to complain about on a page, whose browser runs scripts. */
const expectAccessible = async (page: Page): Promise<void> => {
	await page.evaluate(AXE);
	const violations = await page.evaluate(async () => {
		const { axe } = globalThis as unknown as { axe: Axe };
		// Off by default: WCAG 2.2 asks for targets of 24 by 24 pixels.
		const { violations } = await axe.run({ rules: { "target-size": { enabled: true } } });
		return violations.map(({ id, nodes }) => [id, ...nodes.map(({ html }) => html)].join(" "));
	});
	expect(violations, page.url()).toEqual([]);
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
		await expectAccessible(page);
		await screenshot(page, `${app}-${colorScheme}-${title.replace("?", "")}`);
	}
};
