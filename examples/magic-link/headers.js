// @ts-check

const CONTENT_SECURITY_POLICY = [
	"default-src 'none'",
	"style-src 'self'",
	"script-src 'self'",
	"img-src 'self'",
	"form-action 'self'",
	"base-uri 'none'",
	"frame-ancestors 'none'",
].join("; ");

/** @type {import("express").RequestHandler} */
export const securityHeaders = (_request, response, next) => {
	response.set({
		"Content-Security-Policy": CONTENT_SECURITY_POLICY,
		"X-Content-Type-Options": "nosniff",
		"Referrer-Policy": "same-origin",
		"Cache-Control": "no-store",
	});
	next();
};

/**
 * The URL or the text of these pages contains a token, which must not leak as a referrer.
 *
 * @type {import("express").RequestHandler}
 */
export const tokenPageHeaders = (_request, response, next) => {
	response.set("Referrer-Policy", "no-referrer");
	next();
};
