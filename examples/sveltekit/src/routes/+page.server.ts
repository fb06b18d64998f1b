import { auth, magicLink, userIdOf } from "$lib/server/auth";
import { sendLink } from "$lib/server/mail";
import { origin, ownPath } from "$lib/server/origin";
import { LuciaTokenError } from "@lucia-auth/tokens";
import { error, fail, redirect } from "@sveltejs/kit";
import type { Actions, PageServerLoad } from "./$types";

// What browsers accept in <input type="email">.
const EMAIL = /^(?=.{1,254}$)[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[a-z\d-]{1,63}(\.[a-z\d-]{1,63})*$/;

export const load: PageServerLoad = async ({ locals, url }) => {
	const { user } = await locals.auth.validateUser();
	return { email: user?.email, next: ownPath(url.searchParams.get("next")) };
};

export const actions: Actions = {
	// Limit link requests per client.
	ask: async ({ request, cookies }) => {
		const fields = await request.formData().catch(() => error(400, "This is not a form"));
		const typed = String(fields.get("email") ?? "");
		const email = typed.trim().toLowerCase();
		const next = ownPath(fields.get("next"));
		if (!EMAIL.test(email)) {
			return fail(422, { typed, next, problem: "That is not an email address." });
		}
		try {
			const token = await magicLink.issue(await userIdOf(email));
			try {
				await sendLink(email, `${origin}/sign-in/${token}?next=${encodeURIComponent(next)}`);
			} catch (cause) {
				// Otherwise, the user would have to wait for a minute.
				await magicLink.withdraw(token);
				// Not the message: a mail server may quote the mail in it.
				console.error("A mail was not sent:", cause instanceof Error ? cause.name : cause);
				return fail(503, { typed, next, problem: "The mail could not be sent. Try again." });
			}
		} catch (cause) {
			// A link was sent less than a minute ago. The page is the same, so it reveals nothing.
			if (!(cause instanceof LuciaTokenError && cause.message === "ISSUED_RECENTLY")) throw cause;
		}
		// For the pages that come next. It is HttpOnly by default.
		cookies.set("asked", email, { path: "/", maxAge: 60 * 10 });
		redirect(303, "/sent");
	},

	signOut: async ({ locals }) => {
		const { storedSessionId } = locals.auth;
		if (storedSessionId) await auth.invalidateSession(storedSessionId);
		locals.auth.setSession(null);
	},
};
