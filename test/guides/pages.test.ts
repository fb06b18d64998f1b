import * as hooks from "node:async_hooks";
import * as nodeCrypto from "node:crypto";
import { once } from "node:events";
import { symlinkSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import express, { type Express, type Request, type RequestHandler } from "express";
import helmet from "helmet";
import ipaddr from "ipaddr.js";
import { createTransport } from "nodemailer";
import type SMTPTransport from "nodemailer/lib/smtp-transport/index.js";
import * as limiters from "rate-limiter-flexible";
import * as redis from "redis";
import { afterEach, describe, expect, onTestFinished, test, vi } from "vitest";
import * as tokens from "../../src/index.js";
import { memory } from "../../src/stores/memory.js";
import { FOLDER, startNode } from "../examples/app.js";
import { startSmtp, urlIn } from "../examples/smtp.js";
import { root } from "../support/packed.js";
import { readPage, runBlock } from "../support/page.js";
import { startRedis } from "../support/redis.js";
import { findProgram, temporaryFolder } from "../support/server.js";
import { addedBy } from "./folder.js";

// The code that readers add to the app does what its page says. test/guides/copy.test.ts checks its types.

afterEach(() => {
	vi.useRealTimers();
	vi.unstubAllEnvs();
	vi.restoreAllMocks();
});

/** Starts a server until the end of a test. Returns its origin. */
const listen = async (app: Express): Promise<string> => {
	const server = app.listen(0, "127.0.0.1");
	onTestFinished(() => void server.close());
	await once(server, "listening");
	return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
};

type Modules = Readonly<Record<string, unknown>>;

const PACKAGES: Modules = {
	"@lucia-auth/tokens": tokens,
	"node:async_hooks": hooks,
	"node:crypto": nodeCrypto,
	helmet: { default: helmet, __esModule: true },
	"ipaddr.js": { default: ipaddr, __esModule: true },
	"rate-limiter-flexible": limiters,
	redis,
};

/** Runs a file that a page adds. Returns its exports. */
const load = async <Exports>(
	page: string,
	name: string,
	modules: Modules = {},
	givens: Modules = {},
): Promise<Exports> => {
	const code = addedBy(page).get(name) ?? `throw new Error("${page}.md has no ${name}")`;
	return (await runBlock(code, { ...PACKAGES, ...modules }, givens)) as Exports;
};

/** Imports a file of the app, with another mail server. */
const importApp = async <Exports>(file: string, smtpUrl: string): Promise<Exports> => {
	vi.stubEnv("BASE_URL", ""); // Vitest sets it
	vi.stubEnv("SMTP_URL", smtpUrl);
	vi.resetModules();
	return (await import(join(FOLDER, file))) as Exports;
};

describe("mail.md", () => {
	test("sends a mail to try the settings", async () => {
		const smtp = await startSmtp();
		onTestFinished(smtp.close);
		const mail = await importApp("mail.tsx", smtp.url.replace(/\?.*/, ""));
		const say = vi.spyOn(console, "log").mockReturnValue();
		const process = { argv: ["node", "try-mail.ts", "you@example.com"] };
		await load("mail", "try-mail.ts", { "./mail.js": mail }, { process });
		expect(say).toHaveBeenCalledWith("The mail server accepted the mail.");
		const { href } = urlIn(await smtp.next("you@example.com"));
		expect(href).toBe("https://example.com/sign-in/token");
	});

	test("has URLs that the app accepts, and that mean what the page says", async () => {
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
	test.each([
		["::ffff:192.0.2.1", "192.0.2.1"],
		["2001:db8:0:1:ffff:ffff:ffff:ffff", "2001:db8:0:1::/64"],
		["2001:db8:0:2::1", "2001:db8:0:2::/64"],
		["192.0.2.1:80", "192.0.2.1:80"],
		[undefined, ""],
	])("counts %s as the client %s", async (ip, client) => {
		type Client = { clientOf: (request: object) => string };
		expect((await load<Client>("limits", "client.ts")).clientOf({ ip })).toBe(client);
	});

	const isThere = findProgram("redis-server") !== undefined || process.env["CI"];
	test.skipIf(!isThere)("shares limits in Redis", async () => {
		const server = await startRedis();
		onTestFinished(server.stop);
		vi.stubEnv("REDIS_URL", server.url);
		vi.spyOn(console, "error").mockReturnValue(); // once the server is gone
		type Limiter = (prefix: string, points: number) => limiters.RateLimiterRedis;
		type Shared = { redis: { destroy: () => void }; sharedLimiter: Limiter };
		const one = await load<Shared>("limits", "shared-limiter.ts");
		const other = await load<Shared>("limits", "shared-limiter.ts"); // as in another process
		for (const { redis } of [one, other]) onTestFinished(() => redis.destroy());
		await one.sharedLimiter("mail", 2).consume("client");
		await other.sharedLimiter("mail", 2).consume("client");
		await one.sharedLimiter("code", 2).consume("client");
		const refused = one.sharedLimiter("mail", 2).consume("client");
		await expect(refused).rejects.toBeInstanceOf(limiters.RateLimiterRes);
		await server.stop();
		await expect(one.sharedLimiter("mail", 2).consume("client")).rejects.toThrow("not ready");
	});
});

describe("testing.md", () => {
	/** Runs the page's tests. Returns what they print. */
	const runTests = async (from = "", to = ""): Promise<string> => {
		const folder = temporaryFolder("testing");
		onTestFinished(folder.remove);
		const write = (name: string, text: string) => writeFileSync(join(folder.path, name), text);
		for (const [name, code] of addedBy("testing")) {
			const isTest = name.endsWith(".test.ts");
			if (!isTest) expect(code).toContain(from);
			write(name, isTest ? code : code.replace(from, () => to));
		}
		write("package.json", '{ "type": "module" }');
		symlinkSync(join(root, "node_modules"), join(folder.path, "node_modules"));
		const args = ["--test", "--test-reporter=tap", "sign-in-mail.test.ts"];
		return (await startNode(folder.path, args, {}).ended()).output;
	};

	test("has tests that pass", async () => {
		expect(await runTests()).toMatch(/^# pass 4\n# fail 0$/m);
	});

	test.each([
		["60 * 10, min", "60 * 11, min", "a link works up to its last millisecond"],
		["60 * 10, min", "60 * 9, min", "a link works up to its last millisecond"],
		["minInterval: 60", "minInterval: 50", "a second mail waits for a minute"],
		["maxAttempts: 5", "maxAttempts: 6", "a code allows five wrong attempts"],
		["${token}", "${token}0", "a link works once"],
	])("has tests that notice a change of %s to %s", async (from, to, name) => {
		expect(await runTests(from, to)).toMatch(new RegExp(`^not ok \\d - ${name}$`, "m"));
	});
});

describe("logging.md", () => {
	type Logged = { logged: <Handler>(name: string, handler: Handler) => Handler };

	test("logs what becomes of tokens, and no secret", async () => {
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

	test.each([
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
});

describe("csp.md", () => {
	test("gives each response a nonce, in its header and its page", async () => {
		type Nonce = { nonceHeaders: RequestHandler; nonceOf: (response: object) => string };
		const { nonceHeaders, nonceOf } = await load<Nonce>("csp", "nonce.ts");
		const app = express().use(nonceHeaders);
		app.get("/", (_request, response) => {
			response.send(`<style nonce="${nonceOf(response)}">`);
		});
		const origin = await listen(app);
		const nonces = new Set<string>();
		for (let times = 0; times < 2; times++) {
			const response = await fetch(origin);
			const [, nonce = ""] = /nonce="(.{24})"/.exec(await response.text()) ?? [];
			nonces.add(nonce);
			expect(response.headers.get("content-security-policy")).toBe(
				`default-src 'none';style-src 'self' 'nonce-${nonce}';script-src 'self';img-src 'self';` +
					"form-action 'self';base-uri 'none';frame-ancestors 'none'",
			);
		}
		expect(nonces.size).toBe(2);
	});
});
