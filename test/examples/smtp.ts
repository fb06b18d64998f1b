import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import PostalMime from "postal-mime";
import { SMTPServer } from "smtp-server";

export interface Mail {
	readonly to: string;
	readonly subject: string;
	readonly text: string;
	readonly html: string;
	/** The headers, by their names in lower case. */
	readonly headers: Record<string, string>;
}

/** The URL of the link in a mail. */
export const urlIn = ({ text }: Mail): URL => new URL(/http\S+/.exec(text)?.[0] ?? "");

/** The path of the link in a mail, with its query. */
export const pathIn = (mail: Mail): string => urlIn(mail).pathname + urlIn(mail).search;

/** The code in a mail. */
export const codeIn = ({ text }: Mail): string => /\d{4} \d{4}/.exec(text)?.[0] ?? "";

/** A mail server that keeps what it receives. */
export const startSmtp = async () => {
	const mails: Mail[] = [];
	let refusal: string | undefined;
	const server = new SMTPServer({
		disabledCommands: ["AUTH", "STARTTLS"],
		disableReverseLookup: true,
		logger: false,
		onRcptTo: (_address, _session, callback) => callback(refusal ? new Error(refusal) : null),
		onData: (stream, session, callback) => {
			const chunks: Buffer[] = [];
			stream.on("data", (chunk: Buffer) => chunks.push(chunk));
			stream.on("end", () => {
				void PostalMime.parse(Buffer.concat(chunks)).then(
					({ subject = "", text = "", html = "", headers: list }) => {
						const headers = Object.fromEntries(list.map(({ key, value }) => [key, value]));
						const to = session.envelope.rcptTo.map(({ address }) => address).join();
						mails.push({ to, subject, text, html, headers });
						callback();
					},
				);
			});
		},
	});
	server.on("error", () => {}); // a client has gone
	await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
	const { port } = server.server.address() as AddressInfo;

	return {
		mails,
		url: `smtp://127.0.0.1:${port}?pool=true`,

		/** Refuses every mail from now on, with a message; without one, accepts them again. */
		refuse: (message?: string) => void (refusal = message),

		/** Takes the next mail to an address, and waits for it. */
		next: async (to: string): Promise<Mail> => {
			for (let tries = 0; tries < 6000; tries++) {
				const found = mails.findIndex((mail) => mail.to === to);
				if (found > -1) return mails.splice(found, 1)[0] as Mail;
				await sleep(5);
			}
			throw new Error(`No mail to ${to}`);
		},

		close: () => new Promise<void>((resolve) => server.close(resolve)),
	};
};
