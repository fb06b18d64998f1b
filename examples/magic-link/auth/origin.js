/**
 * Accepts a request that could change something only from the app's own pages. Lucia checks the
 * `Origin` header.
 *
 * From a page with `Referrer-Policy: no-referrer`, browsers send `Origin: null` with a form (Fetch
 * standard, "append a request `Origin` header"). The pages of the link are such pages. But an attacker's
 * sandboxed frame sends `null`, too. `Sec-Fetch-Site` tells the two apart: the browser sets it, no
 * script can, and it is `same-origin` only for the app's own pages.
 *
 * @param {import("./auth.js").AppAuth["auth"]} auth
 * @param {string} baseUrl
 * @returns {import("express").RequestHandler}
 */
export const checkOrigin = (auth, baseUrl) => (request, _response, next) => {
	const { headers, method } = request;
	if (headers.origin === "null" && headers["sec-fetch-site"] === "same-origin") {
		headers.origin = baseUrl;
	}
	// Throws AUTH_INVALID_REQUEST. It gets the configured URL, because the client picks the Host header.
	auth.parseRequestHeaders({
		method,
		url: baseUrl,
		headers: { origin: headers.origin ?? null, cookie: headers.cookie ?? null },
	});
	next();
};
