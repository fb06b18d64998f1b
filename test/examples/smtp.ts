import type { AddressInfo } from "node:net";
import PostalMime from "postal-mime";
import { SMTPServer } from "smtp-server";
import { expect } from "vitest";

export interface Mail {
	readonly to: string;
	readonly subject: string;
	readonly text: string;
	readonly html: string;
}

/** The path of the link in a mail, with its query. */
export const pathIn = ({ text }: Mail): string => {
	const { pathname, search } = new URL(/http\S+/.exec(text)?.[0] ?? "");
	return pathname + search;
};

/** The code in a mail. */
export const codeIn = ({ text }: Mail): string => /\d{4} \d{4}/.exec(text)?.[0] ?? "";

/** A mail server that keeps what it receives. */
export const startSmtp = async () => {
	const mails: Mail[] = [];
	const server = new SMTPServer({
		disabledCommands: ["AUTH", "STARTTLS"],
		disableReverseLookup: true,
		logger: false,
		onData: (stream, session, callback) => {
			const chunks: Buffer[] = [];
			stream.on("data", (chunk: Buffer) => chunks.push(chunk));
			stream.on("end", () => {
				void PostalMime.parse(Buffer.concat(chunks)).then(({ subject, text, html }) => {
					const to = session.envelope.rcptTo.map(({ address }) => address).join();
					mails.push({ to, subject: subject ?? "", text: text ?? "", html: html ?? "" });
					callback();
				});
			});
		},
	});
	server.on("error", () => {}); // a client has gone
	await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
	const { port } = server.server.address() as AddressInfo;

	return {
		mails,
		url: `smtp://127.0.0.1:${port}?pool=true`,

		/** Takes the next mail to an address, and waits for it. */
		next: async (to: string): Promise<Mail> => {
			const find = () => mails.findIndex((mail) => mail.to === to);
			await expect.poll(find, { timeout: 30_000, interval: 5 }).toBeGreaterThan(-1);
			return mails.splice(find(), 1)[0] as Mail;
		},

		close: () => new Promise<void>((resolve) => server.close(resolve)),
	};
};
