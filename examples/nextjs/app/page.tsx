import Link from "next/link";
import { signedInAs } from "../lib/auth";

interface Props {
	searchParams: Promise<{ sent?: string; refused?: string }>;
}

export default async function Home({ searchParams }: Props) {
	const email = await signedInAs();
	const { sent, refused } = await searchParams;
	if (email !== undefined) {
		return (
			<>
				<h1>You are signed in</h1>
				<p>
					as <strong>{email}</strong>
				</p>
				<form method="post" action="/sign-out">
					<button>Sign out</button>
				</form>
			</>
		);
	}
	if (sent !== undefined) {
		return (
			<>
				<h1>Check your mail</h1>
				<p>A link is on its way to you. It works once, for ten minutes.</p>
				<p>
					This is a demo: its mail goes to <Link href="/mailbox">the mailbox</Link>.
				</p>
			</>
		);
	}
	return (
		<>
			<h1>Sign in</h1>
			<form method="post" action="/link">
				<label htmlFor="email">Email address</label>
				<input id="email" name="email" type="email" autoComplete="email" required />
				{refused !== undefined && <p role="alert">That is not an email address.</p>}
				<button>Send me a link</button>
			</form>
		</>
	);
}
