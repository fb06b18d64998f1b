import { auth, magicLink, origin, userIdOf } from "$lib/server/auth";
import { sendLink } from "$lib/server/mail";
import { fail } from "@sveltejs/kit";
import type { Actions, PageServerLoad } from "./$types";

// What browsers accept in <input type="email">.
const EMAIL = /^(?=.{1,254}$)[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[a-z\d-]{1,63}(\.[a-z\d-]{1,63})*$/;

export const load: PageServerLoad = async ({ locals }) => {
	const { user } = await locals.auth.validateUser();
	return { email: user?.email };
};

export const actions: Actions = {
	// Limit link requests per client and per address.
	ask: async ({ request }) => {
		const typed = String((await request.formData()).get("email"));
		const email = typed.trim().toLowerCase();
		if (!EMAIL.test(email)) return fail(422, { typed });
		const token = await magicLink.issue(await userIdOf(email));
		await sendLink(email, `${origin}/sign-in/${token}`);
		return { sentTo: email };
	},

	signOut: async ({ locals }) => {
		const { storedSessionId } = locals.auth;
		if (storedSessionId) await auth.invalidateSession(storedSessionId);
		locals.auth.setSession(null);
	},
};
