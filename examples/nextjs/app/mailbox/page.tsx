import { connection } from "next/server";
import { mailbox } from "../../lib/mail";
import { Heading } from "../heading";

export default async function Mailbox() {
	// Not when the app is built: for each request.
	await connection();
	return (
		<>
			<Heading>Mailbox</Heading>
			{mailbox.length === 0 && <p>No mail yet.</p>}
			{mailbox.map(({ to, link }) => (
				<article key={link}>
					<h2>To {to}</h2>
					<p>
						Open this link and press the button to sign in: <a href={link}>{link}</a>
					</p>
					<p>It works once, for ten minutes. If you did not request it, ignore this email.</p>
				</article>
			))}
		</>
	);
}
