import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import PostalMime, { type Email } from "postal-mime";
import { SMTPServer } from "smtp-server";
import { vi } from "vitest";

export type Mail = Omit<Email, "to"> & { readonly to: string };

/** The URL of the link in a mail. */
export const urlIn = ({ text = "" }: Mail): URL => new URL(/http\S+/.exec(text)?.[0] ?? "");

/** The path of the link in a mail, with its query. */
export const pathIn = (mail: Mail): string => urlIn(mail).pathname + urlIn(mail).search;

/** The code in a mail. */
export const codeIn = ({ text = "" }: Mail): string => /\d{4} \d{4}/.exec(text)?.[0] ?? "";

/** A mail server that keeps what it receives. */
export const startSmtp = async () => {
	const mails: Mail[] = [];
	let refusal: string | undefined;
	const server = new SMTPServer({
		disabledCommands: ["AUTH", "STARTTLS"],
		disableReverseLookup: true,
		logger: false,
		onRcptTo: (_address, _session, callback) => callback(refusal ? new Error(refusal) : null),
		onData: (stream, { envelope }, callback) => {
			const to = envelope.rcptTo.map(({ address }) => address).join();
			void buffer(stream)
				.then((mail) => PostalMime.parse(mail))
				.then((mail) => {
					mails.push({ ...mail, to });
					callback();
				})
				.catch(callback);
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
		next: (to: string): Promise<Mail> => {
			const take = (): Mail => {
				const found = mails.findIndex((mail) => mail.to === to);
				if (found < 0) throw new Error(`No mail to ${to}`);
				return mails.splice(found, 1)[0] as Mail;
			};
			return vi.waitFor(take, { timeout: 30_000, interval: 5 });
		},

		close: () => new Promise<void>((resolve) => server.close(resolve)),
	};
};
