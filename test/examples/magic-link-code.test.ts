import Database from "libsql";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { type Browser, codesIn, startDemo } from "./demo.js";

const ADA = "ada@example.com";
const GRACE = "grace@example.com";
const COOKIE = "code_request";

interface Row {
	readonly id: string;
}

/** The ids of the keys of all tokens. */
const tokenIds = (rows: unknown): string[] =>
	(rows as Row[][])[2]?.map(({ id }) => id).filter((id) => !id.startsWith(":")) ?? [];

/** A code that is not the one given. */
const wrong = (code: string, by = 1): string =>
	String((Number(code.replace(" ", "")) + by) % 1e8).padStart(8, "0");

const use = (browser: Browser, code: string) => browser.post("/code/use", { code });

describe("sign-in with a code", () => {
	it("goes from an address to a mail, a code and a session", async () => {
		const demo = await startDemo();
		const browser = demo.browser();
		const asked = await browser.post("/code", { email: ADA });
		expect(asked.status).toBe(303);
		expect(asked.headers.get("location")).toBe("/code");
		expect(asked.headers.getSetCookie()).toEqual([
			expect.stringMatching(
				/^code_request=\w{43}; Path=\/; Expires=[^;]*; HttpOnly; SameSite=Lax$/,
			),
		]);

		const page = await browser.get("/code");
		expect(page.status).toBe(200);
		expect(page.text).toContain(ADA);
		expect(page.text).toMatch(/<input[^>]*autocomplete="one-time-code"[^>]*inputmode="numeric"/);

		const mailbox = await browser.get("/mailbox");
		expect(mailbox.text).toContain("Your sign-in code");
		expect(mailbox.text).toContain("for 10 min.");
		const [code = ""] = codesIn(mailbox.text);
		const used = await use(browser, code);
		expect(used.status).toBe(303);
		expect(used.headers.get("location")).toBe("/");
		expect(used.headers.getSetCookie()).toEqual([
			expect.stringMatching(/^auth_session=\w{40}; Path=\/; Expires=.*; HttpOnly; SameSite=Lax$/),
			expect.stringMatching(/^code_request=; Path=\/; Expires=Thu, 01 Jan 1970/),
		]);
		expect((await browser.get("/")).text).toContain(ADA);
		expect(tokenIds(demo.rows())).toEqual([]);
	});

	it("keeps other hosts from setting its cookie if the base URL is https", async () => {
		const demo = await startDemo({ baseUrl: "https://demo.example" });
		const browser = demo.browser();
		await browser.post("/code", { email: ADA });
		const asked = await browser.post("/code", { email: ADA });
		expect(asked.headers.getSetCookie()).toEqual([
			expect.stringMatching(/^__Host-code_request=\w{43}; Path=\/; .*; Secure; SameSite=Lax$/),
		]);
		const [code = ""] = codesIn((await browser.get("/mailbox")).text);
		const used = await use(browser, code);
		expect(used.status).toBe(303);
		expect(used.headers.getSetCookie()[1]).toMatch(/^__Host-code_request=; Path=\/; .*; Secure/);
	});

	it.each([
		["as it is in the mail", (code: string) => code],
		["without a space", (code: string) => code.replace(" ", "")],
		["with spaces all over", (code: string) => ` ${[...code].join(" ")}\t`],
		["with a dash", (code: string) => code.replace(" ", "-")],
		[
			"with a long dash and a non-breaking space",
			(code: string) => `${code.replace(" ", "–")}\u00a0`,
		],
	])("takes the code %s", async (_name, typed) => {
		const demo = await startDemo();
		const browser = demo.browser();
		expect((await use(browser, typed(await demo.code(ADA, browser)))).status).toBe(303);
	});

	it("replaces the former session", async () => {
		const demo = await startDemo();
		const browser = await demo.signedIn(ADA);
		const former = browser.cookie;
		await use(browser, await demo.code(GRACE, browser));
		expect((await browser.get("/")).text).toContain(GRACE);
		const old = demo.browser();
		old.cookie = former;
		expect((await old.get("/")).text).toContain("<h1>Sign in</h1>");
	});

	it("takes the code of the newest request only", async () => {
		const demo = await startDemo();
		const browser = demo.browser();
		const codes = [await demo.code(ADA, browser), await demo.code(ADA, browser)];
		expect((await use(browser, codes[0] ?? "")).status).toBe(422);
		expect((await use(browser, codes[1] ?? "")).status).toBe(303);
	});

	it("gives the same answer whether or not the address has an account", async () => {
		const demo = await startDemo();
		await demo.signedIn(ADA);
		const answers = await Promise.all(
			[ADA, "eve@example.com"].map(async (email) => {
				const browser = demo.browser();
				const all = [await browser.post("/code", { email }), await browser.get("/code")];
				for (let round = 0; round < 6; round++) all.push(await use(browser, "00000000"));
				return all.map(({ status, headers, text }) => ({
					status,
					headers: [...headers.entries()]
						.filter(([name]) => name !== "date")
						.map(([name, value]) => [name, value.replace(/=\w{43}.*GMT/, "=COOKIE")]),
					text: text.replaceAll(email, "ADDRESS"),
				}));
			}),
		);
		expect(answers[1]).toEqual(answers[0]);
	});

	it("is refused for an invalid address, with the code's button first", async () => {
		const demo = await startDemo();
		const before = demo.rows();
		const answer = await demo.browser().post("/code", { email: "ada" });
		expect(answer.status).toBe(422);
		expect(answer.text).toContain("That is not an email address");
		expect(answer.text).toMatch(/<form method="post" action="\/code"[^]*value="ada"/);
		expect(answer.headers.getSetCookie()).toEqual([]);
		expect(demo.rows()).toEqual(before);
	});

	it("leaves no code and no cookie behind when the mail can't be sent", async () => {
		const demo = await startDemo({ smtpUrl: "smtp://127.0.0.1:1" });
		const answer = await demo.browser().post("/code", { email: ADA });
		expect(answer.status).toBe(503);
		expect(answer.text).toContain("We could not send a code");
		expect(answer.headers.getSetCookie()).toEqual([]);
		expect(tokenIds(demo.rows())).toEqual([]);
		expect(demo.logged).toEqual([expect.stringMatching(/^A mail could not be sent: E\w+$/)]);
	});
});

describe("a code", () => {
	it("can be tried five times, and then the user must request a new one", async () => {
		const demo = await startDemo();
		const browser = demo.browser();
		const code = await demo.code(ADA, browser);
		for (let round = 1; round <= 4; round++) {
			const answer = await use(browser, wrong(code, round));
			expect(answer.status).toBe(422);
			expect(answer.text).toContain("That is not the code");
			expect(answer.text).toMatch(/<input[^>]*aria-describedby="code-error"/);
		}
		for (const typed of [wrong(code, 5), code]) {
			const answer = await use(browser, typed);
			expect(answer.status).toBe(410);
			expect(answer.text).toContain("Request a new code");
			expect(answer.headers.getSetCookie()).toEqual([]);
		}
		expect((await browser.get("/code")).text).toContain("Request a new code");

		expect((await use(browser, await demo.code(ADA, browser))).status).toBe(303);
	});

	it("can be tried five times by twenty requests at once", async () => {
		const demo = await startDemo();
		const browser = demo.browser();
		const code = await demo.code(ADA, browser);
		await Promise.all(Array.from({ length: 20 }, (_, by) => use(browser, wrong(code, by + 1))));
		expect((await use(browser, code)).status).toBe(410);
	});

	it("loses no try when what is entered can't be one", async () => {
		const demo = await startDemo();
		const browser = demo.browser();
		const code = await demo.code(ADA, browser);
		for (const typed of ["", "1234567", "123456789", "1234567x", "١٢٣٤٥٦٧٨", "\0", "--------"]) {
			const answer = await use(browser, typed);
			expect(answer.status).toBe(422);
			expect(answer.text).toContain("A code has 8 digits");
		}
		expect((await browser.post("/code/use")).status).toBe(422);
		expect((await use(browser, code)).status).toBe(303);
	});

	it("works once, for one of twenty at once", async () => {
		const demo = await startDemo();
		const asking = demo.browser();
		const code = await demo.code(ADA, asking);
		const browsers = Array.from({ length: 20 }, () => {
			const browser = demo.browser();
			for (const [name, cookie] of asking.cookies) browser.cookies.set(name, cookie);
			return browser;
		});
		const answers = await Promise.all(browsers.map((browser) => use(browser, code)));
		expect(answers.map(({ status }) => status).sort()).toEqual([
			303,
			...Array<number>(19).fill(410),
		]);
		expect(browsers.filter(({ cookie }) => cookie !== undefined)).toHaveLength(1);
		const again = await use(asking, code);
		expect(again.status).toBe(410);
		expect(again.text).toContain("There is no code to enter");
	});

	it("works in the browser that requested it, and neither without its cookie nor with another's", async () => {
		const demo = await startDemo();
		const asking = demo.browser();
		const code = await demo.code(ADA, asking);
		const stranger = demo.browser();
		const other = demo.browser();
		await demo.code(GRACE, other);
		// One that has requested a code for the same address.
		const rival = demo.browser();
		const rivals = await demo.code(ADA, rival);
		const forger = demo.browser();
		forger.cookies.set(COOKIE, { value: "x".repeat(43), path: "/" });
		for (const browser of [stranger, forger]) {
			for (let round = 0; round < 6; round++) {
				const answer = await use(browser, code);
				expect(answer.status).toBe(410);
				expect(answer.text).toContain("There is no code to enter");
				expect(answer.text).not.toContain(ADA);
			}
			expect((await browser.get("/code")).status).toBe(410);
		}
		for (const browser of [other, rival]) expect((await use(browser, code)).status).toBe(422);
		expect((await use(asking, rivals)).status).toBe(422);
		expect((await use(asking, code)).status).toBe(303);
		expect((await use(rival, rivals)).status).toBe(303);
	});

	it("does not work once it has expired", async () => {
		const demo = await startDemo({ expiresIn: 0.3 });
		const browser = demo.browser();
		const code = await demo.code(ADA, browser);
		await sleep(310);
		// The request expires with its code.
		for (const answer of [await browser.get("/code"), await use(browser, code)]) {
			expect(answer.status).toBe(410);
			expect(answer.text).toContain("There is no code to enter");
			expect(answer.text).toContain("Send me a new code");
		}
		const newer = await demo.code(ADA, browser);
		const late = await use(browser, code);
		expect(late.status).toBe(422);
		expect(late.text).toContain("That is not the code");
		expect((await use(browser, newer)).status).toBe(303);
	});

	it("that expires before its cookie leads to the page for a new one", async () => {
		const demo = await startDemo();
		const browser = demo.browser();
		const code = await demo.code(ADA, browser);
		const db = new Database(demo.dataFile);
		db.prepare("UPDATE auth_key SET expires = 1 WHERE id LIKE 'sign-in-code:%'").run();
		db.close();
		for (const answer of [await browser.get("/code"), await use(browser, code)]) {
			expect(answer.status).toBe(410);
			expect(answer.text).toContain("Request a new code");
		}
	});

	it("tells users who sent it twice that they are already signed in", async () => {
		const demo = await startDemo();
		const browser = demo.browser();
		const code = await demo.code(ADA, browser);
		await use(browser, code);
		const again = await use(browser, code);
		expect(again.status).toBe(410);
		expect(again.text).toContain("You are already signed in");
	});

	it("is neither looked at nor changed by GET and HEAD", async () => {
		const demo = await startDemo();
		const browser = demo.browser();
		const code = await demo.code(ADA, browser);
		const before = demo.rows();
		for (const path of ["/code", "/code/use", `/code/use?code=${code.replace(" ", "")}`]) {
			for (const method of ["GET", "HEAD"]) {
				const answer = await browser.send(method, path);
				expect(answer.status).toBe(path === "/code" ? 200 : 404);
				expect(answer.headers.getSetCookie()).toEqual([]);
			}
		}
		expect(demo.rows()).toEqual(before);
	});
});

describe("links and codes", () => {
	it("are stored as hashes, and shown and logged nowhere", async () => {
		const demo = await startDemo();
		const browser = await demo.signedIn(ADA);
		const token = (await demo.link(ADA)).slice("/sign-in/".length);
		const code = (await demo.code(ADA, browser)).replace(" ", "");
		const cookie = browser.cookies.get(COOKIE)?.value ?? "";
		const rows = JSON.stringify(demo.rows());
		expect(tokenIds(demo.rows())).toEqual([
			expect.stringMatching(/^code-request:sha256 [0-9a-f]{64}$/),
			expect.stringMatching(/^magic-link:sha256 [0-9a-f]{64}$/),
			expect.stringMatching(/^sign-in-code:\w+\.hmac-sha256 [0-9a-f]{64}$/),
		]);
		const pages = [await browser.get("/"), await browser.get("/code"), await use(browser, "1")];
		for (const text of [rows, demo.logged.join(), ...pages.map(({ text }) => text)]) {
			for (const secret of [token, code, `${code.slice(0, 4)} ${code.slice(4)}`, cookie]) {
				expect(text).not.toContain(secret);
			}
		}
	});

	it("sign nobody in as they are stored", async () => {
		const demo = await startDemo();
		const browser = demo.browser();
		await demo.link(ADA);
		await demo.code(ADA, browser);
		for (const id of tokenIds(demo.rows())) {
			const digest = id.slice(id.search(/(hmac-)?sha256/));
			const link = `/sign-in/${encodeURIComponent(digest)}`;
			expect((await demo.browser().post(link)).status).toBe(410);
			expect((await use(browser, digest)).status).toBe(422);
		}
	});

	it("are five of each at most, the newest", async () => {
		const demo = await startDemo();
		const links: string[] = [];
		const browsers: Browser[] = [];
		const codes: string[] = [];
		for (let round = 0; round < 6; round++) {
			links.push(await demo.link(ADA));
			browsers.push(demo.browser());
			codes.push(await demo.code(ADA, browsers.at(-1)));
		}
		expect((await demo.browser().get(links[0] ?? "")).status).toBe(410);
		expect((await demo.browser().get(links[1] ?? "")).status).toBe(200);
		const [first = demo.browser(), second = demo.browser()] = browsers;
		expect((await use(first, codes[0] ?? "")).status).toBe(410);
		expect((await use(second, codes[1] ?? "")).status).toBe(303);
	});

	it("are listed together and revoked one by one or all at once", async () => {
		const demo = await startDemo();
		const browser = await demo.signedIn(ADA);
		const link = await demo.link(ADA);
		const code = await demo.code(ADA, browser);
		const rowsOf = (home: string) =>
			[...home.matchAll(/<th scope="row">(\w+) <code>[^]*?name="id" value="([^"]*)"/g)].map(
				([, kind = "", id = ""]) => ({ kind, id }),
			);
		const listed = rowsOf((await browser.get("/")).text);
		expect(listed.map(({ kind }) => kind)).toEqual(["Link", "Code"]);

		// Another's are not theirs to revoke.
		for (const { id } of listed) await (await demo.signedIn(GRACE)).post("/revoke", { id });
		expect(rowsOf((await browser.get("/")).text)).toEqual(listed);

		await browser.post("/revoke", { id: listed[1]?.id ?? "" });
		expect(rowsOf((await browser.get("/")).text)).toEqual(listed.slice(0, 1));
		expect((await use(browser, code)).status).toBe(410);
		expect((await demo.browser().get(link)).status).toBe(200);

		const again = await demo.code(ADA, browser);
		await browser.post("/revoke-all");
		expect((await browser.get("/")).text).toContain("There are none.");
		expect((await use(browser, again)).status).toBe(410);
		expect((await demo.browser().get(link)).status).toBe(410);
	});

	it("work after a restart with the same secret only", async () => {
		const first = await startDemo({ secret: "a".repeat(32) });
		const browser = first.browser();
		const code = await first.code(ADA, browser);
		const { dataFile } = first;
		await first.close();
		const statuses: number[] = [];
		for (const secret of ["b".repeat(32), "a".repeat(32)]) {
			const demo = await startDemo({ dataFile, secret });
			const same = demo.browser();
			for (const [name, cookie] of browser.cookies) same.cookies.set(name, cookie);
			statuses.push((await use(same, code)).status);
			await demo.close();
		}
		expect(statuses).toEqual([422, 303]);
	});
});

it("a code is in groups of four in its mail", async () => {
	const demo = await startDemo();
	await demo.browser().post("/code", { email: ADA });
	expect((await demo.browser().get("/mailbox")).text).toMatch(/^\d{4} \d{4}$/m);
});
