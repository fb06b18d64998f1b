import { LuciaTokenError } from "@lucia-auth/tokens";
import { auth, magicLink } from "../../lib/auth";
import { formRoute } from "../../lib/form";

export const POST = formRoute(async (fields, authRequest) => {
	const value = String(fields.get("token"));
	try {
		// Of all that press the button, at once or later, one gets past validate().
		const { userId } = await magicLink.validate(value);
		await magicLink.invalidateAllUserTokens(userId);
		// A new session in the place of the browser's former one, of whichever user.
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
