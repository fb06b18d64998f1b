/**
 * Signs a user in. The new session replaces the one that the browser had before, whoever it belonged to.
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
 * Returns the address that a browser is signed in as. It is for users whose link or code was used: the
 * second click of a double click may find that the first has signed them in.
 *
 * It does not call `authRequest.validateUser()`. If the first click has just replaced the session that
 * both clicks came with, that would tell the browser to drop its cookie, and with it the new session.
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
