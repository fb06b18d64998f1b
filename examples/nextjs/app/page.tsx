import Link from "next/link";
import { signedInAs } from "../lib/auth";
import { ownPath } from "../lib/origin";
import { signOut } from "./actions";
import { AskForm } from "./ask-form";
import { Heading } from "./heading";

export default async function Home({ searchParams }: PageProps<"/">) {
	const email = await signedInAs();
	if (email === undefined) {
		return (
			<>
				<Heading>Sign in</Heading>
				<AskForm next={ownPath((await searchParams).next)} />
			</>
		);
	}
	return (
		<>
			<Heading>You are signed in</Heading>
			<p>
				as <strong>{email}</strong>
			</p>
			<p>
				<Link href="/account">Your account</Link>
			</p>
			<form action={signOut}>
				<button>Sign out</button>
			</form>
		</>
	);
}
