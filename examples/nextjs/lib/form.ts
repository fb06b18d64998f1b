import type { AuthRequest } from "lucia-auth";
import { NextResponse } from "next/server";
import { auth, handleRequest, origin } from "./auth";

/**
 * A route handler for a form of the app's own pages.
 *
 * Next.js checks where server actions come from, but not where route handlers are called from: Lucia
 * does, by the Origin header.
 *
 * @param handle returns the path to go on to
 */
export const formRoute =
	(handle: (fields: FormData, authRequest: AuthRequest) => Promise<string>) =>
	async (request: Request): Promise<Response> => {
		const { method, headers } = request;
		try {
			auth.parseRequestHeaders({
				method,
				url: origin,
				headers: { origin: headers.get("Origin"), cookie: null },
			});
		} catch {
			return new Response("This request did not come from our own pages.", { status: 403 });
		}
		const path = await handle(await request.formData(), await handleRequest(request));
		// Not redirect(), which would answer 307 here, and the browser would send the form again.
		return NextResponse.redirect(new URL(path, origin), 303);
	};
