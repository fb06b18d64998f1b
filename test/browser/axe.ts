import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Page } from "playwright-core";
import { expect } from "vitest";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

interface Axe {
	run(options: object): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }>;
}

/** Expects that axe finds nothing to complain about on a page, whose browser runs scripts. */
export const expectAccessible = async (page: Page): Promise<void> => {
	await page.evaluate(AXE);
	const violations = await page.evaluate(async () => {
		const { axe } = globalThis as unknown as { axe: Axe };
		// Off by default: WCAG 2.2 asks for targets of 24 by 24 pixels.
		const { violations } = await axe.run({ rules: { "target-size": { enabled: true } } });
		return violations.map(({ id, nodes }) => [id, ...nodes.map(({ html }) => html)].join(" "));
	});
	expect(violations, page.url()).toEqual([]);
};
