/** @jsxImportSource preact */
import { Router } from "express";
import type { Flow } from "../flow.js";
import { mailbox, Paragraph } from "../mail.js";
import { sendPage } from "../pages.js";

const routes = Router();

/** The page that shows the demo's mail. */
export const mailboxPage: Flow = { routes };

routes.get("/mailbox", (_request, response, next) => {
	if (!mailbox) return next();
	const mails = mailbox.mails.map(({ to, subject, text }) => (
		<article>
			<h2>{subject}</h2>
			<p>
				To <strong>{to}</strong>
			</p>
			{text.split("\n\n").map((line) => (
				<Paragraph text={line} />
			))}
		</article>
	));
	sendPage(response, "Mailbox", mails.length > 0 ? mails : <p>No mail yet.</p>);
});
