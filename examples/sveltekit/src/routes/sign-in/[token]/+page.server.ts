import { auth, magicLink } from "$lib/server/auth";
import { LuciaTokenError } from "@lucia-auth/tokens";
import { error, redirect } from "@sveltejs/kit";
import type { Actions, PageServerLoad } from "./$types";

/** Shows the page of a link that is unknown, used or expired. */
const refuse = async (cause: unknown, { auth: request }: App.Locals): Promise<never> => {
	if (!(cause instanceof LuciaTokenError)) throw cause;
	// Another tab may have used the link. validateUser() could renew the session, or drop the cookie that
	// the other tab has just received.
	const signedIn = await auth.getSessionUser(request.storedSessionId ?? "").catch(() => null);
	error(410, { message: "This link does not work", signedInAs: signedIn?.user.email });
};

// Mail scanners open every link, so GET only looks.
export const load: PageServerLoad = async ({ params, locals }) => {
	const { userId } = await magicLink.getToken(params.token).catch((cause) => refuse(cause, locals));
	const { email } = await auth.getUser(userId);
	return { email };
};

export const actions: Actions = {
	// However many requests use a link, only one gets past validate().
	default: async ({ params, locals }) => {
		const { userId } = await magicLink
			.validate(params.token)
			.catch((cause) => refuse(cause, locals));
		await magicLink.invalidateAllUserTokens(userId);
		// The new session replaces the browser's former one, even another user's.
		const former = locals.auth.storedSessionId;
		locals.auth.setSession(await auth.createSession(userId));
		if (former) await auth.invalidateSession(former);
		redirect(303, "/");
	},
};
