import type { NextConfig } from "next";
import { fileURLToPath } from "node:url";
import { origin } from "./lib/origin";

const headers = {
	// A link's address holds its token, which no referrer may carry. Not `no-referrer`: browsers then
	// send `Origin: null` with a form, and Lucia's check of the origin refuses it.
	"Referrer-Policy": "strict-origin",
	// Keeps other sites from framing a page and tricking users into pressing its button.
	"Content-Security-Policy": "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
};

export default {
	poweredByHeader: false,
	headers: async () => [
		{
			source: "/:path*",
			headers: Object.entries(headers).map(([key, value]) => ({ key, value })),
		},
	],
	// Server actions are for this origin, even if a reverse proxy passes on another Host.
	experimental: { serverActions: { allowedOrigins: [new URL(origin).host] } },
	// Keeps links out of the log.
	logging: { incomingRequests: { ignore: [/^\/sign-in\/./] } },
	// The library is linked from there. An app that installs it from npm needs no such line.
	turbopack: { root: fileURLToPath(new URL("../..", import.meta.url)) },
} satisfies NextConfig;
