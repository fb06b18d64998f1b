import { afterAll, beforeAll, expect, it } from "vitest";
import type { Browser } from "../examples/demo.js";
import { type Guides, seen, SIGNED_IN, startGuides } from "./guide-app.js";

let guides: Guides;
beforeAll(async () => {
	guides = await startGuides();
});
afterAll(() => guides?.close());

const ask = async (browser: Browser, email: string): Promise<string> => {
	expect((await browser.post("/code", { email })).status).toBe(303);
	return /\d{4} \d{4}/.exec((await guides.nextMail(email)).text)?.[0] ?? "";
};

const use = (browser: Browser, code: string) => browser.post("/code/use", { code });

const wrong = (code: string, by = 1): string =>
	String((Number(code.replace(" ", "")) + by) % 1e8).padStart(8, "0");

it("a code leads from an address over a mail and a form to a session", async () => {
	const email = "story@example.com";
	const userId = await guides.createBareUser(email);
	const browser = guides.browser();
	expect((await browser.get("/code")).text).toContain('action="/code"');
	const asked = await browser.post("/code", { email: ` ${email.toUpperCase()}` });
	expect(asked.headers.get("location")).toBe("/code");
	expect(asked.headers.getSetCookie()).toEqual([
		expect.stringMatching(
			/^pending_address=[\w-]+; Max-Age=3600; Path=\/code; .*; HttpOnly; SameSite=Lax$/,
		),
	]);
	const mail = await guides.nextMail(email);
	expect(mail.subject).toBe("Your sign-in code");
	expect(guides.tokens()).toEqual([
		expect.stringMatching(new RegExp(`^sign-in-code:${userId}.hmac-sha256 [0-9a-f]{64}$`)),
	]);

	const before = guides.rows();
	for (const method of ["GET", "HEAD"]) {
		const page = await browser.send(method, "/code");
		expect(page.status).toBe(200);
		expect(page.headers.getSetCookie()).toEqual([]);
		if (method === "GET") expect(page.text).toContain('autocomplete="one-time-code"');
	}
	expect(guides.rows()).toEqual(before);

	const [code = ""] = /\d{4} \d{4}/.exec(mail.text) ?? [];
	const answer = await use(browser, code);
	expect(answer.status).toBe(303);
	const [session, cleared] = answer.headers.getSetCookie();
	expect(session).toMatch(SIGNED_IN);
	expect(cleared).toMatch(/^pending_address=; Path=\/code; Expires=Thu, 01 Jan 1970/);
	expect(guides.sessions(userId)).toHaveLength(1);
	expect(guides.tokens()).toEqual([]);
});

it("the new session takes the place of the browser's former one, and the others go on", async () => {
	const email = "sessions@example.com";
	const userId = await guides.createBareUser(email);
	const other = await guides.createBareUser("other@example.com");
	const browser = await guides.signedIn(other);
	await guides.signedIn(userId);
	expect((await use(browser, await ask(browser, email))).status).toBe(303);
	expect(guides.sessions(other)).toEqual([]);
	expect(guides.sessions(userId)).toHaveLength(2);
});

it("nothing tells whether an address has an account, nor why a code does not work", async () => {
	const known = "known@example.com";
	const unknown = "unknown@example.com";
	await guides.createBareUser(known);
	const all = async (email: string) => {
		const browser = guides.browser();
		const asked = await browser.post("/code", { email });
		if (email === known) await guides.nextMail(email);
		const answers = [asked, await browser.get("/code")];
		for (let round = 0; round < 6; round++) answers.push(await use(browser, "00000000"));
		return answers.map((answer) => seen(answer, email));
	};
	const ofUnknown = await all(unknown);
	expect(ofUnknown).toEqual(await all(known));
	expect(ofUnknown.map(({ status }) => status)).toEqual([303, 200, 422, 422, 422, 422, 422, 422]);
	expect(guides.mails.filter(({ to }) => to === unknown)).toEqual([]);
});

it("after five wrong tries, also at once, the right one does not work, and a new code does", async () => {
	const email = "guess@example.com";
	await guides.createBareUser(email);
	const browser = guides.browser();
	const code = await ask(browser, email);
	for (let by = 1; by <= 4; by++) await use(browser, wrong(code, by));
	expect((await use(browser, code)).status).toBe(303);

	for (const atOnce of [false, true]) {
		const again = await ask(browser, email);
		const tries = Array.from({ length: 5 }, (_, by) => () => use(browser, wrong(again, by + 1)));
		if (atOnce) await Promise.all(tries.map((run) => run()));
		else for (const run of tries) await run();
		expect((await use(browser, again)).status).toBe(422);
	}
	expect((await use(browser, await ask(browser, email))).status).toBe(303);
});

it("of twenty that use it at once one is signed in, and nobody after", async () => {
	const email = "twice@example.com";
	const userId = await guides.createBareUser(email);
	const browser = guides.browser();
	const code = await ask(browser, email);
	const browsers = Array.from({ length: 20 }, () => {
		const same = guides.browser();
		for (const [name, cookie] of browser.cookies) same.cookies.set(name, cookie);
		return same;
	});
	const answers = await Promise.all(browsers.map((same) => use(same, code)));
	expect(answers.map(({ status }) => status).sort()).toEqual([303, ...Array<number>(19).fill(422)]);
	expect(guides.sessions(userId)).toHaveLength(1);
	expect((await use(browser, code)).status).toBe(422);
});

it("an expired code signs nobody in, and looks like a wrong one", async () => {
	const email = "late@example.com";
	const userId = await guides.createBareUser(email);
	const browser = guides.browser();
	const code = await ask(browser, email);
	guides.expire();
	const late = await use(browser, code);
	expect(seen(late, email)).toEqual(seen(await use(browser, wrong(code)), email));
	expect(guides.sessions(userId)).toEqual([]);
});

it("a browser that has not asked is sent to ask, and one that asked for another can't use it", async () => {
	const email = "mine@example.com";
	await guides.createBareUser(email);
	await guides.createBareUser("eve@example.com");
	const browser = guides.browser();
	const code = await ask(browser, email);
	const answer = await use(guides.browser(), code);
	expect(answer.status).toBe(303);
	expect(answer.headers.get("location")).toBe("/code");
	const other = guides.browser();
	await ask(other, "eve@example.com");
	expect((await use(other, code)).status).toBe(422);
	expect((await use(browser, code)).status).toBe(303);
});

it("an address is escaped", async () => {
	const browser = guides.browser();
	await browser.post("/code", { email: `"><script>alert('1')</script>` });
	const { text } = await browser.get("/code");
	expect(text).not.toContain("<script>");
	expect(text).toContain("&#60;script&#62;");
});

it("nothing was logged", () => {
	expect(guides.logged()).toBe("");
});
