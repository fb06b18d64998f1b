import { auth, magicLink } from "$lib/server/auth";
import { ownPath } from "$lib/server/origin";
import { LuciaTokenError } from "@lucia-auth/tokens";
import { error, redirect, type ServerLoadEvent } from "@sveltejs/kit";
import type { Actions, PageServerLoad } from "./$types";

/** Shows the page of a link that is unknown, used, or expired: +error.svelte. */
const refuse = async (
	cause: unknown,
	event: Pick<ServerLoadEvent, "cookies" | "locals" | "url">,
) => {
	if (!(cause instanceof LuciaTokenError)) throw cause;
	// This browser may have used it: in another tab, or before the user went back. validateUser() could
	// renew the session, or drop the cookie that the other tab has just received.
	const { storedSessionId } = event.locals.auth;
	const session = await auth.getSessionUser(storedSessionId ?? "").catch(() => null);
	const owner = cause.userId && (await auth.getUser(cause.userId)).email;
	return error(410, {
		message: session ? "You are signed in already" : "This link does not work",
		signedInAs: session?.user.email,
		email: owner || event.cookies.get("asked"),
		next: ownPath(event.url.searchParams.get("next")),
	});
};

// Mail scanners open every link, so GET only reads.
export const load: PageServerLoad = async (event) => {
	const { userId } = await magicLink
		.getToken(event.params.token)
		.catch((cause) => refuse(cause, event));
	const { email } = await auth.getUser(userId);
	return { email };
};

export const actions: Actions = {
	default: async (event) => {
		const { cookies, locals, params, url } = event;
		// However many requests use a link, only one gets past validate(), which ends the user's other links.
		const { userId } = await magicLink
			.validate(params.token, { revoke: ["magic-link"] })
			.catch((cause) => refuse(cause, event));
		// The new session replaces the browser's former one, even another user's.
		const former = locals.auth.storedSessionId;
		locals.auth.setSession(await auth.createSession(userId));
		if (former) await auth.invalidateSession(former);
		cookies.delete("asked", { path: "/" });
		redirect(303, ownPath(url.searchParams.get("next")));
	},
};
