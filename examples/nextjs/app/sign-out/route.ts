import { auth } from "../../lib/auth";
import { formRoute } from "../../lib/form";

export const POST = formRoute(async (_fields, authRequest) => {
	const { storedSessionId } = authRequest;
	if (storedSessionId) await auth.invalidateSession(storedSessionId);
	authRequest.setSession(null);
	return "/";
});
