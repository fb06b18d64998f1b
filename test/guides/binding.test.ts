import { afterAll, beforeAll, expect, it } from "vitest";
import type { Browser } from "../examples/demo.js";
import { formIn, type Guides, pathIn, seen, startGuides } from "./guide-app.js";

let guides: Guides;
beforeAll(async () => {
	guides = await startGuides();
});
afterAll(() => guides?.close());

const ask = async (browser: Browser, email: string): Promise<string> => {
	expect((await browser.post("/bound-sign-in", { email })).status).toBe(200);
	return pathIn(await guides.nextMail(email));
};

it("a bound link signs in the browser that requested it, and no other", async () => {
	const email = "story@example.com";
	const userId = await guides.createUser(email);
	const browser = guides.browser();
	const path = await ask(browser, email);

	const stranger = guides.browser();
	const rival = guides.browser();
	await rival.post("/bound-sign-in", { email });
	const forger = guides.browser();
	forger.cookies.set("link_request", { value: "x", path: "/" });
	for (const other of [stranger, rival, forger]) {
		expect((await other.get(path)).status).toBe(410);
		expect((await other.post(path)).status).toBe(410);
	}
	expect((await guides.scan(path)).status).toBe(410);
	expect(guides.user(userId)).toMatchObject({ email_verified: 0 });

	const page = await browser.get(path);
	expect(page.status).toBe(200);
	expect(page.text).toContain(`Sign in as ${email}?`);
	const answer = await browser.post(path);
	expect(answer.status).toBe(303);
	expect(answer.headers.getSetCookie()[1]).toMatch(/^link_request=; /);
	expect(guides.user(userId)).toMatchObject({ email_verified: 1 });
	expect(await guides.works(email, "former password")).toBe(false);
	expect(guides.tokens()).toEqual([]);
	expect((await browser.post(path)).status).toBe(410);
});

it("a bound link and an unbound one do not work in each other's place", async () => {
	const email = "kinds@example.com";
	await guides.createBareUser(email);
	const browser = guides.browser();
	const bound = await ask(browser, email);
	await browser.post("/sign-in", { email });
	const free = pathIn(await guides.nextMail(email));
	expect((await browser.post(bound.replace("/bound-", "/"))).status).toBe(410);
	expect((await browser.post(free.replace("/sign", "/bound-sign"))).status).toBe(410);
	expect((await browser.post(bound)).status).toBe(303);
});

it("an expired link offers a new one in its own browser only", async () => {
	const email = "late@example.com";
	await guides.createBareUser(email);
	const browser = guides.browser();
	const path = await ask(browser, email);
	guides.expire();
	expect((await guides.scan(path)).text).not.toContain("Send a new link");
	const { action, fields } = formIn(await browser.get(path));
	guides.nextMinute();
	await browser.post(action, fields);
	expect((await browser.post(pathIn(await guides.nextMail(email)))).status).toBe(303);
});

it("a second request keeps the first link working", async () => {
	const email = "second@example.com";
	await guides.createBareUser(email);
	const browser = guides.browser();
	const path = await ask(browser, email);
	await browser.post("/bound-sign-in", { email });
	expect((await browser.post(path)).status).toBe(303);
});

it("nothing tells whether an address has an account, also within the minute", async () => {
	const email = "known@example.com";
	await guides.createBareUser(email);
	const browser = guides.browser();
	const first = seen(await browser.post("/bound-sign-in", { email }), email);
	await guides.nextMail(email);
	const again = seen(await guides.browser().post("/bound-sign-in", { email }), email);
	const unknown = "unknown@example.com";
	const none = seen(await guides.browser().post("/bound-sign-in", { email: unknown }), unknown);
	for (const answer of [first, again]) expect(answer).toEqual(none);
	await guides.createBareUser("next@example.com");
	await ask(guides.browser(), "next@example.com");
});

it("nothing was logged", () => {
	expect(guides.logged()).toBe("");
});
