import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type App, startApp } from "./app.js";
import { type Browser, seen } from "./browser.js";
import { pathIn } from "./smtp.js";

const GOOD = "a good password";
const NEW = "a new password";

let app: App;
beforeAll(async () => {
	app = await startApp();
});
afterAll(async () => {
	await app?.close();
	expect(app.logged()).toBe("");
});

const passwordLink = async (email: string, browser = app.browser()): Promise<string> =>
	pathIn(await app.request(browser, "/password/link", email));

const change = (browser: Browser, current: string, password: string) =>
	browser.post("/password/change", { current, password });

describe("a password", () => {
	it("is chosen by a mailed link, which starts no session, and signs in", async () => {
		const email = "story@example.com";
		const browser = app.browser();
		const link = await passwordLink(email, browser);
		expect((await browser.get(link)).text).toContain(`This is for <strong>${email}`);
		const chosen = await browser.post(link, { password: GOOD });
		expect([chosen.status, chosen.headers.get("location")]).toEqual([303, "/password/changed"]);
		expect(browser.session).toBeUndefined();
		expect(await app.sessions(email)).toEqual([]);
		expect((await app.user(email))?.isVerified).toBe(true);
		expect((await app.smtp.next(email)).subject).toBe("Your password was changed");
		expect(JSON.stringify(await app.tables())).not.toContain(GOOD);
		expect((await browser.post(link, { password: NEW })).status).toBe(410);

		const signedIn = await browser.post("/password", { email: ` ${email} `, current: GOOD });
		expect([signedIn.status, signedIn.headers.get("location")]).toEqual([303, `${app.origin}/`]);
		expect(await app.sessions(email)).toEqual([browser.session]);
		// Another user's session is replaced.
		const other = await app.signedIn("other@example.com");
		const former = other.copy();
		await other.post("/password", { email, current: GOOD });
		expect((await other.get("/")).text).toContain(email);
		expect(await app.isSignedIn(former)).toBe(false);
	});

	it("that is wrong looks like an unknown address, and like an account without a password", async () => {
		const [known, unknown, bare] = ["known@example.com", "never@example.com", "nopwd@example.com"];
		await app.withPassword(known, GOOD);
		await app.signedIn(bare);
		const before = await app.tables();
		const pages = [];
		for (const email of [known, unknown, bare]) {
			const page = await app.browser().post("/password", { email, current: NEW });
			expect(page.status).toBe(422);
			pages.push(seen(page, email));
		}
		expect(pages[1]).toEqual(pages[0]);
		expect(pages[2]).toEqual(pages[0]);
		expect(await app.tables()).toEqual(before);
	});

	it("can be changed by who knows it, which ends all other sessions and is mailed", async () => {
		const email = "change@example.com";
		const browser = await app.withPassword(email, GOOD);
		const other = app.browser();
		await other.post("/password", { email, current: GOOD });
		const before = await app.tables();
		for (const [current, password] of [
			["a wrong password", NEW],
			["", NEW],
			[GOOD, "7 chars"],
			[GOOD, "x".repeat(257)],
		] as const) {
			const page = await change(browser, current, password);
			expect(page.status).toBe(422);
			expect(page.text).toContain('aria-invalid="true"');
		}
		expect(await app.tables()).toEqual(before);

		const former = browser.copy();
		const changed = await change(browser, GOOD, NEW);
		expect([changed.status, changed.headers.get("location")]).toEqual([303, "/password/changed"]);
		expect((await app.smtp.next(email)).subject).toBe("Your password was changed");
		expect(await app.sessions(email)).toEqual([browser.session]);
		for (const own of [former, other]) expect(await app.isSignedIn(own)).toBe(false);
		expect([await app.works(email, GOOD), await app.works(email, NEW)]).toEqual([false, true]);
		expect((await change(app.browser(), NEW, GOOD)).headers.get("location")).toBe(
			"/sign-in?next=%2Fpassword%2Fchange",
		);
	});

	it("can be reset by a mailed link, which ends all sessions and what else was mailed", async () => {
		const email = "reset@example.com";
		const browser = await app.withPassword(email, GOOD);
		await app.nextMinute();
		await app.link(email);
		await app.code(email, app.browser());
		await browser.post("/address", { email: "mine@example.com", current: GOOD });
		const move = pathIn(await app.smtp.next("mine@example.com"));
		const link = await passwordLink(email);
		expect(await app.tokens(email)).toHaveLength(4);
		for (const password of ["", "7 chars", "x".repeat(257)]) {
			const page = await browser.post(link, { password });
			expect(page.status).toBe(422);
			expect(page.text).toContain("A password has 8 to 256 characters.");
		}
		expect(await app.tokens(email)).toHaveLength(4); // what is too short costs no link
		expect(await app.isSignedIn(browser)).toBe(true);

		expect((await browser.post(link, { password: NEW })).status).toBe(303);
		expect((await app.smtp.next(email)).subject).toBe("Your password was changed");
		expect(await app.sessions(email)).toEqual([]);
		expect(await app.tokens(email)).toEqual([]);
		expect([await app.works(email, GOOD), await app.works(email, NEW)]).toEqual([false, true]);
		await browser.post("/password", { email, current: NEW });
		expect((await browser.post(move)).status).toBe(410);
	});

	it("has one link that works, the newest, and an expired one offers another to its owner", async () => {
		const email = "newest@example.com";
		const first = await passwordLink(email);
		await app.nextMinute();
		const second = await passwordLink(email);
		expect((await app.browser().get(first)).status).toBe(410);
		await app.expire();
		for (const page of [
			await app.browser().get(second),
			await app.browser().post(second, { password: GOOD }),
		]) {
			expect(page.status).toBe(410);
			expect(page.text).toMatch(new RegExp(`action="/password/link".*value="${email}"`, "s"));
		}
	});

	it("that an account doesn't have can't be changed, only chosen by mail", async () => {
		const browser = await app.signedIn("none@example.com");
		const { text } = await browser.get("/password/change");
		expect(text).toMatch(/action="\/password\/link".*value="none@example.com"/s);
		expect((await change(browser, "", GOOD)).status).toBe(422);
		expect(await app.works("none@example.com", GOOD)).toBe(false);
	});
});

/** Has a link mailed that changes the address of the browser's user. */
const move = async (browser: Browser, email: string, current = GOOD): Promise<string> => {
	const page = await browser.post("/address", { email, current });
	expect(page.headers.get("location")).toBe(`/address?sent=${encodeURIComponent(email)}`);
	return pathIn(await app.smtp.next(email));
};

describe("a change of address", () => {
	it("asks for the password, moves it in one step, and tells the former address", async () => {
		const [former, email] = ["former@example.com", "o'moved+1@example.com"];
		const browser = await app.withPassword(former, GOOD);
		expect((await browser.get("/address")).text).toContain('name="current"');
		const before = await app.tables();
		for (const current of ["", "a wrong password"]) {
			const page = await browser.post("/address", { email, current });
			expect(page.status).toBe(422);
			expect(page.text).toContain(`value="${email}"`);
		}
		expect((await browser.post("/address", { email: "no", current: GOOD })).status).toBe(422);
		expect(await app.tables()).toEqual(before);

		const link = await move(browser, email);
		expect((await browser.get(`/address?sent=${encodeURIComponent(email)}`)).text).toContain(email);
		expect((await app.user(former))?.id).toBeDefined();
		const soon = await browser.post("/address", { email: "soon@example.com", current: GOOD });
		expect(soon.status).toBe(429);
		expect(Number(soon.headers.get("retry-after"))).toBeGreaterThan(0);

		// The link proves this address, and no other.
		for (const other of ["", "?email=", "?email=other@example.com"]) {
			expect((await browser.post(link.replace(/\?.*/, other))).status).toBe(410);
		}
		expect((await browser.post(link)).headers.get("location")).toBe("/");
		expect((await app.smtp.next(former)).subject).toBe("Your email address was changed");
		expect((await browser.get("/")).text).toContain(email);
		expect([await app.works(former, GOOD), await app.works(email, GOOD)]).toEqual([false, true]);
		expect((await browser.post(link)).status).toBe(410);

		// The former address can sign up again.
		await app.nextMinute();
		await app.withPassword(former, NEW);
		expect((await app.user(former))?.id).not.toBe((await app.user(email))?.id);
		expect(await app.works(email, GOOD)).toBe(true);
	});

	it("ends what was mailed to the former address", async () => {
		const email = "mailed@example.com";
		const browser = await app.withPassword(email, GOOD);
		await app.nextMinute();
		const signIn = await app.link(email);
		const asking = app.browser();
		const code = await app.code(email, asking);
		const reset = await passwordLink(email);
		expect((await browser.post(await move(browser, "mailed2@example.com"))).status).toBe(303);
		expect((await app.browser().post(signIn)).status).toBe(410);
		expect((await asking.post("/code/use", { code })).status).toBe(422);
		expect((await app.browser().post(reset, { password: NEW })).status).toBe(410);
		expect(await app.isSignedIn(browser)).toBe(true);
	});

	it("to an address that is taken is refused only to who reads its mail, and ends nothing", async () => {
		await app.signedIn("taken@example.com");
		const browser = await app.withPassword("taker@example.com", GOOD);
		await app.link("taker@example.com");
		const link = await move(browser, "taken@example.com");
		const before = await app.tables();
		const page = await browser.post(link);
		expect(page.status).toBe(409);
		expect(page.text).toContain('href="/address"');
		expect(await app.tables()).toEqual(before);
	});

	it("to an address that nobody has verified takes it, whoever asked for mails there", async () => {
		const browser = await app.withPassword("mover@example.com", GOOD);
		const squatted = await app.link("squatted@example.com"); // somebody requested it
		expect((await browser.post(await move(browser, "squatted@example.com"))).status).toBe(303);
		expect(await app.works("squatted@example.com", GOOD)).toBe(true);
		expect((await app.browser().post(squatted)).status).toBe(410);
	});

	it("works only in its user's session", async () => {
		const browser = await app.signedIn("mine2@example.com");
		expect((await browser.get("/address")).text).not.toContain('name="current"'); // there is none
		const link = await move(browser, "mine3@example.com", "");
		const victim = await app.signedIn("victim@example.com");
		const before = await app.tables();
		expect((await victim.post(link)).status).toBe(403);
		const out = await app.browser().post(link);
		expect(out.headers.get("location")).toBe(`/sign-in?next=${encodeURIComponent(link)}`);
		expect(await app.tables()).toEqual(before);

		// Signed out, the user gets back to it.
		await app.nextMinute();
		const again = app.browser();
		await again.post("/sign-in", { email: "mine2@example.com", next: link });
		const used = await again.post(pathIn(await app.smtp.next("mine2@example.com")));
		expect(used.headers.get("location")).toBe(app.origin + link);
		expect((await again.post(link)).status).toBe(303);
		expect((await again.get("/")).text).toContain("mine3@example.com");
	});

	it("offers another link to the same address once the first has expired", async () => {
		const browser = await app.signedIn("late@example.com");
		const link = await move(browser, "late2@example.com", "");
		await app.expire();
		const page = await app.browser().get(link);
		expect(page.status).toBe(410);
		expect(page.text).toMatch(/action="\/address".*value="late2@example.com"/s);
	});
});
