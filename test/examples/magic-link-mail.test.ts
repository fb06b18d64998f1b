import PostalMime, { type Email } from "postal-mime";
import { SMTPServer } from "smtp-server";
import { expect, it, onTestFinished } from "vitest";
import { startDemo } from "./demo.js";

const ADA = "ada@example.com";

/** A mail server of the user's, and what it received. */
const startSmtp = async (refuse?: string) => {
	const mails: Email[] = [];
	const recipients: string[] = [];
	const server = new SMTPServer({
		disabledCommands: ["AUTH", "STARTTLS"],
		logger: false,
		onData: (stream, session, callback) => {
			const chunks: Buffer[] = [];
			stream.on("data", (chunk: Buffer) => chunks.push(chunk));
			stream.on("end", () => {
				const raw = Buffer.concat(chunks);
				if (refuse !== undefined) {
					// As spam filters do, with the reason why, and the link in it.
					callback(new Error(`${refuse} ${/http\S+sign-in\S+/.exec(raw.toString())?.[0]}`));
					return;
				}
				recipients.push(...session.envelope.rcptTo.map(({ address }) => address));
				void PostalMime.parse(raw).then((mail) => {
					mails.push(mail);
					callback();
				});
			});
		},
	});
	await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
	onTestFinished(() => new Promise<void>((resolve) => server.close(resolve)));
	const address = server.server.address();
	const port = typeof address === "object" ? address?.port : undefined;
	return { url: `smtp://127.0.0.1:${port}`, mails, recipients };
};

const tokens = (rows: unknown): unknown => (rows as unknown[][])[2];

it("with SMTP_URL mails go to that server, and there is no mailbox", async () => {
	const smtp = await startSmtp();
	const demo = await startDemo({ smtpUrl: smtp.url, mailFrom: "Demo <demo@example.org>" });
	const browser = demo.browser();
	const answer = await browser.post("/sign-in", { email: ADA });
	expect(answer.status).toBe(200);
	expect(answer.text).not.toContain("mailbox");
	expect(demo.mailbox).toBeUndefined();
	expect((await browser.get("/mailbox")).status).toBe(404);

	expect(smtp.recipients).toEqual([ADA]);
	const [mail] = smtp.mails;
	expect(mail?.from).toEqual({ name: "Demo", address: "demo@example.org" });
	expect(mail?.to).toEqual([{ name: "", address: ADA }]);
	expect(mail?.text).toContain("for 10 min.");
	const link = /http\S+/.exec(mail?.text ?? "")?.[0] ?? "";
	expect(link.startsWith(`${demo.url}/sign-in/`)).toBe(true);
	expect((await browser.post(new URL(link).pathname)).status).toBe(303);
	expect((await browser.get("/")).text).toContain(ADA);
});

it("a mail server that can't be reached gives a clear page, and leaves no link behind", async () => {
	const demo = await startDemo({ smtpUrl: "smtp://127.0.0.1:1" });
	const answer = await demo.browser().post("/sign-in", { email: ADA });
	expect(answer.status).toBe(503);
	expect(answer.text).toContain("The mail could not be sent");
	expect(answer.text).not.toMatch(/ECONNREFUSED|127\.0\.0\.1:1\b|node_modules/);
	expect(tokens(demo.rows())).toEqual([]);
	expect(demo.logged).toEqual([expect.stringMatching(/^A mail could not be sent: E\w+$/)]);
});

it("a mail server that refuses the mail and repeats the link gets it neither shown nor logged", async () => {
	const smtp = await startSmtp("looks like spam:");
	const demo = await startDemo({ smtpUrl: smtp.url });
	const answer = await demo.browser().post("/sign-in", { email: ADA });
	expect(answer.status).toBe(503);
	expect(tokens(demo.rows())).toEqual([]);
	for (const text of [answer.text, demo.logged.join()]) {
		expect(text).not.toMatch(/spam|sign-in\/\w/);
	}
});
