import { afterAll, beforeAll, expect, it } from "vitest";
import { type App, startApp } from "./app.js";
import { pathIn } from "./smtp.js";

let app: App;
beforeAll(async () => {
	app = await startApp();
});
afterAll(() => app?.close());

it("signs in with a link", async () => {
	const browser = await app.signedIn("a@example.com");
	expect(await app.isSignedIn(browser)).toBe(true);
});

it("signs in with a password", async () => {
	await app.withPassword("b@example.com", "a good password");
	expect(await app.works("b@example.com", "a good password")).toBe(true);
	expect(await app.works("b@example.com", "a wrong password")).toBe(false);
});

it("changes the address", async () => {
	const browser = await app.withPassword("c@example.com", "a good password");
	await browser.post("/address", { email: "d@example.com", current: "a good password" });
	expect((await browser.post(pathIn(await app.smtp.next("d@example.com")))).status).toBe(303);
	expect(await app.works("d@example.com", "a good password")).toBe(true);
	expect(await app.works("c@example.com", "a good password")).toBe(false);
	expect(app.logged()).toBe("");
});
