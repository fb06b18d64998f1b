import { afterAll, beforeAll, expect, it } from "vitest";
import type { Browser } from "../examples/demo.js";
import { type Guides, pathIn, startGuides } from "./guide-app.js";

let guides: Guides;
beforeAll(async () => {
	guides = await startGuides();
});
afterAll(() => guides?.close());

const arrange = async (email: string) => {
	const userId = await guides.createBareUser(email);
	return { userId, browser: await guides.signedIn(userId) };
};

/** Asks for a link to an address, and takes it out of the mail. */
const ask = async (browser: Browser, email: string): Promise<string> => {
	expect((await browser.post("/verify-email", { email })).status).toBe(200);
	return pathIn(await guides.nextMail(email));
};

it("a link verifies the account's address, and the sessions go on", async () => {
	const email = "story@example.com";
	const { userId, browser } = await arrange(email);
	await guides.signedIn(userId);
	const sessions = guides.sessions(userId);
	const asked = await browser.post("/verify-email");
	expect(asked.text).toContain(`A link is on its way to ${email}.`);
	const path = pathIn(await guides.nextMail(email));
	expect(guides.tokens()).toEqual([
		expect.stringMatching(/^email-verification:sha256 [0-9a-f]{64}$/),
	]);
	expect((await guides.scan(path)).status).toBe(200);
	expect(guides.user(userId)).toMatchObject({ email, email_verified: 0 });

	const answer = await browser.post(path);
	expect(answer.text).toContain("Your address is verified.");
	expect(answer.headers.getSetCookie()).toEqual([]);
	expect(guides.user(userId)).toEqual({
		id: userId,
		email,
		email_verified: 1,
		new_email: null,
		new_email_link: null,
	});
	expect(guides.sessions(userId)).toEqual(sessions);
	expect(guides.tokens()).toEqual([]);
	expect((await browser.post(path)).status).toBe(410);
	expect((await guides.scan(path)).status).toBe(410);
});

it("a new address takes the place of the former only when it is verified", async () => {
	const email = "former@example.com";
	const { userId, browser } = await arrange(email);
	const path = await ask(browser, "new@example.com");
	expect(guides.user(userId)).toMatchObject({ email, email_verified: 0 });
	await browser.post("/sign-in", { email });
	const signIn = pathIn(await guides.nextMail(email));
	await browser.post(path);
	expect(guides.user(userId)).toMatchObject({ email: "new@example.com", email_verified: 1 });
	// What lies in the former mailbox is worthless.
	expect((await guides.browser().post(signIn)).status).toBe(410);
});

it("a link to one address verifies no other that was asked for after it", async () => {
	const email = "change@example.com";
	const { userId, browser } = await arrange(email);
	const first = await ask(browser, email);
	const second = await ask(browser, "changed@example.com");
	expect((await browser.post(first)).status).toBe(410);
	expect(guides.user(userId)).toMatchObject({ email, email_verified: 0 });
	expect((await browser.post(second)).status).toBe(200);
	expect(guides.user(userId)).toMatchObject({ email: "changed@example.com", email_verified: 1 });
});

it("a link that the user's row does not name verifies nothing", async () => {
	const email = "row@example.com";
	const { userId, browser } = await arrange(email);
	const path = await ask(browser, email);
	guides.db.prepare("UPDATE auth_user SET new_email_link = NULL WHERE id = ?").run(userId);
	expect((await browser.post(path)).status).toBe(409);
	expect(guides.user(userId)).toMatchObject({ email, email_verified: 0 });
});

it("many links asked for at once leave a state in which a link verifies its own address", async () => {
	const { userId, browser } = await arrange("many@example.com");
	const addresses = Array.from({ length: 8 }, (_, index) => `many-${index}@example.com`);
	const from = guides.mails.length;
	await Promise.all(addresses.map((email) => browser.post("/verify-email", { email })));
	await expect.poll(() => guides.mails.length).toBe(from + addresses.length);
	const mails = guides.mails.splice(from);
	for (const mail of mails) {
		const { status } = await browser.post(pathIn(mail));
		if (status !== 200) continue;
		expect(guides.user(userId)).toMatchObject({ email: mail.to, email_verified: 1 });
	}
});

it("it takes the user's own session, and a link that is refused stays good", async () => {
	const email = "mine@example.com";
	const { userId, browser } = await arrange(email);
	const path = await ask(browser, email);
	expect((await guides.browser().post("/verify-email")).status).toBe(401);
	expect((await guides.browser().post(path)).status).toBe(401);
	expect((await (await arrange("eve@example.com")).browser.post(path)).status).toBe(403);
	expect(guides.user(userId)).toMatchObject({ email_verified: 0 });
	expect((await browser.post(path)).status).toBe(200);
});

it("the address of another account is not taken, and nothing tells before it is proved", async () => {
	const email = "taker@example.com";
	const { userId, browser } = await arrange(email);
	const taken = "taken@example.com";
	await guides.createBareUser(taken);
	const path = await ask(browser, taken);
	expect((await browser.post(path)).status).toBe(409);
	expect(guides.user(userId)).toMatchObject({ email, email_verified: 0 });
});

it.each(["", "x", "a@b c", "a@b\r\nBcc: c@d"])("%j is no address", async (email) => {
	const { browser } = await arrange(`none-${crypto.randomUUID()}@example.com`);
	const before = guides.rows();
	expect((await browser.post("/verify-email", { email })).status).toBe(422);
	expect(guides.rows()).toEqual(before);
});

it("of twenty that press the button at once one verifies", async () => {
	const email = "twice@example.com";
	const { browser } = await arrange(email);
	const path = await ask(browser, email);
	const answers = await Promise.all(Array.from({ length: 20 }, () => browser.post(path)));
	expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array<number>(19).fill(410)]);
});

it("an expired link verifies nothing", async () => {
	const email = "late@example.com";
	const { userId, browser } = await arrange(email);
	const path = await ask(browser, email);
	guides.expire();
	expect((await guides.scan(path)).status).toBe(410);
	expect((await browser.post(path)).status).toBe(410);
	expect(guides.user(userId)).toMatchObject({ email_verified: 0 });
});

it("nothing was logged", () => {
	expect(guides.logged()).toBe("");
});
