import type { AddressInfo } from "node:net";
import PostalMime from "postal-mime";
import { SMTPServer } from "smtp-server";

interface ReceivedMail {
	readonly to: string;
	readonly subject: string;
	readonly text: string;
}

/** Starts a mail server in this process. It is for the demo: anyone who can read its mail can sign in. */
export const startMailbox = async () => {
	const mails: ReceivedMail[] = []; // newest first
	const server = new SMTPServer({
		disabledCommands: ["AUTH", "STARTTLS"],
		disableReverseLookup: true,
		logger: false,
		onData: (stream, session, callback) => {
			const chunks: Buffer[] = [];
			stream.on("data", (chunk: Buffer) => chunks.push(chunk));
			stream.on("end", () => {
				PostalMime.parse(Buffer.concat(chunks)).then(({ subject = "", text = "" }) => {
					const to = session.envelope.rcptTo.map(({ address }) => address).join(", ");
					mails.unshift({ to, subject, text: text.trim() });
					mails.splice(50);
					callback();
				}, callback);
			});
		},
	});
	server.on("error", () => {}); // a client has gone
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const { port } = server.server.address() as AddressInfo;
	// smtp-server lets a new connection wait for 100 ms, and has no certificate here.
	return { mails, url: `smtp://127.0.0.1:${port}?pool=true&ignoreTLS=true` };
};
