import { LuciaTokenError } from "@lucia-auth/tokens";
import { auth, magicLink } from "../../lib/auth";
import { formRoute } from "../../lib/form";

export const POST = formRoute(async (fields, authRequest) => {
	const value = String(fields.get("token"));
	try {
		// However many requests use a link, only one gets past validate().
		const { userId } = await magicLink.validate(value);
		await magicLink.invalidateAllUserTokens(userId);
		// The new session replaces the browser's former one, even another user's.
		const former = authRequest.storedSessionId;
		authRequest.setSession(await auth.createSession(userId));
		if (former) await auth.invalidateSession(former);
		return "/";
	} catch (error) {
		if (!(error instanceof LuciaTokenError)) throw error;
		// The link's own page says that it does not work.
		return `/sign-in/${encodeURIComponent(value)}`;
	}
});
