import { afterAll, beforeAll, expect, it } from "vitest";
import { formIn, type Guides, pathIn, seen, SIGNED_IN, startGuides } from "./guide-app.js";

let guides: Guides;
beforeAll(async () => {
	guides = await startGuides();
});
afterAll(() => guides?.close());

const ask = async (email: string): Promise<string> => {
	expect((await guides.browser().post("/sign-in", { email })).status).toBe(200);
	return pathIn(await guides.nextMail(email));
};

it("a link leads from an address to a mail, a button and a session", async () => {
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
	expect(guides.user(userId)).toMatchObject({ email_verified: 0 });

	const answer = await guides.browser().post(path);
	expect(answer.status).toBe(303);
	expect(answer.headers.getSetCookie()).toEqual([expect.stringMatching(SIGNED_IN)]);
	expect(guides.sessions(userId)).toHaveLength(1);
	expect(guides.user(userId)).toMatchObject({ email_verified: 1 });
});

it("the new session replaces the browser's former one, and the others continue", async () => {
	const email = "sessions@example.com";
	const userId = await guides.createBareUser(email);
	guides.verify(userId);
	const elsewhere = await guides.createBareUser("x@example.com");
	const browser = await guides.signedIn(elsewhere);
	await guides.signedIn(userId);
	const former = guides.sessions(userId);
	expect((await browser.post(await ask(email))).status).toBe(303);
	expect(guides.sessions(elsewhere)).toEqual([]);
	expect(guides.sessions(userId)).toEqual(expect.arrayContaining(former));
	expect(guides.sessions(userId)).toHaveLength(2);
});

it("an account that nobody had verified loses the password and sessions of its creator", async () => {
	const email = "claimed@example.com";
	const userId = await guides.createUser(email);
	await guides.auth.createKey(userId, {
		type: "persistent",
		providerId: "other-provider",
		providerUserId: "eve",
		password: null,
	});
	const creator = await guides.signedIn(userId);
	const owner = guides.browser();
	expect((await owner.post(await ask(email))).status).toBe(303);

	expect(guides.user(userId)).toMatchObject({ email_verified: 1 });
	expect(await guides.works(email, "former password")).toBe(false);
	// What is left are the rows of the interval, and the spent row of the link.
	const keys = await guides.auth.getAllUserKeys(userId);
	expect(keys.map(({ type, providerId }) => [type, providerId])).toEqual(
		Array(4).fill(["single_use", ""]),
	);
	expect(guides.sessions(userId).map((id) => `auth_session=${id}`)).toEqual([owner.cookie]);
	expect((await creator.post("/verify-email")).status).toBe(401);
});

it("a verified account keeps its password", async () => {
	const email = "verified@example.com";
	guides.verify(await guides.createUser(email));
	expect((await guides.browser().post(await ask(email))).status).toBe(303);
	expect(await guides.works(email, "former password")).toBe(true);
});

it("nothing tells whether an address has an account, also within the minute", async () => {
	const email = "known@example.com";
	const unknown = "unknown@example.com";
	await guides.createBareUser(email);
	await guides.createBareUser("next@example.com");
	const before = guides.rows();
	const ofUnknown = seen(await guides.browser().post("/sign-in", { email: unknown }), unknown);
	expect(guides.rows()).toEqual(before);
	const first = seen(await guides.browser().post("/sign-in", { email }), email);
	await guides.nextMail(email);
	const second = seen(await guides.browser().post("/sign-in", { email }), email);
	for (const answer of [first, second]) expect(answer).toEqual(ofUnknown);
	// The second request sent nothing: the next mail is this one.
	await ask("next@example.com");
	expect(guides.mails.filter(({ to }) => to === unknown)).toEqual([]);

	guides.nextMinute();
	await ask(email);
});

it("of ten requests for a link at once one sends a mail", async () => {
	const email = "ten@example.com";
	await guides.createBareUser(email);
	await guides.createBareUser("after-ten@example.com");
	await Promise.all(Array.from({ length: 10 }, () => guides.browser().post("/sign-in", { email })));
	await guides.nextMail(email);
	await ask("after-ten@example.com");
	expect(guides.mails.filter(({ to }) => to === email)).toHaveLength(1);
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

it("the second of two clicks reads that it is signed in already, and nobody else does", async () => {
	const email = "clicks@example.com";
	await guides.createBareUser(email);
	const path = await ask(email);
	const browser = guides.browser();
	await browser.post(path);
	const again = await browser.post(path);
	expect(again.status).toBe(410);
	expect(again.text).toContain(`You are already signed in as ${email}.`);
	expect(again.headers.getSetCookie()).toEqual([]);
	expect((await guides.browser().post(path)).text).not.toContain("signed in");
});

it("an expired link signs nobody in, and offers its holder a new one", async () => {
	const email = "o'late@example.com";
	const userId = await guides.createBareUser(email);
	const path = await ask(email);
	guides.expireTokens();
	const looked = await guides.scan(path);
	const pressed = await guides.browser().post(path);
	const gone = await guides.browser().post(path);
	expect([pressed.status, gone.status]).toEqual([410, 410]);
	expect(seen(looked, "")).toEqual(seen(pressed, ""));
	expect(gone.text).not.toContain("Send a new link");
	expect(guides.sessions(userId)).toEqual([]);
	expect(guides.user(userId)).toMatchObject({ email_verified: 0 });

	const offer = formIn(looked);
	expect(offer).toEqual({ action: "/sign-in", fields: { email } });
	const usual = await guides.browser().post("/sign-in", { email: "unknown@example.com" });
	const click = () => guides.browser().post(offer.action, offer.fields);
	// Nothing is sent within the minute.
	expect(seen(await click(), "")).toEqual(seen(usual, ""));
	guides.nextMinute();
	expect(seen(await click(), "")).toEqual(seen(usual, ""));
	expect((await guides.browser().post(pathIn(await guides.nextMail(email)))).status).toBe(303);
	expect(guides.mails.filter(({ to }) => to === email)).toHaveLength(2);
});

it("a link works with the punctuation that a mail client added to it", async () => {
	const email = "glued@example.com";
	await guides.createBareUser(email);
	const path = await ask(email);
	for (const glued of [".", ",", ")", "]", ">", "'", '"', "%3E", "%22", ").", "%E2%80%9D"]) {
		expect((await guides.scan(path + glued)).text).toContain(`Sign in as ${email}?`);
	}
	expect((await guides.scan(`${path}x`)).status).toBe(410);
	expect((await guides.browser().post(`${path}%3E.`)).status).toBe(303);
});

it("three links at most are good, and none once one was used", async () => {
	const email = "four@example.com";
	await guides.createBareUser(email);
	const paths: string[] = [];
	for (let round = 0; round < 4; round++) {
		paths.push(await ask(email));
		guides.nextMinute();
	}
	const statuses = () =>
		Promise.all(paths.map(async (path) => (await guides.browser().get(path)).status));
	expect(await statuses()).toEqual([410, 200, 200, 200]);
	expect((await guides.browser().post(paths[1] ?? "")).status).toBe(303);
	expect(await statuses()).toEqual([410, 410, 410, 410]);
});

it("nothing was logged", () => {
	expect(guides.logged()).toBe("");
});
