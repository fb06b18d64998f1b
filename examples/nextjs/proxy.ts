import { NextResponse, type NextRequest } from "next/server";
import { readLink } from "./lib/auth";
import { origin } from "./lib/origin";

const refuse = (status: number, reason: string) => new Response(reason, { status });

/** Chooses the status of responses, which pages and server actions can't. */
export const proxy = async (request: NextRequest) => {
	const { method, headers, nextUrl } = request;
	const [, token] = /^\/sign-in\/([^/]+)$/.exec(nextUrl.pathname) ?? [];
	try {
		decodeURIComponent(token ?? "");
	} catch {
		// Next.js responds 500 to a link that is cut off within a character.
		return NextResponse.redirect(`${origin}/sign-in/-`, 303);
	}
	if (method === "GET" || method === "HEAD") {
		if (token === undefined || (await readLink(token)).works) return;
		return NextResponse.rewrite(request.url, { status: 410 });
	}
	// Next.js refuses all these requests, too, but with a 500.
	if (headers.get("Origin") !== origin) return refuse(403, "This form is not from our own pages.");
	if (!(Number(headers.get("Content-Length")) < 10_000)) return refuse(413, "This is too long.");
	// Next.js sends some calls to actions as text.
	if (headers.get("Content-Type")?.startsWith("text/plain")) return;
	const isForm = await request.formData().then(Boolean, () => false);
	if (!isForm) return refuse(400, "This is not a form.");
};
