import { spawn } from "node:child_process";
import { once } from "node:events";
import { statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { freePort } from "../support/server.js";
import { Browser, codesIn, importDemo, linksIn, MAIN, temporaryFolder } from "./demo.js";

/** Runs main.js until it ends, or until its first line says where it runs. */
const run = async (env: Record<string, string>) => {
	const child = spawn(process.execPath, [MAIN.pathname], {
		env: { PATH: process.env["PATH"], ...env },
	});
	onTestFinished(() => void child.kill("SIGKILL"));
	let output = "";
	const ended = once(child, "close") as Promise<[code: number | null]>;
	const url = new Promise<string>((resolve) => {
		const read = (chunk: Buffer) => {
			output += chunk.toString();
			const found = /^The demo runs at (\S+)$/m.exec(output);
			if (found?.[1]) resolve(found[1]);
		};
		child.stdout.on("data", read);
		child.stderr.on("data", read);
	});
	const started = await Promise.race([url, ended.then(() => undefined)]);
	return {
		url: started ?? "",
		browser: new Browser({ url: started ?? "", port: Number(new URL(started ?? "http://x").port) }),
		end: async (signal?: NodeJS.Signals) => {
			if (signal) child.kill(signal);
			const [code] = await ended;
			return { code, output };
		},
	};
};

describe("main.js", () => {
	it("says where it runs, stops cleanly, and finds its data again", async () => {
		const env = {
			PORT: String(await freePort()),
			DATA: join(temporaryFolder(), "new", "folder", "demo.db"),
		};
		const first = await run(env);
		expect(first.url).toBe(`http://localhost:${env.PORT}`);
		const { browser } = first;
		await browser.post("/sign-in", { email: "eve@example.com" });
		await browser.post("/sign-in", { email: "ada@example.com" });
		const [link = "", other = ""] = linksIn((await browser.get("/mailbox")).text);
		expect((await browser.post(new URL(link).pathname)).status).toBe(303);
		await browser.post("/code", { email: "grace@example.com" });
		const [code = ""] = codesIn((await browser.get("/mailbox")).text);
		expect(statSync(`${env.DATA}.secret`).mode & 0o777).toBe(0o600);
		const stopped = await first.end("SIGTERM");
		expect(stopped.code).toBe(0);
		expect(stopped.output).toContain(`${first.url}/mailbox`);
		expect(stopped.output).not.toContain("/sign-in/");

		const second = await run(env);
		expect((await browser.get("/")).text).toContain("ada@example.com");
		expect((await browser.post(new URL(link).pathname)).status).toBe(410);
		expect((await second.browser.post(new URL(other).pathname)).status).toBe(303);
		// Its hash is made with a secret, which must be the same again.
		expect((await browser.post("/code/use", { code })).status).toBe(303);
		expect((await browser.get("/")).text).toContain("grace@example.com");
		expect((await second.end("SIGINT")).code).toBe(0);
	});

	it("says so when its port is in use", async () => {
		const other = createServer().listen(0, "127.0.0.1");
		onTestFinished(() => void other.close());
		await once(other, "listening");
		const { port } = other.address() as AddressInfo;
		const main = await run({ PORT: String(port), DATA: join(temporaryFolder(), "demo.db") });
		const { code, output } = await main.end();
		expect(code).toBe(1);
		expect(output).toBe(`Port ${port} is in use. Set PORT to another, such as PORT=${port + 1}\n`);
	});

	it("says so when a setting or its file can't be used", async () => {
		const withShortSecret = join(temporaryFolder(), "demo.db");
		writeFileSync(`${withShortSecret}.secret`, "short");
		const runs = await Promise.all([
			run({ PORT: "http" }),
			run({ PORT: "0", DATA: "/dev/null/demo.db" }),
			run({ PORT: "0", DATA: withShortSecret }),
			run({ PORT: "0", HOST: "192.0.2.1", DATA: join(temporaryFolder(), "demo.db") }),
		]);
		const ends = await Promise.all(runs.map((main) => main.end()));
		expect(ends.map(({ code }) => code)).toEqual([1, 1, 1, 1]);
		expect(ends[0]?.output).toBe("PORT must be a whole number from 0 to 65535, such as 3000\n");
		expect(ends[1]?.output).toContain("can't start with its data in /dev/null/demo.db");
		expect(ends[2]?.output).toContain(`${withShortSecret}.secret is too short. Delete it`);
		expect(ends[3]?.output).toContain("HOST is 192.0.2.1");
		for (const { output } of ends) expect(output.trim().split("\n")).toHaveLength(1);
	});
});

describe("the settings", async () => {
	const { readConfig } = await importDemo<{
		readConfig: (env: Record<string, string>) => Record<string, unknown>;
	}>("config.js");

	it("have defaults, also where a variable is empty", () => {
		const defaults = readConfig({});
		expect(defaults).toMatchObject({ host: "127.0.0.1", port: 3000 });
		expect(defaults["dataFile"]).toBe(new URL("data/demo.db", MAIN).pathname);
		const empty = {
			HOST: "",
			PORT: "",
			BASE_URL: "",
			SMTP_URL: "",
			MAIL_FROM: "",
			SECRET: "",
			DATA: "",
		};
		expect(readConfig(empty)).toEqual(defaults);
	});

	it.each([
		["BASE_URL", "https://example.com"],
		["BASE_URL", "https://example.com/"],
		["BASE_URL", "http://localhost:3000"],
		["BASE_URL", "http://127.0.0.1:8080"],
		["BASE_URL", "http://[::1]:8080"],
		["SMTP_URL", "smtp://localhost:1025"],
		["SMTP_URL", "smtps://user:secret@mail.example.com"],
		["MAIL_FROM", "demo@example.com"],
		["MAIL_FROM", "Demo <demo@example.com>"],
		["SECRET", "s".repeat(32)],
	])("take %s=%s", (name, value) => {
		expect(() => readConfig({ [name]: value })).not.toThrow();
	});

	it.each([
		["PORT", "-1"],
		["PORT", "65536"],
		["PORT", "3000x"],
		["BASE_URL", "example.com"],
		["BASE_URL", "ftp://example.com"],
		["BASE_URL", "https://example.com/app"],
		["BASE_URL", "https://user@example.com"],
		["BASE_URL", "https://example.com?x"],
		["BASE_URL", "http://example.com"],
		["BASE_URL", "http://localhost.example.com"],
		["SMTP_URL", "localhost:1025"],
		["SMTP_URL", "https://user:secret@mail.example.com"],
		["SECRET", "secret".repeat(5)],
		["MAIL_FROM", "demo"],
		["MAIL_FROM", "demo@example.com\r\nBcc: eve@example.com"],
	])("refuse %s=%j by name, without repeating a password", (name, value) => {
		let message = "";
		try {
			readConfig({ [name]: value });
		} catch (error) {
			({ message } = error as Error);
		}
		expect(message.startsWith(`${name} must `)).toBe(true);
		expect(message).not.toContain("secret");
	});
});
