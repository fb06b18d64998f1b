/**
 * The cookie of the browser that requested a code. Over HTTPS, the prefix `__Host-` keeps other hosts of
 * the same domain from setting it.
 *
 * @param {string} baseUrl
 */
export const createCodeCookie = (baseUrl) => {
	const secure = baseUrl.startsWith("https:");
	const name = secure ? "__Host-code_request" : "code_request";
	/** @type {import("express").CookieOptions} */
	const attributes = { httpOnly: true, sameSite: "lax", path: "/", secure };

	return {
		/**
		 * @param {import("express").Request} request
		 * @returns {string} its value, or an empty string if there is none
		 */
		read: ({ headers }) => {
			const pairs = (headers.cookie ?? "").split(";").map((pair) => pair.trim().split("="));
			return pairs.find(([key]) => key === name)?.[1] ?? "";
		},

		/**
		 * @param {import("express").Response} response
		 * @param {import("@lucia-auth/tokens").Token} token
		 */
		write: (response, token) => {
			response.cookie(name, token.toString(), { ...attributes, expires: token.expiresAt });
		},

		/** @param {import("express").Response} response */
		clear: (response) => {
			response.clearCookie(name, attributes);
		},
	};
};
