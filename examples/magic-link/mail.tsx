/** @jsxImportSource preact */
import { LuciaTokenError, type Token } from "@lucia-auth/tokens";
import { createTransport } from "nodemailer";
import { render } from "preact-render-to-string";
import { mailFrom, smtpUrl } from "./config.js";

/** The demo's own mail server. Drop it with its folder. */
export const mailbox = smtpUrl ? undefined : await (await import("./demo/smtp.js")).startMailbox();

const transport = createTransport(smtpUrl ?? mailbox?.url);

export interface Mail {
	readonly subject: string;
	readonly paragraphs: readonly string[];
}

/** A paragraph of a mail. One that is a URL becomes a link. */
export const Paragraph = ({ text }: { text: string }) => (
	<p>{URL.canParse(text) ? <a href={text}>{text}</a> : text}</p>
);

/** Sends a mail as plain text with HTML beside it. */
export const sendMail = async (address: string, { subject, paragraphs }: Mail): Promise<void> => {
	const html = render(
		<html lang="en">
			<body>
				{paragraphs.map((text) => (
					<Paragraph text={text} />
				))}
			</body>
		</html>,
	);
	await transport.sendMail({
		from: mailFrom,
		to: { name: "", address }, // a plain string could be read as a list of addresses
		subject,
		text: paragraphs.join("\n\n"),
		html: `<!doctype html>${html}`,
		headers: { "Auto-Submitted": "auto-generated" },
	});
};

/** Takes back a token whose mail was not sent, so that its user can request another one at once. */
export const notSent =
	(handler: { withdraw(token: Token): Promise<void> }, token: Token) =>
	async (error: unknown): Promise<never> => {
		await handler.withdraw(token);
		throw error;
	};

const pending = new Set<Promise<void>>();

/** Waits until what was promised has been sent. */
export const allSent = (): Promise<unknown> => Promise.all(pending);

/**
 * Runs `work` after the response, so that neither the response nor its timing tells who has an account.
 * It doesn't log the error's message, because a mail server may quote the mail in it.
 */
export const afterResponse = (work: () => Promise<unknown>): void => {
	const done = work().then(
		() => {},
		(error: unknown) => {
			// A mail went out less than a minute ago.
			if (error instanceof LuciaTokenError && error.message === "ISSUED_RECENTLY") return;
			const { code, name } = error as { code?: string; name?: string };
			console.error("The mail was not sent:", code ?? name);
		},
	);
	pending.add(done);
	void done.finally(() => pending.delete(done));
};
