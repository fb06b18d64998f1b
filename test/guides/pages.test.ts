import { spawn } from "node:child_process";
import { once } from "node:events";
import express, { type Request, type RequestHandler } from "express";
import { createTransport } from "nodemailer";
import type SMTPTransport from "nodemailer/lib/smtp-transport/index.js";
import { type RateLimiterRedis, RateLimiterRes } from "rate-limiter-flexible";
import { describe, expect, it, vi } from "vitest";
import * as tokens from "../../src/index.js";
import { memory } from "../../src/stores/memory.js";
import { startSmtp } from "../examples/smtp.js";
import { readPage } from "../support/page.js";
import { findProgram, freePort } from "../support/server.js";
import {
	cleanUps,
	filesOf,
	importApp,
	listen,
	load,
	runTests,
	typeErrors,
} from "./pages/blocks.js";

// The code that readers add to the app: the blocks of these pages that name a file that the app doesn't have.
// Each is strict TypeScript beside the app's files, and does what its page says.

const PAGES = ["mail", "limits", "testing", "logging", "languages", "csp"];

it("the pages add strict TypeScript to the app", () => {
	expect(PAGES.map((page) => filesOf(page).size)).toEqual([1, 2, 2, 2, 1, 1]);
	expect(typeErrors(new Map(PAGES.flatMap((page) => [...filesOf(page)])))).toEqual([]);
});

describe("mail.md", () => {
	it("sends a mail to try the settings", async () => {
		const smtp = await startSmtp();
		cleanUps.push(smtp.close);
		const mail = await importApp("mail.tsx", smtp.url.replace(/\?.*/, ""));
		const say = vi.spyOn(console, "log").mockReturnValue();
		const process = { argv: ["node", "try-mail.ts", "you@example.com"] };
		await load("mail", "try-mail.ts", { "./mail.js": mail }, { process });
		expect(say).toHaveBeenCalledWith("The mail server accepted the mail.");
		const { text, html } = await smtp.next("you@example.com");
		expect(text.split("\n")).toContain("https://example.com/sign-in/token");
		expect(html).toContain('<a href="https://example.com/sign-in/token">');
	});

	it("has URLs that the app accepts, and that mean what the page says", async () => {
		const urls = readPage("docs/guides/mail.md").match(/smtps?:[^\s`']+/g) ?? [];
		const meanings = [
			{ secure: true, host: "smtp.example.com" },
			{ secure: true, port: 465 },
			{ secure: false, port: 587, requireTLS: true },
			{ secure: false, port: 1025, host: "localhost" },
		];
		expect(urls).toHaveLength(meanings.length);
		for (const [index, url] of urls.entries()) {
			const { smtpUrl } = await importApp<{ smtpUrl: string }>("config.ts", url);
			const { options } = createTransport(smtpUrl).transporter as SMTPTransport;
			expect({ secure: false, ...options }).toMatchObject(meanings[index] ?? {});
		}
	});
});

describe("limits.md", () => {
	it.each([
		["::ffff:192.0.2.1", "192.0.2.1"],
		["2001:db8:0:1:ffff:ffff:ffff:ffff", "2001:db8:0:1::/64"],
		["2001:db8:0:2::1", "2001:db8:0:2::/64"],
		["192.0.2.1:80", "192.0.2.1:80"],
		[undefined, ""],
	])("counts %s as the client %s", async (ip, client) => {
		type Client = { clientOf: (request: object) => string };
		expect((await load<Client>("limits", "client.ts")).clientOf({ ip })).toBe(client);
	});

	const program = findProgram("redis-server");
	it.skipIf(program === undefined && !process.env["CI"])("shares limits in Redis", async () => {
		const port = await freePort();
		const server = spawn(program ?? "", ["--port", `${port}`, "--save", "", "--bind", "127.0.0.1"]);
		cleanUps.push(() => server.kill());
		vi.stubEnv("REDIS_URL", `redis://127.0.0.1:${port}`);
		vi.spyOn(console, "error").mockReturnValue(); // until the server is up
		type Limiter = (prefix: string, points: number) => RateLimiterRedis;
		type Shared = { redis: { destroy: () => void }; sharedLimiter: Limiter };
		const one = await load<Shared>("limits", "shared-limiter.ts");
		const other = await load<Shared>("limits", "shared-limiter.ts"); // as in another process
		cleanUps.push(one.redis.destroy.bind(one.redis), other.redis.destroy.bind(other.redis));
		await one.sharedLimiter("mail", 2).consume("client");
		await other.sharedLimiter("mail", 2).consume("client");
		await one.sharedLimiter("code", 2).consume("client");
		const refused = one.sharedLimiter("mail", 2).consume("client");
		await expect(refused).rejects.toBeInstanceOf(RateLimiterRes);
		server.kill();
		await once(server, "close");
		await expect(one.sharedLimiter("mail", 2).consume("client")).rejects.toThrow("not ready");
	});
});

describe("testing.md", () => {
	it("has tests that pass", async () => {
		expect(await runTests()).toMatch(/^# pass 4\n# fail 0$/m);
	});

	it.each([
		["60 * 10, min", "60 * 11, min", "a link works up to its last millisecond"],
		["60 * 10, min", "60 * 9, min", "a link works up to its last millisecond"],
		["minInterval: 60", "minInterval: 50", "a second mail waits for a minute"],
		["maxAttempts: 5", "maxAttempts: 6", "a code allows five wrong attempts"],
		["${token}", "${token}0", "a link works once"],
	])("has tests that notice a change of %s to %s", async (from, to, name) => {
		const tap = await runTests((code) => code.replace(from, () => to));
		expect(tap).toMatch(new RegExp(`^not ok \\d - ${name}$`, "m"));
	});
});

describe("logging.md", () => {
	type Logged = {
		logged: <Ids extends readonly unknown[]>(
			name: string,
			handler: tokens.TokenHandler<Ids>,
		) => tokens.TokenHandler<Ids>;
	};

	it("logs what becomes of tokens, and no secret", async () => {
		const output = vi.spyOn(console, "log").mockReturnValue();
		const log = await load<{ accessLog: RequestHandler }>("logging", "log.ts");
		const { logged } = await load<Logged>("logging", "logged.ts", { "./log.js": log });
		vi.useFakeTimers({ toFake: ["Date"] });

		const secrets: string[] = [];
		const store = memory({ isUser: (id) => id === "ada" });
		const insert: tokens.KeyStore["insert"] = async (key) => {
			secrets.push(...(/[\w-]{43,}$/.exec(key.id) ?? [])); // a digest, or a token
			if (key.id.startsWith("broken")) throw Object.assign(new Error(key.id), { code: "EIO" });
			await store.insert(key);
		};
		const options = { expiresIn: 60, storeToken: "hashed", minInterval: 60 } as const;
		const withSecret = { ...options, secret: "0123456789abcdef0123456789abcdef" };
		const port = { ...store, insert };
		const link = logged("link", tokens.idToken(port, "sign-in-link", options));
		const code = logged("code", tokens.passwordToken(port, "sign-in-code", withSecret));
		const broken = logged("broken", tokens.idToken(port, "broken", { expiresIn: 60 }));

		const app = express().use(log.accessLog);
		app.get("/sign-in/:token", async ({ params }, response) => {
			const { userId } = await link.validate(params.token, { revoke: ["sign-in-link"] });
			response.send(userId);
		});
		const origin = await listen(app);
		const used = String(await link.issue("ada"));
		const right = String(await code.issue("ada"));
		const wrong = right === "00000000" ? "11111111" : "00000000";
		await fetch(`${origin}/sign-in/${used}?token=${used}`, { headers: { Referer: used } });
		await fetch(`${origin}/signin/${used}`);
		await Promise.allSettled([
			link.issue("ada"),
			link.issue("nobody"),
			link.validate(used),
			code.validate(wrong, "ada"),
			broken.issue("ada"),
		]);
		vi.setSystemTime(Date.now() + 61_000);
		const late = String(await link.issue("ada"));
		vi.setSystemTime(Date.now() + 61_000);
		await expect(link.validate(late)).rejects.toThrow("EXPIRED_TOKEN");

		const lines = () => output.mock.calls.map(([line]) => JSON.parse(String(line)) as object);
		await vi.waitFor(() => expect(lines()).toHaveLength(12));
		const request = { requestId: expect.any(String) as string };
		expect(lines()).toEqual(
			expect.arrayContaining([
				{ event: "issue", name: "link", userId: "ada" },
				{ event: "issue", name: "code", userId: "ada" },
				{ ...request, event: "validate", name: "link", userId: "ada" },
				{ ...request, event: "request", method: "GET", path: "/sign-in/:token", status: 200 },
				{ ...request, event: "request", method: "GET", path: "none", status: 404 },
				{ event: "issue", name: "link", userId: "ada", error: "ISSUED_RECENTLY" },
				{ event: "issue", name: "link", userId: "nobody", error: "INVALID_USER_ID" },
				{ event: "validate", name: "link", error: "INVALID_TOKEN" },
				{ event: "validate", name: "code", userId: "ada", error: "INVALID_TOKEN" },
				{ event: "issue", name: "broken", userId: "ada", error: "EIO" },
				{ event: "validate", name: "link", userId: "ada", error: "EXPIRED_TOKEN" },
			]),
		);
		const ids = lines().flatMap((line) => ("requestId" in line ? line.requestId : []));
		expect([ids.length, new Set(ids).size]).toEqual([3, 2]);
		expect(secrets).toHaveLength(4);
		for (const secret of [...secrets, used, late, right, wrong]) {
			expect(output.mock.calls.join("\n")).not.toContain(secret);
		}
	});
});

describe("languages.md", () => {
	type Wording = {
		languageOf: (request: Request) => string;
		fromNow: (language: string, seconds: number) => string;
		wording: Record<
			string,
			{ errors: { ISSUED_RECENTLY: string }; linkMail: (url: string) => { paragraphs: string[] } }
		>;
	};

	it.each([
		["de-AT, en;q=0.5", "Ein Link ist unterwegs.", "Er gilt 10 Minuten.", "in 1 Sekunde"],
		["fr, ja", "A link is on its way.", "It works for 10 minutes.", "in 1 second"],
	])("speaks to a browser that asks for %s", async (accepted, error, lifetime, wait) => {
		const { languageOf, fromNow, wording } = await load<Wording>("languages", "wording.ts");
		const app = express().get("/", (request, response) => {
			const language = languageOf(request);
			const { errors, linkMail } = wording[language] as Wording["wording"][string];
			const [, , lifetime] = linkMail("x").paragraphs;
			response.json([errors.ISSUED_RECENTLY, lifetime, fromNow(language, 1)]);
		});
		const response = await fetch(await listen(app), { headers: { "Accept-Language": accepted } });
		expect(await response.json()).toEqual([error, lifetime, wait]);
	});

	it("fails to compile if a language lacks a code", () => {
		const code = filesOf("languages").get("wording.ts") ?? "";
		const changed = code.replace(/^\t*EXPIRED_TOKEN: "Dieser.*\n/m, "");
		expect(typeErrors(new Map([["wording.ts", changed]]))).toEqual([
			expect.stringContaining("Property 'EXPIRED_TOKEN' is missing"),
		]);
	});
});

describe("csp.md", () => {
	it("gives each response a nonce, in its header and its page", async () => {
		type Nonce = { nonceHeaders: RequestHandler; nonceOf: (response: object) => string };
		const { nonceHeaders, nonceOf } = await load<Nonce>("csp", "nonce.ts");
		const app = express().use(nonceHeaders);
		app.get("/", (_request, response) => {
			response.send(`<style nonce="${nonceOf(response)}">`);
		});
		const origin = await listen(app);
		const nonces = await Promise.all(
			[1, 2].map(async () => {
				const response = await fetch(origin);
				const [, nonce = ""] = /nonce="(.{24})"/.exec(await response.text()) ?? [];
				expect(response.headers.get("content-security-policy")).toBe(
					`default-src 'none';style-src 'self' 'nonce-${nonce}';script-src 'self';img-src 'self';` +
						"form-action 'self';base-uri 'none';frame-ancestors 'none'",
				);
				return nonce;
			}),
		);
		expect(new Set(nonces).size).toBe(2);
	});
});
