import { cookies } from "next/headers";
import Link from "next/link";
import { Heading } from "../heading";

export default async function Sent() {
	const asked = (await cookies()).get("asked")?.value ?? "you";
	return (
		<>
			<Heading>Check your mail</Heading>
			<p>
				A link is on its way to <strong>{asked}</strong>. It works once, for ten minutes.
			</p>
			<p>
				This is a demo: its mail goes to <Link href="/mailbox">the mailbox</Link>.
			</p>
		</>
	);
}
