import { LuciaTokenError } from "@lucia-auth/tokens";
import Link from "next/link";
import { auth, magicLink, signedInAs } from "../../../lib/auth";

interface Props {
	params: Promise<{ token: string }>;
}

/** The address that a link signs in. Mail scanners open every link, so this only looks. */
const emailOf = async (token: string): Promise<string | undefined> => {
	try {
		const { userId } = await magicLink.getToken(token);
		return (await auth.getUser(userId)).email;
	} catch (error) {
		if (!(error instanceof LuciaTokenError)) throw error;
		return undefined;
	}
};

export default async function LinkPage({ params }: Props) {
	const { token } = await params;
	const email = await emailOf(token);
	// Not notFound(): its page is empty until scripts have run.
	if (email === undefined) return <DeadLink />;
	return (
		<>
			{/* Says whose account it opens: somebody else may have sent this link. */}
			<h1>One more step</h1>
			<p>
				Press the button to sign in as <strong>{email}</strong>.
			</p>
			<form method="post" action="/sign-in" data-once>
				<input type="hidden" name="token" value={token} />
				<button>Sign in</button>
			</form>
		</>
	);
}

/** For a link that is unknown, used or expired. */
async function DeadLink() {
	// Somebody in another tab may have used it.
	const email = await signedInAs();
	return (
		<>
			<h1>This link does not work</h1>
			<p>It has been used, has expired or is not valid.</p>
			{email === undefined ? (
				<p>
					<Link href="/">Request a new link</Link>
				</p>
			) : (
				<>
					<p>
						You are signed in already, as <strong>{email}</strong>.
					</p>
					<p>
						<Link href="/">Go to your page</Link>
					</p>
				</>
			)}
		</>
	);
}
