// @ts-check

/**
 * Lets a request that could change something pass only if it comes from the app's own pages, by
 * Lucia's own check of the `Origin` header.
 *
 * A page with `Referrer-Policy: no-referrer` makes browsers send `Origin: null` with its forms (Fetch
 * standard, "append a request `Origin` header"), and so do the pages on the link. But `null` is also
 * what a sandboxed frame of an attacker sends. `Sec-Fetch-Site` tells the two apart: the browser sets
 * it, no script can, and it says `same-origin` for the app's own pages alone.
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
	// Throws AUTH_INVALID_REQUEST. It is given the configured URL, since the Host header is the
	// client's word.
	auth.parseRequestHeaders({
		method,
		url: baseUrl,
		headers: { origin: headers.origin ?? null, cookie: headers.cookie ?? null },
	});
	next();
};
