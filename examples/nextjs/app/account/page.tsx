import { redirect } from "next/navigation";
import { signedInAs } from "../../lib/auth";
import { Heading } from "../heading";

/** A page for signed-in users: others sign in first, and come back. */
export default async function Account() {
	const email = await signedInAs();
	if (email === undefined) redirect("/?next=/account");
	return (
		<>
			<Heading>Your account</Heading>
			<p>
				Only you can see this page, <strong>{email}</strong>.
			</p>
		</>
	);
}
