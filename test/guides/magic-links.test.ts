import { afterAll, beforeAll, expect, it } from "vitest";
import { type Guides, pathIn, seen, SIGNED_IN, startGuides } from "./guide-app.js";

let guides: Guides;
beforeAll(async () => {
	guides = await startGuides();
});
afterAll(() => guides?.close());

const ask = async (email: string): Promise<string> => {
	expect((await guides.browser().post("/sign-in", { email })).status).toBe(200);
	return pathIn(await guides.nextMail(email));
};

it("a link leads from an address over a mail and a button to a session", async () => {
	const email = "story@example.com";
	const userId = await guides.createBareUser(email);
	expect((await guides.browser().get("/sign-in")).text).toContain('name="email"');
	await guides.browser().post("/sign-in", { email: ` ${email.toUpperCase()}` });
	const mail = await guides.nextMail(email);
	expect(mail.subject).toBe("Your sign-in link");
	const path = pathIn(mail);
	expect(path).toMatch(/^\/sign-in\/\w{43}$/);
	expect(guides.tokens()).toEqual([expect.stringMatching(/^magic-link:sha256 [0-9a-f]{64}$/)]);

	const page = await guides.scan(path);
	expect(page.status).toBe(200);
	expect(page.text).toContain(`Sign in as ${email}?`);

	const answer = await guides.browser().post(path);
	expect(answer.status).toBe(303);
	expect(answer.headers.getSetCookie()).toEqual([expect.stringMatching(SIGNED_IN)]);
	expect(guides.sessions(userId)).toHaveLength(1);
});

it("the new session takes the place of the browser's former one, and the others go on", async () => {
	const email = "sessions@example.com";
	const userId = await guides.createBareUser(email);
	const [elsewhere, stranger] = [await guides.createBareUser("x@example.com"), userId];
	const browser = await guides.signedIn(elsewhere);
	await guides.signedIn(stranger);
	const former = guides.sessions(userId);
	expect((await browser.post(await ask(email))).status).toBe(303);
	expect(guides.sessions(elsewhere)).toEqual([]);
	expect(guides.sessions(userId)).toEqual(expect.arrayContaining(former));
	expect(guides.sessions(userId)).toHaveLength(2);
});

it("nothing tells whether an address has an account", async () => {
	const email = "known@example.com";
	const unknown = "unknown@example.com";
	await guides.createBareUser(email);
	const before = guides.rows();
	const second = await guides.browser().post("/sign-in", { email: unknown });
	expect(guides.rows()).toEqual(before);
	const first = await guides.browser().post("/sign-in", { email });
	expect(seen(second, unknown)).toEqual(seen(first, email));
	await guides.nextMail(email);
	expect(guides.mails.filter(({ to }) => to === unknown)).toEqual([]);
});

it("of twenty that press the button at once one is signed in, and nobody after", async () => {
	const email = "twice@example.com";
	const userId = await guides.createBareUser(email);
	const path = await ask(email);
	const answers = await Promise.all(Array.from({ length: 20 }, () => guides.browser().post(path)));
	expect(answers.map(({ status }) => status).sort()).toEqual([303, ...Array<number>(19).fill(410)]);
	expect(guides.sessions(userId)).toHaveLength(1);
	expect((await guides.browser().post(path)).status).toBe(410);
	expect((await guides.scan(path)).status).toBe(410);
});

it("an expired link signs nobody in, and looks like an unknown one", async () => {
	const email = "late@example.com";
	const userId = await guides.createBareUser(email);
	const path = await ask(email);
	guides.expire();
	const looked = await guides.scan(path);
	const pressed = await guides.browser().post(path);
	const unknown = await guides.browser().post(`/sign-in/${"x".repeat(43)}`);
	expect(pressed.status).toBe(410);
	for (const answer of [looked, unknown]) expect(seen(answer, "")).toEqual(seen(pressed, ""));
	expect(guides.sessions(userId)).toEqual([]);
});

it("three links at most are good, and none once one was used", async () => {
	const email = "four@example.com";
	await guides.createBareUser(email);
	const paths = [await ask(email), await ask(email), await ask(email), await ask(email)];
	const statuses = () =>
		Promise.all(paths.map(async (path) => (await guides.browser().get(path)).status));
	expect(await statuses()).toEqual([410, 200, 200, 200]);
	expect((await guides.browser().post(paths[1] ?? "")).status).toBe(303);
	expect(await statuses()).toEqual([410, 410, 410, 410]);
});

it("nothing was logged", () => {
	expect(guides.logged()).toBe("");
});
