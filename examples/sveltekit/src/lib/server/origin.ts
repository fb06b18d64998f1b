import { env } from "$env/dynamic/private";

const { PORT = "3000", ORIGIN = `http://localhost:${PORT}` } = env;

/** Where users find the app: links are built from it, never from a request's Host header. */
export const origin = URL.canParse(ORIGIN) ? new URL(ORIGIN).origin : "https://example.com";

if (ORIGIN !== origin) {
	throw new Error(`ORIGIN is "${ORIGIN}", but must have no path and no slash: ORIGIN=${origin}`);
}

/** Where to go on to after a sign-in: a path of this app. Other URLs could lead users astray. */
export const ownPath = (next: unknown): string => {
	if (typeof next !== "string" || !URL.canParse(next, origin)) return "/";
	const url = new URL(next, origin);
	// `/.//evil.example` has the app's origin, but the path `//evil.example`.
	const isOwn = url.origin === origin && !url.pathname.startsWith("//");
	return isOwn ? url.pathname + url.search : "/";
};
