// @ts-check

/**
 * Signs a user in: with a new session, that takes the place of the one that the browser had before,
 * of whichever user.
 *
 * @param {import("./auth.js").AppAuth["auth"]} auth
 * @param {import("express").Request} request
 * @param {import("express").Response} response
 * @param {string} userId
 */
export const startSession = async (auth, request, response, userId) => {
	const authRequest = auth.handleRequest(request, response);
	const former = authRequest.storedSessionId;
	const session = await auth.createSession(userId);
	if (former) await auth.invalidateSession(former);
	authRequest.setSession(session);
};

/**
 * The address that a browser is signed in with, for one who comes with what was used: the second of
 * a double click, which may have been signed in by the first.
 *
 * Not `authRequest.validateUser()`: where the first has just replaced the session that both came
 * with, it would tell the browser to drop its cookie, and with it the new session.
 *
 * @param {import("./auth.js").AppAuth["auth"]} auth
 * @param {import("express").Request} request
 * @param {import("express").Response} response
 * @returns {Promise<string | undefined>}
 */
export const signedInAs = async (auth, request, response) => {
	const { storedSessionId } = auth.handleRequest(request, response);
	const signedIn = await auth.getSessionUser(storedSessionId ?? "").catch(() => null);
	return signedIn?.user.email;
};
