import { describe, expect, test } from "vitest";
import { startSharedApp } from "./app.js";
import { type Browser, leadsTo, seen } from "./browser.js";
import { pathIn } from "./smtp.js";

const GOOD = "a good password";
const NEW = "a new password";
const BAD = ["", "7 chars", "x".repeat(257)];

const app = await startSharedApp();

const passwordLink = async (email: string, browser = app.browser()): Promise<string> =>
	pathIn(await app.request(browser, "/password/link", email));

const change = (browser: Browser, current: string, password: string) =>
	browser.post("/password/change", { current, password });

describe("a password", () => {
	test("is chosen by a mailed link, which starts no session, and signs in", async () => {
		const email = "story@example.com";
		const browser = app.browser();
		const link = await passwordLink(email, browser);
		expect((await browser.get(link)).text).toContain(`This is for <strong>${email}`);
		expect(leadsTo(await browser.post(link, { password: GOOD }))).toEqual([
			303,
			"/password/changed",
		]);
		expect(browser.session).toBeUndefined();
		expect(await app.sessions(email)).toEqual([]);
		expect((await app.user(email))?.isVerified).toBe(true);
		expect((await app.smtp.next(email)).subject).toBe("Your password was changed");
		expect(JSON.stringify(await app.tables())).not.toContain(GOOD);
		const used = await browser.post(link, { password: NEW });
		expect(used.status).toBe(410);
		expect(used.text).toContain('action="/password/link"');

		// It replaces another user's session.
		const other = await app.signedIn("other@example.com");
		const former = other.copy();
		const signedIn = await other.post("/password", { email: ` ${email} `, current: GOOD });
		expect(leadsTo(signedIn)).toEqual([303, `${app.origin}/`]);
		expect(await app.sessions(email)).toEqual([other.session]);
		expect(await app.isSignedIn(former)).toBe(false);
	});

	test("that is wrong looks like an unknown address, and like an account without a password", async () => {
		const [known, unknown, bare] = ["known@example.com", "never@example.com", "nopwd@example.com"];
		await app.withPassword(known, GOOD);
		const browser = await app.signedIn(bare);
		const before = await app.tables();
		const pages = [];
		for (const email of [known, unknown, bare]) {
			const page = await app.browser().post("/password", { email, current: NEW });
			expect(page.status).toBe(422);
			pages.push(seen(page, email));
		}
		expect(pages[1]).toEqual(pages[0]);
		expect(pages[2]).toEqual(pages[0]);
		// What an account doesn't have can't be changed, only chosen by mail.
		const { text } = await browser.get("/password/change");
		expect(text).toMatch(new RegExp(`action="/password/link".*value="${bare}"`, "s"));
		expect((await change(browser, "", GOOD)).status).toBe(422);
		expect(await app.tables()).toEqual(before);
	});

	test("can be changed by who knows it, which ends all other sessions and is mailed", async () => {
		const email = "change@example.com";
		const browser = await app.withPassword(email, GOOD);
		const other = app.browser();
		await other.post("/password", { email, current: GOOD });
		const before = await app.tables();
		for (const [current, password] of [
			...["", "a wrong password"].map((wrong) => [wrong, NEW] as const),
			...BAD.map((bad) => [GOOD, bad] as const),
		]) {
			const page = await change(browser, current, password);
			expect(page.status).toBe(422);
			expect(page.text).toContain('aria-invalid="true"');
		}
		expect(await app.tables()).toEqual(before);

		const former = browser.copy();
		expect(leadsTo(await change(browser, GOOD, NEW))).toEqual([303, "/password/changed"]);
		expect((await app.smtp.next(email)).subject).toBe("Your password was changed");
		expect(await app.sessions(email)).toEqual([browser.session]);
		for (const own of [former, other]) expect(await app.isSignedIn(own)).toBe(false);
		expect([await app.works(email, GOOD), await app.works(email, NEW)]).toEqual([false, true]);
		const out = await change(app.browser(), NEW, GOOD);
		expect(leadsTo(out)).toEqual([303, "/sign-in?next=%2Fpassword%2Fchange"]);
	});

	test("can be reset by a mailed link, which ends all sessions and what else was mailed", async () => {
		const email = "reset@example.com";
		const browser = await app.withPassword(email, GOOD);
		await app.nextMinute();
		await app.link(email);
		await app.code(email, app.browser());
		await browser.post("/address", { email: "reset2@example.com", current: GOOD });
		const link = await passwordLink(email);
		for (const password of BAD) {
			const page = await browser.post(link, { password });
			expect(page.status).toBe(422);
			expect(page.text).toContain("A password has 8 to 256 characters.");
		}
		expect(await app.tokens(email)).toHaveLength(4); // a bad password costs no link
		expect(await app.isSignedIn(browser)).toBe(true);

		expect((await browser.post(link, { password: NEW })).status).toBe(303);
		expect((await app.smtp.next(email)).subject).toBe("Your password was changed");
		expect(await app.sessions(email)).toEqual([]);
		expect(await app.tokens(email)).toEqual([]);
		expect([await app.works(email, GOOD), await app.works(email, NEW)]).toEqual([false, true]);
	});
});

/** Has a link mailed that changes the address of the browser's user. */
const move = async (browser: Browser, email: string, current = GOOD): Promise<string> => {
	const page = await browser.post("/address", { email, current });
	expect(leadsTo(page)).toEqual([303, `/address?sent=${encodeURIComponent(email)}`]);
	return pathIn(await app.smtp.next(email));
};

describe("a change of address", () => {
	test("asks for the password, tells the former address, and ends what was mailed there", async () => {
		const [former, email] = ["former@example.com", "o'moved+1@example.com"];
		const browser = await app.withPassword(former, GOOD);
		expect((await browser.get("/address")).text).toContain('name="current"');
		const before = await app.tables();
		for (const fields of [
			{ email, current: "" },
			{ email, current: "a wrong password" },
			{ email: "no", current: GOOD },
		]) {
			const page = await browser.post("/address", fields);
			expect(page.status).toBe(422);
			expect(page.text).toContain(`value="${fields.email}"`);
		}
		expect(await app.tables()).toEqual(before);

		await app.nextMinute();
		await app.link(former);
		await app.code(former, app.browser());
		await passwordLink(former);
		const link = await move(browser, email);
		expect((await browser.get(`/address?sent=${encodeURIComponent(email)}`)).text).toContain(email);
		expect(await app.tokens(former)).toHaveLength(4);
		const soon = await browser.post("/address", { email: "soon@example.com", current: GOOD });
		expect(soon.status).toBe(429);
		expect(Number(soon.headers.get("retry-after"))).toBeGreaterThan(0);

		// The link proves this address, and no other.
		for (const other of ["", "?email=", "?email=other@example.com"]) {
			expect((await browser.post(link.replace(/\?.*/, other))).status).toBe(410);
		}
		expect(leadsTo(await browser.post(link))).toEqual([303, "/"]);
		expect((await app.smtp.next(former)).subject).toBe("Your email address was changed");
		expect((await browser.get("/")).text).toContain(email);
		expect(await app.tokens(email)).toEqual([]);
		expect([await app.works(former, GOOD), await app.works(email, GOOD)]).toEqual([false, true]);
		expect((await browser.post(link)).status).toBe(410);

		// The former address can sign up again.
		await app.nextMinute();
		await app.withPassword(former, NEW);
		expect((await app.user(former))?.id).not.toBe((await app.user(email))?.id);
		expect(await app.works(email, GOOD)).toBe(true);
	});

	test("to an address that is taken is refused only to who reads its mail, and ends nothing", async () => {
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

	test("to an address that nobody has verified takes it, whoever asked for mails there", async () => {
		const browser = await app.withPassword("mover@example.com", GOOD);
		const squatted = await app.link("squatted@example.com"); // somebody requested it
		expect((await browser.post(await move(browser, "squatted@example.com"))).status).toBe(303);
		expect(await app.works("squatted@example.com", GOOD)).toBe(true);
		expect((await app.browser().post(squatted)).status).toBe(410);
	});

	test("works only in its user's session, and leads its user there", async () => {
		const browser = await app.signedIn("mine@example.com");
		expect((await browser.get("/address")).text).not.toContain('name="current"'); // there is none
		const link = await move(browser, "mine2@example.com", "");
		const victim = await app.signedIn("victim@example.com");
		const before = await app.tables();
		expect((await victim.post(link)).status).toBe(403);
		const out = app.browser();
		const next = `/sign-in?next=${encodeURIComponent(link)}`;
		expect(leadsTo(await out.post(link))).toEqual([303, next]);
		expect(await app.tables()).toEqual(before);

		await app.nextMinute();
		await out.post("/sign-in", { email: "mine@example.com", next: link });
		const used = await out.post(pathIn(await app.smtp.next("mine@example.com")));
		expect(leadsTo(used)).toEqual([303, app.origin + link]);
		await app.expire();
		// Another link to the same address takes the place of one that has expired.
		const dead = await app.browser().post(link);
		expect(dead.status).toBe(410);
		expect(dead.text).toMatch(/action="\/address".*value="mine2@example.com"/s);
	});
});
