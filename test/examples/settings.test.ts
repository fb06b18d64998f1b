import { createServer, type Server } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { type App, runFile, startApp } from "./app.js";
import { codeIn, pathIn } from "./smtp.js";

const start = async (env: Record<string, string> = {}): Promise<App> => {
	const app = await startApp({ env });
	onTestFinished(() => app.close());
	return app;
};

/** A server on a port of its own, which does this with each connection. */
const listen = async (onConnection: Parameters<typeof createServer>[1] = () => {}) => {
	const server: Server = createServer(onConnection);
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	onTestFinished(() => void server.close());
	return (server.address() as { port: number }).port;
};

const HTTPS = {
	BASE_URL: "https://app.example",
	SMTP_URL: "smtps://user:hidden@mail.example.com",
	SECRET: "s".repeat(32),
};

describe("the settings", () => {
	it.each<[name: string, ...env: Record<string, string>[]]>([
		["PORT", { PORT: "0" }, { PORT: "65536" }, { PORT: "3000x" }, { PORT: "1.5" }],
		[
			"BASE_URL",
			{ BASE_URL: "hidden.example" },
			{ BASE_URL: "ftp://hidden.example" },
			{ BASE_URL: "https://hidden.example/app" },
			{ BASE_URL: "https://hidden.example/?x" },
			{ BASE_URL: "http://hidden.example" },
			{ BASE_URL: "http://localhost.hidden.example" },
		],
		[
			"SMTP_URL",
			{ SMTP_URL: "user:hidden@mail.example.com" },
			{ SMTP_URL: "https://user:hidden@mail.example.com" },
			{ SMTP_URL: "smtp://user:hidden@mail.example.com:port" },
			{ ...HTTPS, SMTP_URL: "" },
		],
		["SECRET", { SECRET: "hidden".repeat(5) }, { ...HTTPS, SECRET: "" }],
		["CLIENT_LIMIT", { CLIENT_LIMIT: "0" }, { CLIENT_LIMIT: "many" }],
		["TRUSTED_PROXIES", { TRUSTED_PROXIES: "-1" }, { TRUSTED_PROXIES: "all" }],
	])("end the app with a line that says how to set %s, without its value", async (name, ...all) => {
		const runs = await Promise.all(all.map((env) => runFile("config.ts", env)));
		for (const { code, output } of runs) {
			expect(code).toBe(1);
			expect(output).toMatch(new RegExp(`^Set ${name}\\b[^\n]*\n$`));
			expect(output).not.toContain("hidden");
		}
	});

	it("that are good are accepted", async () => {
		const runs = await Promise.all(
			[
				{},
				{ PORT: "", BASE_URL: "", SMTP_URL: "", SECRET: "", CLIENT_LIMIT: "", TRUSTED_PROXIES: "" },
				{ ...HTTPS, BASE_URL: "https://app.example/", TRUSTED_PROXIES: "2" },
				{ BASE_URL: "http://127.0.0.1:8080" },
				{ BASE_URL: "http://[::1]:8080", SMTP_URL: "smtp://localhost:1025" },
			].map((env) => runFile("config.ts", env)),
		);
		for (const run of runs) expect(run).toEqual({ code: 0, output: "" });
	});

	it("with a port in use, or an address that is not this machine's, say what to set", async () => {
		const PORT = String(await listen());
		const app = await start();
		const env = { DATABASE_URL: app.databaseUrl };
		const [taken, foreign] = await Promise.all([
			runFile("main.ts", { ...env, PORT }),
			runFile("main.ts", { ...env, PORT, HOST: "192.0.2.1" }),
		]);
		expect(taken).toEqual({ code: 1, output: `Port ${PORT} is in use. Set PORT to another one\n` });
		expect(foreign.code).toBe(1);
		expect(foreign.output).toMatch(/^The app can't listen on port \d+ of 192\.0\.2\.1 .*\n$/);
	});
});

it("over HTTPS, cookies are Secure, no other host can set them, and links have the base URL", async () => {
	const app = await start({ BASE_URL: "https://app.example/" });
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
	await browser.send("POST", "/sign-in", {
		headers: {
			"Content-Type": "application/x-www-form-urlencoded",
			Origin: "https://app.example",
			"X-Forwarded-Host": "evil.example",
			Forwarded: "host=evil.example",
		},
		body: "email=a@example.com",
	});
	expect((await app.smtp.next("a@example.com")).text).toContain("https://app.example/sign-in/");
	expect((await browser.post("/sign-out", {}, { Origin: app.address })).status).toBe(403);
});

describe("a client", () => {
	const FORMS = [
		["/sign-in", { email: "" }],
		["/code", { email: "" }],
		["/code/use", { code: "" }],
		["/password", { email: "" }],
		["/password/link", { email: "" }],
		["/password/change", {}],
		["/address", {}],
	] as const;

	it("may send each form so many times, and then reads how long to wait", async () => {
		const app = await start({ CLIENT_LIMIT: "3" });
		for (const [path, fields] of FORMS) {
			for (let times = 1; times <= 4; times++) {
				// No proxy is trusted, so this header makes no other client.
				const headers = { Origin: app.origin, "X-Forwarded-For": `192.0.2.${times}` };
				const page = await app.browser().post(path, fields, headers);
				if (times <= 3) expect(page.status).not.toBe(429);
				else expect(page.status).toBe(429);
				const seconds = Number(page.headers.get("retry-after"));
				if (times > 3) expect(seconds).toBeGreaterThan(0);
				expect(seconds).toBeLessThanOrEqual(600);
			}
		}
	});

	it("may try one link so many times", async () => {
		const app = await start({ CLIENT_LIMIT: "3" });
		const link = pathIn(await app.request(app.browser(), "/password/link", "a@example.com"));
		const tries = Array.from({ length: 5 }, () => app.browser().post(link, { password: "short" }));
		const statuses = (await Promise.all(tries)).map(({ status }) => status).sort();
		expect(statuses).toEqual([422, 422, 422, 429, 429]);
	});

	it("is the one that the trusted proxies name", async () => {
		const app = await start({ CLIENT_LIMIT: "1", TRUSTED_PROXIES: "1" });
		const statuses = [];
		// Who sends the header can't choose what the proxy adds to it.
		for (const from of ["192.0.2.1", "192.0.2.2", "1.1.1.1, 192.0.2.1", "192.0.2.3"]) {
			const headers = { Origin: app.origin, "X-Forwarded-For": from };
			statuses.push((await app.browser().post("/sign-in", {}, headers)).status);
		}
		expect(statuses).toEqual([422, 422, 429, 422]);
	});

	it("or many try twenty passwords at an address, known or not", async () => {
		const app = await start();
		for (const email of ["a@example.com", "never@example.com"]) {
			if (email[0] === "a") await app.signedIn(email);
			const tries = Array.from({ length: 21 }, () =>
				app.browser().post("/password", { email, current: "x" }),
			);
			const statuses = (await Promise.all(tries)).map(({ status }) => status).sort();
			expect(statuses).toEqual([...Array<number>(20).fill(422), 429]);
		}
	});
});

describe("a mail", () => {
	it("has plain text with HTML beside it, and says that no person wrote it", async () => {
		const app = await start({ MAIL_FROM: "Our app <app@example.com>" });
		const mail = await app.request(app.browser(), "/sign-in", "a&b@example.com");
		const url = app.origin + pathIn(mail);
		expect(mail.text).toContain(url);
		expect(mail.html).toContain(`<a href="${url}">${url}</a>`);
		expect(mail.headers).toMatchObject({
			from: expect.stringContaining("app@example.com") as string,
			to: expect.stringContaining("a&b@example.com") as string,
			"auto-submitted": "auto-generated",
		});
	});

	it("that was promised is sent before the process ends", async () => {
		const app = await startApp();
		const emails = Array.from({ length: 10 }, (_, index) => `promised${index}@example.com`);
		await Promise.all(emails.map((email) => app.browser().post("/sign-in", { email })));
		await app.close();
		expect(app.smtp.mails.map(({ to }) => to).sort()).toEqual(emails);
		expect(app.logged()).toBe("");
	});

	it("that can't be sent leaves no token, so that the next request sends at once", async () => {
		const app = await start();
		const paths = ["/sign-in", "/code", "/password/link"];
		app.smtp.refuse("451 4.3.0 failed with /sign-in/SECRET and 1234 5678");
		for (const path of paths) await app.browser().post(path, { email: "a@example.com" });
		await expect.poll(() => app.logged().match(/\n/g)?.length, { timeout: 20_000 }).toBe(3);
		expect(app.logged()).toBe("The mail was not sent: EENVELOPE\n".repeat(3));
		expect(await app.tokens("a@example.com")).toEqual([]);
		app.smtp.refuse(undefined);
		for (const path of paths) await app.request(app.browser(), path, "a@example.com");
	});
});

it("the app sweeps when it starts: expired tokens and unused accounts go, the rest stays", async () => {
	const app = await start();
	const stale = ["unused@example.com", "verified@example.com", "key@example.com"];
	for (const email of stale) {
		const old = "INSERT INTO auth_user VALUES (?, ?, ?, unixepoch() - 90000)";
		await app.all(old, email, email, Number(email.startsWith("verified")));
	}
	await app.all("INSERT INTO auth_key VALUES ('email:key@example.com', ?, 0, 'x', NULL)", stale[2]);
	await app.link("fresh@example.com");
	const old = Date.now() - 864e5;
	const kept = ["email:key@example.com", "magic-link:good", "other-app:old"];
	for (const [name, expires] of [
		["magic-link:old", old],
		[`sign-in-code:${stale[2]}.old`, old],
		["password-link:old", old],
		["new-address:old", old],
		["magic-link:good", Date.now() + 1e6],
		["other-app:old", old],
	]) {
		await app.all("INSERT INTO auth_key VALUES (?, ?, 0, NULL, ?)", name, stale[2], expires);
	}
	const second = await start({ DATABASE_URL: app.databaseUrl });
	const left = async () => (await app.all("SELECT email FROM auth_user")).map(({ email }) => email);
	await expect.poll(left, { timeout: 20_000 }).not.toContain("unused@example.com");
	expect((await left()).sort()).toEqual(["fresh@example.com", "key@example.com", stale[1]]);
	const ids = await app.all("SELECT id FROM auth_key WHERE user_id = ? ORDER BY id", stale[2]);
	expect(ids.map(({ id }) => id)).toEqual(kept);
	expect(second.logged()).toBe("");
});
