import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { blocksOf, files, type Guides, pages, startGuides } from "./guide-app.js";

const NAMES = ["email-verification", "magic-links", "one-time-codes", "password-reset"];

it("every block of code of the guides is run: it belongs to a file that main.js loads", () => {
	const blocks = [...pages.values()].flatMap(blocksOf);
	for (const block of blocks) expect(block).toMatch(/^\/\/ [a-z-]+\.js\n/);
	// There are no others, but what is typed at a prompt.
	const languages = [...[...pages.values()].join("").matchAll(/^```(\w+)$/gm)].map(
		([, name]) => name,
	);
	expect(new Set(languages)).toEqual(new Set(["js", "sh"]));
	expect(languages.filter((name) => name === "js")).toHaveLength(blocks.length);
	expect([...files().keys()].sort()).toEqual(
		["app", "database", "lucia", "mail", "main", ...NAMES].map((name) => `${name}.js`).sort(),
	);
	for (const name of NAMES) expect(files().get("main.js")).toContain(`import "./${name}.js"`);
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
			"/code",
			"/code/use",
			"/reset-password",
			"/reset-password/:token",
			"/sign-in",
			"/sign-in/:token",
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
			browser.post(path, { email: "eve@example.com" }, headers);
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
		// The only one that has somebody to write to.
		const mails = route === "/verify-email" ? 2 : 0;
		await expect.poll(() => guides.mails.length, { timeout: 5000 }).toBe(mails);
		guides.mails.length = 0;
	});

	it("with a token that can't be decoded or a body that is too long is answered without a trace", async () => {
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
