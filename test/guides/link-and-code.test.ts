import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { Browser } from "../examples/demo.js";
import { codeIn, copyOf, type Guides, pathIn, seen, startGuides, wrong } from "./guide-app.js";

let guides: Guides;
beforeAll(async () => {
	guides = await startGuides();
});
afterAll(() => guides?.close());

/** Requests a link and a code in a browser, and takes both out of their mail. */
const ask = async (email: string) => {
	const userId = await guides.createBareUser(email);
	const browser = guides.browser();
	const asked = await browser.post("/link-and-code", { email });
	expect(asked.status).toBe(303);
	expect(asked.headers.get("location")).toBe("/code");
	const mail = await guides.nextMail(email);
	return { userId, browser, link: pathIn(mail), code: codeIn(mail) };
};

it("the link signs in on another device, and revokes the code", async () => {
	const { userId, browser, link, code } = await ask("link@example.com");
	expect((await guides.scan(link)).status).toBe(200);
	expect((await guides.browser().post(link)).status).toBe(303);
	expect((await browser.post("/code/use", { code })).status).toBe(422);
	expect(guides.sessions(userId)).toHaveLength(1);
	expect(guides.tokens()).toEqual([]);
});

it("the code signs in where it was requested, and revokes the link", async () => {
	const { userId, browser, link, code } = await ask("code@example.com");
	expect((await guides.browser().post("/code/use", { code })).status).toBe(410);
	expect((await browser.post("/code/use", { code })).status).toBe(303);
	expect((await guides.browser().post(link)).status).toBe(410);
	expect(guides.sessions(userId)).toHaveLength(1);
	expect(guides.tokens()).toEqual([]);
});

it("wrong codes leave the link alone", async () => {
	const { browser, link, code } = await ask("tries@example.com");
	for (let by = 1; by <= 5; by++) await browser.post("/code/use", { code: wrong(code, by) });
	expect((await browser.post("/code/use", { code })).status).toBe(422);
	expect((await guides.browser().post(link)).status).toBe(303);
});

it("used at once, in two processes, they start one session, and neither works again", async () => {
	const second = await guides.serve();
	onTestFinished(second.stop);
	for (let round = 0; round < 10; round++) {
		const { userId, browser, link, code } = await ask(`at-once-${round}@example.com`);
		const same = copyOf(browser, guides);
		const used = await Promise.all([
			...Array.from({ length: 3 }, () => guides.browser().post(link)),
			...Array.from({ length: 3 }, () => {
				const elsewhere = new Browser(second);
				for (const [name, cookie] of browser.cookies) elsewhere.cookies.set(name, cookie);
				return elsewhere.post("/code/use", { code });
			}),
		]);
		expect(used.filter(({ status }) => status === 303)).toHaveLength(1);
		expect(guides.sessions(userId)).toHaveLength(1);
		expect(guides.tokens()).toEqual([]);
		expect((await guides.browser().post(link)).status).toBe(410);
		expect((await same.post("/code/use", { code })).status).toBe(422);
	}
});

it("nothing tells whether an address has an account, also within the minute", async () => {
	const email = "known@example.com";
	await ask(email);
	const before = guides.rows();
	const again = await guides.browser().post("/link-and-code", { email });
	const unknown = await guides.browser().post("/link-and-code", { email: "unknown@example.com" });
	expect(seen(again, email)).toEqual(seen(unknown, "unknown@example.com"));
	await ask("next@example.com");
	expect(guides.rows()[2]).toEqual(expect.arrayContaining(before[2] ?? []));
	expect(guides.mails.filter(({ to }) => to === email)).toHaveLength(1);
});

it("nothing was logged", () => {
	expect(guides.logged()).toBe("");
});
