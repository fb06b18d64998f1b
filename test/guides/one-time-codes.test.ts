import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Browser } from "../examples/demo.js";
import { codeIn, copyOf, type Guides, seen, SIGNED_IN, startGuides, wrong } from "./guide-app.js";

let guides: Guides;
beforeAll(async () => {
	guides = await startGuides();
});
afterAll(() => guides?.close());

const ask = async (browser: Browser, email: string): Promise<string> => {
	expect((await browser.post("/code", { email })).status).toBe(303);
	return codeIn(await guides.nextMail(email));
};

/** A digit in the script whose zero has this code point. */
const shift = (digit: string, zero: number) => String.fromCodePoint(zero + Number(digit));

const use = (browser: Browser, code: string) => browser.post("/code/use", { code });

it("a code leads from an address to a mail, a form and a session", async () => {
	const email = "story@example.com";
	const userId = await guides.createBareUser(email);
	const browser = guides.browser();
	expect((await browser.get("/code")).text).toContain('action="/code"');
	const asked = await browser.post("/code", { email: ` ${email.toUpperCase()}` });
	expect(asked.headers.get("location")).toBe("/code");
	expect(asked.headers.getSetCookie()).toEqual([
		expect.stringMatching(
			/^code_request=[\w-]{36}\.0\.[\w-]+; Max-Age=3600; Path=\/; .*; HttpOnly; SameSite=Lax$/,
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

	const answer = await use(browser, codeIn(mail));
	expect(answer.status).toBe(303);
	const [session, cleared] = answer.headers.getSetCookie();
	expect(session).toMatch(SIGNED_IN);
	expect(cleared).toMatch(/^code_request=; Path=\/; Expires=Thu, 01 Jan 1970/);
	expect(guides.sessions(userId)).toHaveLength(1);
	expect(guides.tokens()).toEqual([]);
	expect(guides.user(userId)).toMatchObject({ email_verified: 1 });
});

it.each([
	["the space of the mail", (code: string) => ` ${code} `],
	["a dash", (code: string) => code.replace(" ", "-")],
	["spaces and invisible characters", (code: string) => [...code].join(" \u200b")],
	["full-width digits", (code: string) => code.replace(/\d/g, (digit) => shift(digit, 0xff10))],
	["Arabic digits", (code: string) => code.replace(/\d/g, (digit) => shift(digit, 0x660))],
])("a code works with %s", async (name, typed) => {
	const email = `${name.replaceAll(" ", "-").toLowerCase()}@example.com`;
	await guides.createBareUser(email);
	const browser = guides.browser();
	expect((await use(browser, typed(await ask(browser, email)))).status).toBe(303);
});

it("the new session replaces the browser's former one, and the others continue", async () => {
	const email = "sessions@example.com";
	const userId = await guides.createBareUser(email);
	guides.verify(userId);
	const other = await guides.createBareUser("other@example.com");
	const browser = await guides.signedIn(other);
	await guides.signedIn(userId);
	expect((await use(browser, await ask(browser, email))).status).toBe(303);
	expect(guides.sessions(other)).toEqual([]);
	expect(guides.sessions(userId)).toHaveLength(2);
});

it("an account that nobody had verified loses the password and sessions of its creator", async () => {
	const email = "claimed@example.com";
	const userId = await guides.createUser(email);
	await guides.signedIn(userId);
	const owner = guides.browser();
	await use(owner, await ask(owner, email));
	expect(guides.user(userId)).toMatchObject({ email_verified: 1 });
	expect(await guides.works(email, "former password")).toBe(false);
	expect(guides.sessions(userId).map((id) => `auth_session=${id}`)).toEqual([owner.cookie]);
});

it("nothing tells whether an address has an account, nor why a code does not work", async () => {
	const known = "known@example.com";
	const unknown = "unknown@example.com";
	await guides.createBareUser(known);
	await guides.createBareUser("next@example.com");
	const all = async (email: string) => {
		const browser = guides.browser();
		const answers = [await browser.post("/code", { email })];
		if (email === known) await guides.nextMail(email);
		// A second time within the minute, which sends nothing.
		answers.push(await browser.post("/code", { email }), await browser.get("/code"));
		for (let round = 0; round < 6; round++) answers.push(await use(browser, "00000000"));
		return answers.map((answer) => seen(answer, email));
	};
	const ofUnknown = await all(unknown);
	expect(ofUnknown).toEqual(await all(known));
	expect(ofUnknown.map(({ status }) => status)).toEqual([
		303, 303, 200, 422, 422, 422, 422, 422, 422,
	]);
	const tooMany = ofUnknown.slice(3).map(({ text }) => text.includes("five wrong codes"));
	expect(tooMany).toEqual([false, false, false, false, true, true]);
	await ask(guides.browser(), "next@example.com");
	expect(guides.mails.filter(({ to }) => to === unknown)).toEqual([]);
});

it("after five wrong codes, also at once, the right one does not work, and a new code does", async () => {
	const email = "guess@example.com";
	await guides.createBareUser(email);
	const browser = guides.browser();
	const code = await ask(browser, email);
	for (let by = 1; by <= 4; by++) await use(browser, wrong(code, by));
	expect((await use(browser, code)).status).toBe(303);

	for (const atOnce of [false, true]) {
		guides.nextMinute();
		const again = await ask(browser, email);
		const guesses = Array.from({ length: 5 }, (_, by) => () => use(browser, wrong(again, by + 1)));
		if (atOnce) await Promise.all(guesses.map((run) => run()));
		else for (const run of guesses) await run();
		expect((await use(browser, again)).status).toBe(422);
	}
	guides.nextMinute();
	const newer = await ask(browser, email);
	expect((await browser.get("/code")).text).not.toContain("five wrong codes");
	expect((await use(browser, newer)).status).toBe(303);
});

it("a cookie that claims fewer attempts brings no more", async () => {
	const email = "cookie@example.com";
	await guides.createBareUser(email);
	const browser = guides.browser();
	const code = await ask(browser, email);
	for (let by = 1; by <= 5; by++) {
		const { text } = await use(copyOf(browser, guides), wrong(code, by));
		expect(text).not.toContain("five wrong codes");
	}
	expect((await use(browser, code)).status).toBe(422);
});

it("of twenty that use it at once one is signed in, and nobody after", async () => {
	const email = "twice@example.com";
	const userId = await guides.createBareUser(email);
	const browser = guides.browser();
	const code = await ask(browser, email);
	const browsers = Array.from({ length: 20 }, () => copyOf(browser, guides));
	const answers = await Promise.all(browsers.map((same) => use(same, code)));
	expect(answers.map(({ status }) => status).sort()).toEqual([303, ...Array<number>(19).fill(422)]);
	expect(guides.sessions(userId)).toHaveLength(1);
	expect((await use(browser, code)).status).toBe(422);
});

it("the second of two clicks reads that it is signed in already, and nobody else does", async () => {
	const email = "clicks@example.com";
	await guides.createBareUser(email);
	const browser = guides.browser();
	const code = await ask(browser, email);
	const stranger = copyOf(browser, guides);
	const early = copyOf(browser, guides);
	await use(browser, code);
	// Whether or not the browser has already dropped its cookie.
	early.cookie = browser.cookie;
	for (const [second, status] of [
		[browser, 410],
		[early, 422],
	] as const) {
		const again = await use(second, code);
		expect(again.status).toBe(status);
		expect(again.text).toContain(`You are already signed in as ${email}.`);
	}
	expect((await use(stranger, code)).text).not.toContain("signed in");
	expect((await use(guides.browser(), code)).text).not.toContain("signed in");
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

describe("the browser that requested a code", () => {
	it("is the only one that can use it", async () => {
		const email = "mine@example.com";
		await guides.createBareUser(email);
		await guides.createBareUser("eve@example.com");
		const browser = guides.browser();
		const code = await ask(browser, email);
		const stranger = await use(guides.browser(), code);
		expect(stranger.status).toBe(410);
		expect(stranger.text).toContain("Request a code in this browser first.");

		// One that has requested a code for another address, and one that has for the same.
		const eve = guides.browser();
		await ask(eve, "eve@example.com");
		const rival = guides.browser();
		guides.nextMinute();
		const rivals = await ask(rival, email);
		for (const other of [eve, rival]) expect((await use(other, code)).status).toBe(422);
		expect((await use(browser, rivals)).status).toBe(422);
		expect((await use(browser, code)).status).toBe(303);
	});

	it("must send its nonce", async () => {
		const email = "nonce@example.com";
		await guides.createBareUser(email);
		const browser = guides.browser();
		const code = await ask(browser, email);
		const [nonce = "", , address = ""] =
			browser.cookies.get("code_request")?.value.split(".") ?? [];
		for (const value of [`.0.${address}`, `x.0.${address}`, `${nonce}x.0.${address}`]) {
			const forger = guides.browser();
			forger.cookies.set("code_request", { value, path: "/" });
			expect((await use(forger, code)).status).toBe(422);
		}
		expect((await use(browser, code)).status).toBe(303);
	});

	it("can use a late code after it has requested another", async () => {
		const email = "twice-asked@example.com";
		await guides.createBareUser(email);
		const browser = guides.browser();
		const code = await ask(browser, email);
		await browser.post("/code", { email }); // sends nothing
		guides.nextMinute();
		await ask(browser, email);
		expect((await use(browser, code)).status).toBe(303);
	});

	it("gets another nonce once it has signed in", async () => {
		const email = "again@example.com";
		await guides.createBareUser(email);
		const browser = guides.browser();
		const former = copyOf(browser, guides);
		await use(browser, await ask(browser, email));
		guides.nextMinute();
		const code = await ask(browser, email);
		expect((await use(former, code)).status).toBe(410);
		expect((await use(browser, code)).status).toBe(303);
	});
});

it("over HTTPS no other host can set the cookies", async () => {
	const secure = await startGuides({ baseUrl: "https://guides.example" });
	try {
		const email = "secure@example.com";
		await secure.createBareUser(email);
		const browser = secure.browser();
		const asked = await browser.post("/code", { email });
		expect(asked.headers.getSetCookie()).toEqual([
			expect.stringMatching(
				/^__Host-code_request=.*; Path=\/; .*; HttpOnly; Secure; SameSite=Lax$/,
			),
		]);
		const used = await use(browser, codeIn(await secure.nextMail(email)));
		expect(used.status).toBe(303);
		expect(used.headers.getSetCookie()[1]).toMatch(/^__Host-code_request=; Path=\/; .*; Secure/);
		const linked = await browser.post("/bound-sign-in", { email });
		expect(linked.headers.getSetCookie()[0]).toMatch(/^__Host-link_request=[\w-]{36};.*; Secure/);
	} finally {
		await secure.close();
	}
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
