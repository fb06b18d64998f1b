import { existsSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { blocksOf, files, type Guides, pages, startGuides } from "./guide-app.js";

// The files that main.js loads, and the others.
const LOADED = [
	"bound-links",
	"email-verification",
	"link-and-code",
	"magic-links",
	"one-time-codes",
	"password-reset",
	"sign-up",
	"sweep-timer",
];
const OTHERS = ["app", "cookie", "database", "lucia", "mail", "main", "sweep", "sweep-once"];

it("every block of code in the guides belongs to a file that runs", () => {
	const blocks = [...pages.values()].flatMap(blocksOf);
	for (const block of blocks) expect(block).toMatch(/^\/\/ [a-z-]+\.js\n/);
	// The only other blocks are shell commands.
	const languages = [...[...pages.values()].join("").matchAll(/^```(\w+)$/gm)].map(
		([, name]) => name,
	);
	expect(new Set(languages)).toEqual(new Set(["js", "sh"]));
	expect(languages.filter((name) => name === "js")).toHaveLength(blocks.length);
	expect([...files().keys()].sort()).toEqual(
		[...LOADED, ...OTHERS].map((name) => `${name}.js`).sort(),
	);
	for (const name of LOADED) expect(files().get("main.js")).toContain(`import "./${name}.js"`);
});

it.each([...pages.keys()])("the links in %s lead somewhere", (name) => {
	const anchors = (text: string) =>
		[...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
			heading
				.toLowerCase()
				.replace(/[^\w\- ]/g, "")
				.replaceAll(" ", "-"),
		);
	for (const [, target = ""] of pages.get(name)?.matchAll(/\]\(([^)]*)\)/g) ?? []) {
		const [page, anchor] = target.split("#");
		if (page?.startsWith("../")) {
			expect(existsSync(new URL(`../../docs/guides/${page}`, import.meta.url)), target).toBe(true);
			continue;
		}
		const text = pages.get(page || name);
		expect(text, target).toBeDefined();
		if (anchor) expect(anchors(text ?? ""), target).toContain(anchor);
	}
});

describe("a request of the guides' app", () => {
	let guides: Guides;
	beforeAll(async () => {
		guides = await startGuides();
	});
	afterAll(() => guides?.close());

	const routes = [...files().values()]
		.flatMap((code) => [...code.matchAll(/app\.post\(\s*"([^"]*)"/g)])
		.map(([, path = ""]) => path);

	it("is one of these POSTs", () => {
		expect(routes.sort()).toEqual([
			"/bound-sign-in",
			"/bound-sign-in/:token",
			"/change-password",
			"/code",
			"/code/use",
			"/link-and-code",
			"/reset-password",
			"/reset-password/:token",
			"/sign-in",
			"/sign-in/:token",
			"/sign-up",
			"/verify-email",
			"/verify-email/:token",
		]);
	});

	it.each(routes)("POST %s is refused unless it comes from the app's own pages", async (route) => {
		const userId = await guides.createBareUser(`${route}@example.com`);
		const browser = await guides.signedIn(userId);
		const path = route.replace(":token", "x".repeat(43));
		const before = guides.rows();
		const post = (headers: Record<string, string>) =>
			browser.post(path, { email: `eve-${route}@example.com` }, headers);
		for (const headers of [
			{},
			{ Origin: "" },
			{ Origin: "https://evil.example" },
			{ Origin: "https://evil.example", "Sec-Fetch-Site": "same-origin" },
			{ Origin: "http://localhost:1" },
			{ Origin: "null" },
			{ Origin: "null", "Sec-Fetch-Site": "cross-site" },
			{ Origin: "null", "Sec-Fetch-Site": "same-site" },
			{ "Sec-Fetch-Site": "same-origin" },
		]) {
			expect((await post(headers)).status).toBe(403);
		}
		expect(guides.rows()).toEqual(before);
		expect(guides.mails).toEqual([]);
		for (const headers of [
			{ Origin: guides.url },
			{ Origin: "null", "Sec-Fetch-Site": "same-origin" },
		]) {
			expect((await post(headers)).status).not.toBe(403);
		}
		// The only ones that have somebody to write to.
		const mails = ["/verify-email", "/sign-up"].includes(route) ? 1 : 0;
		await expect.poll(() => guides.mails.length, { timeout: 20_000 }).toBe(mails);
		guides.mails.length = 0;
	});

	it("with a malformed token or a body that is too long is answered without a stack trace", async () => {
		for (const answer of [
			await guides.browser().get("/sign-in/%E0%A4%A"),
			await guides.browser().post("/sign-in", { email: "a".repeat(5000) }),
		]) {
			expect(answer.status).toBeGreaterThanOrEqual(400);
			expect(answer.status).toBeLessThan(500);
			expect(answer.text).not.toContain("node_modules");
		}
		expect((await guides.scan("/sign-in/%00")).status).toBe(410);
		expect(guides.logged()).toBe("");
	});
});
