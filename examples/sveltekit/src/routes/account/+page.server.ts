import { redirect } from "@sveltejs/kit";
import type { PageServerLoad } from "./$types";

/** A page for signed-in users: others sign in first, and come back. */
export const load: PageServerLoad = async ({ locals }) => {
	const { user } = await locals.auth.validateUser();
	if (!user) redirect(303, "/?next=/account");
	return { email: user.email };
};
