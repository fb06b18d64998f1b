import { building } from "$app/environment";
import { auth, sweepDaily } from "$lib/server/auth";
import type { Handle, ServerInit } from "@sveltejs/kit";

export const init: ServerInit = () => {
	if (!building) sweepDaily();
};

export const handle: Handle = async ({ event, resolve }) => {
	// Lucia's types are of SvelteKit 1, whose cookies need no path. Lucia sets one.
	event.locals.auth = auth.handleRequest(event as never);
	const response = await resolve(event);
	response.headers.set("Cache-Control", "no-store");
	// A link's address holds its token, which no referrer may carry. Not `no-referrer`: browsers then
	// send `Origin: null` with a form where scripts are off, and SvelteKit responds 403.
	response.headers.set("Referrer-Policy", "strict-origin");
	return response;
};
