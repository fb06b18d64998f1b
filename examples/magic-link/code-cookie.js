// @ts-check

const NAME = "code_request";

/** The cookie that the browser that asked for a code holds, for the pages of the code alone. */
export const codeCookie = {
	/**
	 * @param {import("express").Request} request
	 * @returns {string} its value; empty where there is none
	 */
	read: ({ headers }) => {
		const pairs = (headers.cookie ?? "").split(";").map((pair) => pair.trim().split("="));
		return pairs.find(([name]) => name === NAME)?.[1] ?? "";
	},

	/**
	 * @param {import("express").Response} response
	 * @param {import("@lucia-auth/tokens").Token} token
	 * @param {string} baseUrl
	 */
	write: (response, token, baseUrl) => {
		response.cookie(NAME, token.toString(), { ...attributes(baseUrl), expires: token.expiresAt });
	},

	/** @param {import("express").Response} response @param {string} baseUrl */
	clear: (response, baseUrl) => {
		response.clearCookie(NAME, attributes(baseUrl));
	},
};

/** @param {string} baseUrl @returns {import("express").CookieOptions} */
const attributes = (baseUrl) => ({
	httpOnly: true,
	sameSite: "lax",
	path: "/code",
	secure: baseUrl.startsWith("https:"),
});
