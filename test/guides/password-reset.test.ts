import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { formIn, type Guides, pathIn, seen, SIGNED_IN, startGuides } from "./guide-app.js";

let guides: Guides;
beforeAll(async () => {
	guides = await startGuides();
});
afterAll(() => guides?.close());

const ask = async (email: string): Promise<string> => {
	expect((await guides.browser().post("/reset-password", { email })).status).toBe(200);
	return pathIn(await guides.nextMail(email));
};

const works = (email: string, password: string) => guides.works(email, password);

it("a link leads to a new password, all sessions end, and a mail reports it", async () => {
	const email = "story@example.com";
	const userId = await guides.createUser(email);
	const browser = await guides.signedIn(userId);
	await guides.signedIn(userId);
	await browser.post("/sign-in", { email });
	const signIn = pathIn(await guides.nextMail(email));
	const path = await ask(email);
	expect(guides.tokens()).toContainEqual(
		expect.stringMatching(/^password-reset:sha256 [0-9a-f]{64}$/),
	);

	const page = await guides.scan(path);
	expect(page.status).toBe(200);
	expect(page.text).toContain('autocomplete="new-password"');

	// Refused passwords cost nothing.
	for (const fields of [{}, { password: "" }, { password: "1234567" }]) {
		const refused = await browser.post(path, fields);
		expect(refused.status).toBe(422);
	}
	expect(await works(email, "former password")).toBe(true);
	expect(guides.sessions(userId)).toHaveLength(2);

	const answer = await browser.post(path, { password: "a new password" });
	expect(answer.status).toBe(200);
	expect(answer.text).toContain("Your password is changed. Sign in with it.");
	expect(answer.headers.getSetCookie()).toEqual([]);
	expect(await works(email, "a new password")).toBe(true);
	expect(await works(email, "former password")).toBe(false);
	expect(guides.sessions(userId)).toEqual([]);
	expect((await guides.nextMail(email)).subject).toBe("Your password was changed");
	expect(guides.user(userId)).toMatchObject({ email_verified: 1 });

	expect(guides.tokens()).toEqual([]);
	expect((await guides.browser().post(signIn)).status).toBe(410);
	expect((await browser.post(path, { password: "yet another" })).status).toBe(410);
	expect((await guides.scan(path)).status).toBe(410);
	expect(await works(email, "a new password")).toBe(true);
});

it("nothing tells whether an address has an account or a password, also within the minute", async () => {
	const email = "known@example.com";
	await guides.createUser(email);
	await guides.createBareUser("bare@example.com");
	const before = guides.rows();
	const others = ["unknown@example.com", "bare@example.com", ""];
	const answers = [];
	for (const other of others) {
		const answer = await guides.browser().post("/reset-password", { email: other });
		answers.push(seen(answer, other || "no address"));
	}
	expect(guides.rows()).toEqual(before);
	const known = seen(await guides.browser().post("/reset-password", { email }), email);
	await guides.nextMail(email);
	answers.push(seen(await guides.browser().post("/reset-password", { email }), email));
	for (const answer of answers) expect(answer).toEqual(known);
	// The second request sent nothing: the next mail is this one.
	await guides.createUser("next@example.com");
	await ask("next@example.com");
	expect(guides.mails.filter(({ to }) => others.includes(to))).toEqual([]);
});

it("of many that choose a password at once one succeeds", async () => {
	const email = "twice@example.com";
	const userId = await guides.createUser(email);
	const path = await ask(email);
	const passwords = Array.from({ length: 6 }, (_, index) => `new password ${index}`);
	const answers = await Promise.all(
		passwords.map((password) => guides.browser().post(path, { password })),
	);
	expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array<number>(5).fill(410)]);
	const winner = passwords[answers.findIndex(({ status }) => status === 200)] ?? "";
	expect(await works(email, winner)).toBe(true);
	expect(guides.sessions(userId)).toEqual([]);
	await guides.nextMail(email);
});

it("of a reset and a sign-in link used at once one succeeds", async () => {
	for (let round = 0; round < 8; round++) {
		const email = `at-once-${round}@example.com`;
		const userId = await guides.createUser(email);
		guides.verify(userId);
		const reset = await ask(email);
		await guides.browser().post("/sign-in", { email });
		const link = pathIn(await guides.nextMail(email));
		const [changed, signedIn] = await Promise.all([
			guides.browser().post(reset, { password: "a new password" }),
			sleep(round).then(() => guides.browser().post(link)), // so that either is first
		]);
		expect([
			[200, 410],
			[410, 303],
		]).toContainEqual([changed.status, signedIn.status]);
		const isReset = changed.status === 200;
		expect(await works(email, isReset ? "a new password" : "former password")).toBe(true);
		expect(guides.sessions(userId)).toHaveLength(isReset ? 0 : 1);
		if (isReset) await guides.nextMail(email);
		expect((await guides.browser().post(reset, { password: "yet another" })).status).toBe(410);
		expect((await guides.browser().post(link)).status).toBe(410);
	}
});

it("the password of a user whose address has changed is found by the user", async () => {
	const userId = await guides.createUser("key@example.com");
	guides.db.prepare("UPDATE auth_user SET email = ? WHERE id = ?").run("now@example.com", userId);
	const unknown = await guides.browser().post("/reset-password", { email: "key@example.com" });
	expect(unknown.status).toBe(200);
	const path = await ask("now@example.com");
	await guides.browser().post(path, { password: "a new password" });
	expect(await works("key@example.com", "a new password")).toBe(true);
	await guides.nextMail("now@example.com");
});

it("a new link replaces the former one", async () => {
	const email = "again@example.com";
	await guides.createUser(email);
	const first = await ask(email);
	guides.nextMinute();
	const second = await ask(email);
	expect((await guides.browser().get(first)).status).toBe(410);
	expect((await guides.browser().get(second)).status).toBe(200);
});

it("an expired link shows no form, changes no password, and offers a new link", async () => {
	const email = "late@example.com";
	await guides.createUser(email);
	const path = await ask(email);
	guides.expire();
	const looked = await guides.scan(path);
	expect(looked.status).toBe(410);
	const late = await guides.browser().post(path, { password: "a new password" });
	expect(seen(late, "")).toEqual(seen(looked, ""));
	expect(await works(email, "former password")).toBe(true);
	guides.nextMinute();
	const { action, fields } = formIn(looked);
	await guides.browser().post(action, fields);
	expect((await guides.scan(pathIn(await guides.nextMail(email)))).status).toBe(200);
});

it("an account that nobody had verified loses every other way to sign in", async () => {
	const email = "claimed@example.com";
	const userId = await guides.createUser(email);
	await guides.auth.createKey(userId, {
		type: "persistent",
		providerId: "other-provider",
		providerUserId: "eve",
		password: null,
	});
	await guides.browser().post(await ask(email), { password: "a new password" });
	const keys = await guides.auth.getAllUserKeys(userId);
	expect(keys.flatMap((key) => (key.type === "persistent" ? [key.providerId] : []))).toEqual([
		"email",
	]);
	expect(await works(email, "a new password")).toBe(true);
	await guides.nextMail(email);
});

it("a link whose password was deleted since looks like any other that does not work", async () => {
	const email = "gone@example.com";
	await guides.createUser(email);
	const path = await ask(email);
	guides.db.prepare("DELETE FROM auth_key WHERE id = ?").run(`email:${email}`);
	expect((await guides.scan(path)).status).toBe(410);
	expect((await guides.browser().post(path, { password: "a new password" })).status).toBe(410);
	expect(await works(email, "a new password")).toBe(false);
});

it("the ordinary change revokes outstanding resets, and ends all other sessions", async () => {
	const email = "change@example.com";
	const userId = await guides.createUser(email);
	const browser = await guides.signedIn(userId);
	const other = await guides.signedIn(userId);
	const path = await ask(email);
	const change = (current: string, password: string) =>
		browser.post("/change-password", { current, password });
	const page = await browser.get("/change-password");
	expect(page.text).toContain('autocomplete="current-password"');

	// What is refused changes nothing.
	const fields = { current: "former password", password: "a new password" };
	expect((await guides.browser().post("/change-password", fields)).status).toBe(401);
	for (const refused of [
		await change("wrong", "a new password"),
		await change("", "a new password"),
	]) {
		expect(refused.status).toBe(422);
		expect(refused.text).toContain("Your current password is wrong.");
	}
	expect((await change("former password", "1234567")).status).toBe(422);
	expect((await guides.scan(path)).status).toBe(200);

	const changed = await change("former password", "a new password");
	expect(changed.status).toBe(200);
	expect(changed.headers.getSetCookie()).toEqual([expect.stringMatching(SIGNED_IN)]);
	expect((await guides.nextMail(email)).subject).toBe("Your password was changed");
	expect(guides.sessions(userId).map((id) => `auth_session=${id}`)).toEqual([browser.cookie]);
	expect((await other.post("/verify-email")).status).toBe(401);

	expect((await guides.scan(path)).status).toBe(410);
	expect((await guides.browser().post(path, { password: "eve's password" })).status).toBe(410);
	expect(await works(email, "a new password")).toBe(true);
});

it("nobody changes a password that the account does not have", async () => {
	const browser = await guides.signedIn(await guides.createBareUser("none@example.com"));
	const fields = { current: "", password: "a new password" };
	expect((await browser.post("/change-password", fields)).status).toBe(422);
	expect(await works("none@example.com", "a new password")).toBe(false);
});

it("nothing was logged", () => {
	expect(guides.logged()).toBe("");
});
