"use server";

import { LuciaTokenError } from "@lucia-auth/tokens";
import { cookies } from "next/headers";
import { redirect } from "next/navigation";
import { auth, handleRequest, magicLink, userIdOf } from "../lib/auth";
import { sendLink } from "../lib/mail";
import { origin, ownPath } from "../lib/origin";

// What browsers accept in <input type="email">.
const EMAIL = /^(?=.{1,254}$)[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[a-z\d-]{1,63}(\.[a-z\d-]{1,63})*$/;

/** Remembers the address that this browser asked with, for the pages that come next. */
const remember = async (email: string) =>
	(await cookies()).set("asked", email, {
		httpOnly: true,
		sameSite: "lax",
		secure: origin.startsWith("https:"),
		maxAge: 60 * 10,
	});

// Limit link requests per client.
export const requestLink = async (_previous: unknown, fields: FormData) => {
	const typed = String(fields.get("email") ?? "");
	const email = typed.trim().toLowerCase();
	if (!EMAIL.test(email)) return { typed, problem: "That is not an email address." };
	const next = ownPath(fields.get("next"));
	try {
		const token = await magicLink.issue(await userIdOf(email));
		try {
			await sendLink(email, `${origin}/sign-in/${token}?next=${encodeURIComponent(next)}`);
		} catch (error) {
			// Otherwise, the user would have to wait for a minute.
			await magicLink.withdraw(token);
			// Not the message: a mail server may quote the mail in it.
			console.error("A mail was not sent:", error instanceof Error ? error.name : error);
			return { typed, problem: "The mail could not be sent. Try again." };
		}
	} catch (error) {
		// A link was sent less than a minute ago. The page is the same, so it reveals nothing.
		if (!(error instanceof LuciaTokenError && error.message === "ISSUED_RECENTLY")) throw error;
	}
	await remember(email);
	redirect("/sent");
};

export const signIn = async (fields: FormData) => {
	const value = String(fields.get("token"));
	const next = ownPath(fields.get("next"));
	try {
		// However many requests use a link, only one gets past validate(), which ends the user's other links.
		const { userId } = await magicLink.validate(value, { revoke: ["magic-link"] });
		const authRequest = await handleRequest();
		// The new session replaces the browser's former one, even another user's.
		const former = authRequest.storedSessionId;
		authRequest.setSession(await auth.createSession(userId));
		if (former) await auth.invalidateSession(former);
		(await cookies()).delete("asked");
	} catch (error) {
		if (!(error instanceof LuciaTokenError)) throw error;
		if (error.userId) await remember((await auth.getUser(error.userId)).email);
		// The link's own page says that it does not work.
		redirect(`/sign-in/${encodeURIComponent(value)}?next=${encodeURIComponent(next)}`);
	}
	redirect(next);
};

export const signOut = async () => {
	const authRequest = await handleRequest();
	const { storedSessionId } = authRequest;
	if (storedSessionId) await auth.invalidateSession(storedSessionId);
	authRequest.setSession(null);
	redirect("/");
};
