import { cookies } from "next/headers";
import Link from "next/link";
import { readLink, signedInAs } from "../../../lib/auth";
import { ownPath } from "../../../lib/origin";
import { signIn } from "../../actions";
import { AskForm } from "../../ask-form";
import { Heading } from "../../heading";

export default async function LinkPage(props: PageProps<"/sign-in/[token]">) {
	const { token } = await props.params;
	const next = ownPath((await props.searchParams).next);
	const { works, email } = await readLink(token);
	// proxy.ts gives this page the status 410.
	if (!works) return <DeadLink email={email} next={next} />;
	return (
		<>
			{/* Says whose account it opens: somebody else may have sent this link. */}
			<Heading>One more step</Heading>
			<p>
				Press the button to sign in as <strong>{email}</strong>.
			</p>
			<form action={signIn} data-once>
				<input type="hidden" name="token" value={token} />
				<input type="hidden" name="next" value={next} />
				<button>Sign in</button>
			</form>
		</>
	);
}

/** For a link that is unknown, used or expired. */
async function DeadLink({ email, next }: { email?: string; next: string }) {
	// This browser may have used it: in another tab, or before the user went back.
	const signedIn = await signedInAs();
	if (signedIn !== undefined) {
		return (
			<>
				<Heading>You are signed in already</Heading>
				<p>
					You are signed in as <strong>{signedIn}</strong>. This link has been used, has expired, or
					is not valid.
				</p>
				<p>
					<Link href={next}>Go on</Link>
				</p>
			</>
		);
	}
	return (
		<>
			<Heading>This link does not work</Heading>
			<p>It has been used, has expired, or is not valid. Request a new one:</p>
			<AskForm email={email ?? (await cookies()).get("asked")?.value} next={next} />
		</>
	);
}
