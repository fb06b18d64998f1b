import { afterAll, beforeAll, expect, it } from "vitest";
import { type Guides, pathIn, seen, SIGNED_IN, startGuides } from "./guide-app.js";

let guides: Guides;
beforeAll(async () => {
	guides = await startGuides();
});
afterAll(() => guides?.close());

const users = (email: string) => guides.rows()[0]?.filter((user) => user["email"] === email) ?? [];

it("a link creates an account, and its use verifies the address", async () => {
	const email = "new@example.com";
	expect((await guides.browser().get("/sign-up")).text).toContain('name="email"');
	const asked = await guides.browser().post("/sign-up", { email: ` ${email.toUpperCase()}` });
	expect(asked.status).toBe(200);
	const path = pathIn(await guides.nextMail(email));
	expect(users(email)).toMatchObject([{ email_verified: 0 }]);
	expect(guides.rows()[1]).toEqual([]);

	expect((await guides.scan(path)).text).toContain(`Sign in as ${email}?`);
	const answer = await guides.browser().post(path);
	expect(answer.status).toBe(303);
	expect(answer.headers.getSetCookie()).toEqual([expect.stringMatching(SIGNED_IN)]);
	expect(users(email)).toMatchObject([{ email_verified: 1 }]);
	expect((await guides.browser().post(path)).status).toBe(410);
});

it("nothing tells whether an address has an account already, also within the minute", async () => {
	const known = "known@example.com";
	const userId = await guides.createUser(known);
	const fresh = "fresh@example.com";
	const answers = [];
	for (const email of [known, fresh]) {
		answers.push(seen(await guides.browser().post("/sign-up", { email }), email));
		const mail = await guides.nextMail(email);
		expect(mail.subject).toBe("Your sign-in link");
		answers.push(seen(await guides.browser().post("/sign-up", { email }), email));
	}
	for (const answer of answers) expect(answer).toEqual(answers[0]);
	expect(users(known)).toEqual([guides.user(userId)]);
});

it("twenty requests at once for one address create one account and send one mail", async () => {
	const email = "twenty@example.com";
	await Promise.all(Array.from({ length: 20 }, () => guides.browser().post("/sign-up", { email })));
	await guides.nextMail(email);
	await guides.browser().post("/sign-up", { email: "after-twenty@example.com" });
	await guides.nextMail("after-twenty@example.com");
	expect(users(email)).toHaveLength(1);
});

it("an invalid address creates nothing", async () => {
	const before = guides.rows();
	for (const email of ["", "x", "a@b c", "a@b\r\nBcc: c@d"]) {
		expect((await guides.browser().post("/sign-up", { email })).status).toBe(422);
	}
	expect(guides.rows()).toEqual(before);
});

it("nothing was logged", () => {
	expect(guides.logged()).toBe("");
});
