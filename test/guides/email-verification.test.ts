import { afterAll, beforeAll, expect, it } from "vitest";
import type { Browser } from "../examples/demo.js";
import { formIn, type Guides, pathIn, startGuides } from "./guide-app.js";

let guides: Guides;
beforeAll(async () => {
	guides = await startGuides();
});
afterAll(() => guides?.close());

const arrange = async (email: string) => {
	const userId = await guides.createBareUser(email);
	return { userId, browser: await guides.signedIn(userId) };
};

/** Requests a link to an address, and takes it out of the mail. */
const ask = async (browser: Browser, email: string): Promise<string> => {
	expect((await browser.post("/verify-email", { email })).status).toBe(200);
	return pathIn(await guides.nextMail(email));
};

/** The link with another address in it. */
const readdressed = (path: string, email: string): string =>
	`${path.split("?")[0]}?email=${encodeURIComponent(email)}`;

it("a link verifies the account's address, and the sessions continue", async () => {
	const email = "story@example.com";
	const { userId, browser } = await arrange(email);
	await guides.signedIn(userId);
	const sessions = guides.sessions(userId);
	const asked = await browser.post("/verify-email");
	expect(asked.text).toContain(`A link is on its way to ${email}.`);
	const path = pathIn(await guides.nextMail(email));
	expect(path).toMatch(/^\/verify-email\/\w{43}\?email=story%40example\.com$/);
	expect(guides.tokens()).toEqual([
		expect.stringMatching(/^email-verification:sha256 [0-9a-f]{64}$/),
	]);
	const page = await guides.scan(path);
	expect(page.status).toBe(200);
	expect(page.text).toContain(`Is ${email} your address?`);
	expect(guides.user(userId)).toMatchObject({ email, email_verified: 0 });

	const answer = await browser.post(path);
	expect(answer.text).toContain("Your address is verified.");
	expect(answer.headers.getSetCookie()).toEqual([]);
	expect(guides.user(userId)).toMatchObject({ email, email_verified: 1 });
	expect(guides.sessions(userId)).toEqual(sessions);
	expect(guides.tokens()).toEqual([]);
	expect((await browser.post(path)).status).toBe(410);
	expect((await guides.scan(path)).status).toBe(410);
});

it("a new address replaces the former one only when it is verified", async () => {
	const email = "former@example.com";
	const { userId, browser } = await arrange(email);
	const path = await ask(browser, "new@example.com");
	expect(guides.user(userId)).toMatchObject({ email, email_verified: 0 });
	await browser.post("/link-and-code", { email });
	const signIn = pathIn(await guides.nextMail(email));
	await browser.post(path);
	expect(guides.tokens()).toEqual([]);
	expect(guides.user(userId)).toMatchObject({ email: "new@example.com", email_verified: 1 });
	// What is in the former mailbox is worthless.
	expect((await guides.browser().post(signIn)).status).toBe(410);
});

it("a link verifies the one address that it was sent to, and stays good when tried with others", async () => {
	const email = "bound@example.com";
	const { userId, browser } = await arrange(email);
	const path = await ask(browser, email);
	for (const other of ["victim@example.com", "", "undefined", `${email}\0`]) {
		const forged = readdressed(path, other);
		expect((await guides.scan(forged)).status).toBe(410);
		expect((await browser.post(forged)).status).toBe(410);
	}
	expect((await browser.post(path.split("?")[0] ?? "")).status).toBe(410);
	expect((await browser.post(`${path}&email=victim@example.com`)).status).toBe(410);
	expect(guides.user(userId)).toMatchObject({ email, email_verified: 0 });
	expect((await browser.post(path)).status).toBe(200);
	expect(guides.user(userId)).toMatchObject({ email, email_verified: 1 });
});

it("a link to one address verifies no other that was requested after it", async () => {
	const email = "change@example.com";
	const { userId, browser } = await arrange(email);
	const first = await ask(browser, email);
	guides.nextMinute();
	const second = await ask(browser, "changed@example.com");
	for (const path of [first, readdressed(first, "changed@example.com")]) {
		expect((await browser.post(path)).status).toBe(410);
	}
	expect(guides.user(userId)).toMatchObject({ email, email_verified: 0 });
	expect((await browser.post(second)).status).toBe(200);
	expect(guides.user(userId)).toMatchObject({ email: "changed@example.com", email_verified: 1 });
});

it("a second link within a minute is refused with the seconds to wait, whatever the address", async () => {
	const { browser } = await arrange("minute@example.com");
	await guides.createBareUser("minute-taken@example.com");
	await ask(browser, "minute@example.com");
	for (const email of ["minute@example.com", "minute-taken@example.com", "minute-2@example.com"]) {
		const answer = await browser.post("/verify-email", { email });
		expect(answer.status).toBe(429);
		const seconds = Number(answer.headers.get("retry-after"));
		expect(seconds).toBeGreaterThan(0);
		expect(seconds).toBeLessThanOrEqual(60);
		expect(answer.text).toContain(`Wait ${seconds} seconds`);
	}
	guides.nextMinute();
	await ask(browser, "minute-2@example.com");
});

it("of eight links requested at once one is sent, and verifies its own address", async () => {
	const { userId, browser } = await arrange("many@example.com");
	const addresses = Array.from({ length: 8 }, (_, index) => `many-${index}@example.com`);
	const answers = await Promise.all(
		addresses.map((email) => browser.post("/verify-email", { email })),
	);
	expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array<number>(7).fill(429)]);
	const email = addresses[answers.findIndex(({ status }) => status === 200)] ?? "";
	expect((await browser.post(pathIn(await guides.nextMail(email)))).status).toBe(200);
	expect(guides.user(userId)).toMatchObject({ email, email_verified: 1 });
});

it("a user can sign in by link before they use it", async () => {
	const email = "first@example.com";
	const { userId, browser } = await arrange(email);
	guides.verify(userId);
	const path = await ask(browser, "first-new@example.com");
	const elsewhere = guides.browser();
	await elsewhere.post("/sign-in", { email });
	await elsewhere.post(pathIn(await guides.nextMail(email)));
	expect((await elsewhere.post(path)).status).toBe(200);
});

it("a link works only in the user's own session, and stays good when it is refused", async () => {
	const email = "mine@example.com";
	const { userId, browser } = await arrange(email);
	const path = await ask(browser, email);
	expect((await guides.browser().post("/verify-email")).status).toBe(401);
	expect((await guides.browser().post(path)).status).toBe(401);
	expect((await (await arrange("eve@example.com")).browser.post(path)).status).toBe(403);
	expect(guides.user(userId)).toMatchObject({ email_verified: 0 });
	expect((await browser.post(path)).status).toBe(200);
});

it("the address of another account is refused, but only once the user has proved that they own it", async () => {
	const email = "taker@example.com";
	const { userId, browser } = await arrange(email);
	const taken = "taken@example.com";
	await guides.createBareUser(taken);
	const path = await ask(browser, taken);
	expect((await browser.post(path)).status).toBe(409);
	expect(guides.user(userId)).toMatchObject({ email, email_verified: 0 });
});

it("a link carries an address with special characters", async () => {
	const { userId, browser } = await arrange("plain@example.com");
	const email = "o'neil+a&b=c%41#d@example.com";
	const path = await ask(browser, email);
	expect((await browser.get(path)).text).toContain("o&#39;neil+a&#38;b=c%41#d@example.com");
	expect((await browser.post(path)).status).toBe(200);
	expect(guides.user(userId)).toMatchObject({ email, email_verified: 1 });
});

it.each(["", "x", "a@b c", "a@b@c", "a@b\r\nBcc: c@d"])(
	"%j is refused as an address",
	async (email) => {
		const { browser } = await arrange(`none-${crypto.randomUUID()}@example.com`);
		const before = guides.rows();
		expect((await browser.post("/verify-email", { email })).status).toBe(422);
		expect(guides.rows()).toEqual(before);
	},
);

it("of twenty that press the button at once one verifies", async () => {
	const email = "twice@example.com";
	const { browser } = await arrange(email);
	const path = await ask(browser, email);
	const answers = await Promise.all(Array.from({ length: 20 }, () => browser.post(path)));
	expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array<number>(19).fill(410)]);
});

it("an expired link verifies nothing, and offers a new link to its address", async () => {
	const { userId, browser } = await arrange("late@example.com");
	const email = "later@example.com";
	const path = await ask(browser, email);
	guides.expire();
	const looked = await guides.scan(path);
	expect(looked.status).toBe(410);
	expect((await browser.post(path)).status).toBe(410);
	expect(guides.user(userId)).toMatchObject({ email_verified: 0 });
	guides.nextMinute();
	const { action, fields } = formIn(looked);
	await browser.post(action, fields);
	expect((await browser.post(pathIn(await guides.nextMail(email)))).status).toBe(200);
});

it("nothing was logged", () => {
	expect(guides.logged()).toBe("");
});
