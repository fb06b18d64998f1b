import { describe, expect, test } from "vitest";
import { runFile, startApp, startOwnApp } from "./app.js";
import { codeIn, pathIn, urlIn } from "./smtp.js";

const HTTPS = {
	BASE_URL: "https://app.example",
	SMTP_URL: "smtps://user:hidden@mail.example.com",
	SECRET: "s".repeat(32),
};

describe("the settings", () => {
	test.each<[name: string, ...env: (string | Record<string, string>)[]]>([
		["PORT", "0", "65536", "3000x", "1.5"],
		["BASE_URL", "hidden.example", "ftp://hidden.example", "http://localhost.hidden.example"],
		[
			"BASE_URL",
			"https://hidden.example/app",
			"https://hidden.example/?x",
			"http://hidden.example",
		],
		["SMTP_URL", "user:hidden@mail.example.com", "https://user:hidden@mail.example.com"],
		["SMTP_URL", "smtp://user:hidden@mail.example.com:port", { ...HTTPS, SMTP_URL: "" }],
		["SECRET", "hidden".repeat(5), { ...HTTPS, SECRET: "" }],
		["CLIENT_LIMIT", "0", "many"],
		["TRUSTED_PROXIES", "-1", "all"],
	])("end the app with a line that says how to set %s, without its value", async (name, ...all) => {
		const envs = all.map((env) => (typeof env === "string" ? { [name]: env } : env));
		for (const { code, output } of await Promise.all(
			envs.map((env) => runFile("config.ts", env)),
		)) {
			expect(code).toBe(1);
			expect(output).toMatch(new RegExp(`^Set ${name}\\b[^\n]*\n$`));
			expect(output).not.toContain("hidden");
		}
	});

	test("that are good are accepted", async () => {
		const runs = await Promise.all(
			[
				{ PORT: "", BASE_URL: "", SMTP_URL: "", SECRET: "", CLIENT_LIMIT: "", TRUSTED_PROXIES: "" },
				{ ...HTTPS, BASE_URL: "https://app.example/", TRUSTED_PROXIES: "2" },
				{ BASE_URL: "http://[::1]:8080", SMTP_URL: "smtp://localhost:1025" },
			].map((env) => runFile("config.ts", env)),
		);
		for (const run of runs) expect(run).toEqual({ code: 0, output: "" });
	});

	test("with a port in use, or an address that is not this machine's, say what to set", async () => {
		const app = await startOwnApp();
		const { port: PORT } = new URL(app.address);
		const env = { DATABASE_URL: app.databaseUrl, PORT };
		expect(await runFile("main.ts", env)).toEqual({
			code: 1,
			output: `Port ${PORT} is in use. Set PORT to another one\n`,
		});
		const { code, output } = await runFile("main.ts", { ...env, HOST: "192.0.2.1" });
		expect(code).toBe(1);
		expect(output).toMatch(/^The app can't listen on port \d+ of 192\.0\.2\.1 .*\n$/);
	});
});

test("over HTTPS, cookies are Secure, no other host can set them, and links have the base URL", async () => {
	const app = await startOwnApp({ env: { BASE_URL: "https://app.example/" } });
	const browser = app.browser();
	Object.assign(browser, { origin: "https://app.example" });
	const asked = await browser.post("/code", { email: "a@example.com" });
	expect(asked.headers.getSetCookie()).toEqual([
		expect.stringMatching(/^__Host-asked=[^;]*; .*Path=\/; .*HttpOnly; Secure; SameSite=Lax$/),
	]);
	const mail = await app.smtp.next("a@example.com");
	const used = await browser.post("/code/use", { code: codeIn(mail) });
	expect(used.status).toBe(303);
	expect(used.headers.getSetCookie()[0]).toMatch(/^auth_session=\w{40}; .*; HttpOnly; Secure/);
	// Neither the Host header nor a proxy's headers make links.
	await browser.post(
		"/sign-in",
		{ email: "a@example.com" },
		{ Origin: browser.origin, "X-Forwarded-Host": "evil.example", Forwarded: "host=evil.example" },
	);
	expect((await app.smtp.next("a@example.com")).text).toContain("https://app.example/sign-in/");
	expect((await browser.post("/sign-out", {}, { Origin: app.address })).status).toBe(403);
});

describe("a client", () => {
	test("may send each form so many times, and then reads how long to wait", async () => {
		const app = await startOwnApp({ env: { CLIENT_LIMIT: "3" } });
		const link = pathIn(await app.request(app.browser(), "/password/link", "a@example.com"));
		const paths = ["/sign-in", "/code", "/code/use", "/password", "/password/change", "/address"];
		for (const path of [...paths, "/password/link", link]) {
			const pages = [];
			for (let times = path === "/password/link" ? 2 : 1; times <= 4; times++) {
				// No proxy is trusted, so this header makes no other client.
				const headers = { Origin: app.origin, "X-Forwarded-For": `192.0.2.${times}` };
				pages.push(await app.browser().post(path, {}, headers));
			}
			const last = pages.pop();
			expect([path, last?.status]).toEqual([path, 429]);
			expect(pages.map(({ status }) => status)).not.toContain(429);
			const seconds = Number(last?.headers.get("retry-after"));
			expect(seconds).toBeGreaterThan(0);
			expect(seconds).toBeLessThanOrEqual(600);
		}
	});

	test("is the one that the trusted proxies name", async () => {
		const app = await startOwnApp({ env: { CLIENT_LIMIT: "1", TRUSTED_PROXIES: "1" } });
		const statuses = [];
		// Who sends the header can't choose what the proxy adds to it.
		for (const from of ["192.0.2.1", "192.0.2.2", "1.1.1.1, 192.0.2.1", "192.0.2.3"]) {
			const headers = { Origin: app.origin, "X-Forwarded-For": from };
			statuses.push((await app.browser().post("/sign-in", {}, headers)).status);
		}
		expect(statuses).toEqual([422, 422, 429, 422]);
	});

	test("can try twenty passwords at an address, known or not, and so can many together", async () => {
		const app = await startOwnApp();
		await app.signedIn("a@example.com");
		for (const email of ["a@example.com", "never@example.com"]) {
			const tries = Array.from({ length: 21 }, () =>
				app.browser().post("/password", { email, current: "x" }),
			);
			const statuses = (await Promise.all(tries)).map(({ status }) => status).sort();
			expect(statuses).toEqual([...Array<number>(20).fill(422), 429]);
		}
	});
});

describe("a mail", () => {
	test("has plain text with HTML beside it, and says that no person wrote it", async () => {
		const app = await startOwnApp({ env: { MAIL_FROM: "Our app <app@example.com>" } });
		const mail = await app.request(app.browser(), "/sign-in", "a&b@example.com");
		const { href } = urlIn(mail);
		expect(mail.html).toContain(`<a href="${href}">${href}</a>`);
		const headers = Object.fromEntries(mail.headers.map(({ key, value }) => [key, value]));
		expect(headers).toMatchObject({
			from: expect.stringContaining("app@example.com") as string,
			to: expect.stringContaining("a&b@example.com") as string,
			"auto-submitted": "auto-generated",
		});
	});

	test("that was promised is sent before the process ends", async () => {
		const app = await startApp();
		const emails = Array.from({ length: 10 }, (_, index) => `promised${index}@example.com`);
		await Promise.all(emails.map((email) => app.browser().post("/sign-in", { email })));
		await app.close();
		expect(app.smtp.mails.map(({ to }) => to).sort()).toEqual(emails);
		expect(app.logged()).toBe("");
	});

	test("that can't be sent leaves no token, so that the next request sends at once", async () => {
		const app = await startOwnApp();
		const paths = ["/sign-in", "/code", "/password/link"];
		app.smtp.refuse("451 4.3.0 failed with /sign-in/SECRET and 1234 5678");
		for (const path of paths) await app.browser().post(path, { email: "a@example.com" });
		const line = "The mail was not sent: EENVELOPE\n";
		await expect.poll(app.logged, { timeout: 20_000 }).toBe(line.repeat(3));
		expect(await app.tokens("a@example.com")).toEqual([]);
		app.smtp.refuse();
		for (const path of paths) await app.request(app.browser(), path, "a@example.com");
	});
});

test("the app sweeps when it starts: expired tokens and unused accounts go, the rest stays", async () => {
	const app = await startOwnApp();
	const day = 864e5;
	for (const email of ["unused@example.com", "verified@example.com", "key@example.com"]) {
		const user = "INSERT INTO auth_user VALUES (?, ?, ?, unixepoch() - 90000)";
		await app.all(user, email, email, Number(email.startsWith("verified")));
	}
	await app.link("fresh@example.com");
	const key = "INSERT INTO auth_key VALUES (?, 'key@example.com', 0, NULL, ?)";
	const old = ["magic-link:old", "sign-in-code:key@example.com.old", "password-link:old"];
	for (const id of [...old, "new-address:old"]) await app.all(key, id, Date.now() - day);
	const kept = [
		["email:key@example.com", null],
		["magic-link:good", Date.now() + day],
		["other-app:old", Date.now() - day],
	];
	for (const row of kept) await app.all(key, ...row);
	const second = await startOwnApp({ env: { DATABASE_URL: app.databaseUrl } });
	const emails = async () =>
		(await app.all("SELECT email FROM auth_user ORDER BY email")).map(({ email }) => email);
	await expect
		.poll(emails, { timeout: 20_000 })
		.toEqual(["fresh@example.com", "key@example.com", "verified@example.com"]);
	const keys = "SELECT id, expires FROM auth_key WHERE user_id = 'key@example.com' ORDER BY id";
	expect((await app.all(keys)).map(({ id, expires }) => [id, expires])).toEqual(kept);
	expect(second.logged()).toBe("");
});
