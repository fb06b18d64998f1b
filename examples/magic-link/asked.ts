import { parseCookie } from "cookie";
import type { CookieOptions, Request, Response } from "express";
import { toAddress } from "./auth.js";
import { baseUrl, secure } from "./config.js";

/** What a browser asked for. It keeps this itself, in a cookie, so that every page knows the address. */
export interface Asked {
	/** The path that sends the mail. */
	readonly action: string;
	readonly email: string;
	/** The app's own page to go on to. */
	readonly next: string;
	/** What this browser's codes are bound to. */
	readonly nonce: string;
	/** How many wrong codes it entered since the mail. This only picks what a page says. */
	readonly wrong: number;
	/** When, in epoch milliseconds. */
	readonly at: number;
}

/** How long an address waits for the next mail of a kind, in seconds. */
export const MIN_INTERVAL = 60;

// Browsers accept `__Host-` over HTTPS only. It keeps other hosts of the same domain from setting the cookie.
const NAME = secure ? "__Host-asked" : "asked";

// Lax, so that the browser also sends it when a user opens a link in their webmail.
const ATTRIBUTES: CookieOptions = { httpOnly: true, sameSite: "lax", secure, path: "/" };

/** Returns the URL of one of the app's own pages: that of `path`, or the home page. */
export const ownUrl = (path = ""): string => {
	const isPath = path.startsWith("/") && URL.canParse(path, baseUrl);
	const url = new URL(isPath ? path : "/", baseUrl);
	// `//evil.example` is another origin. The whole URL is returned, because a path could be read as one.
	return url.origin === baseUrl ? url.href : `${baseUrl}/`;
};

/** What this browser asked for, if it did so within the last hour. */
export const readAsked = (request: Request): Asked | undefined => {
	try {
		const cookie = parseCookie(request.headers.cookie ?? "")[NAME] ?? "";
		const [action, email, next, nonce, wrong, at] = (JSON.parse(cookie) as unknown[]).map(String);
		if (!action || !/^(\/[a-z-]+)+$/.test(action) || !nonce || !/^[\w-]{36}$/.test(nonce)) return;
		const address = toAddress(email ?? "");
		if (!address) return;
		return {
			action,
			email: address,
			next: next ?? "",
			nonce,
			wrong: Number(wrong),
			at: Number(at),
		};
	} catch {
		return; // not what this app wrote
	}
};

export const writeAsked = (response: Response, asked: Asked): void => {
	const { action, email, next, nonce, wrong, at } = asked;
	// Browsers drop a cookie that is too long, and with it the address.
	const path = encodeURIComponent(JSON.stringify(next)).length > 1000 ? "" : next;
	const value = JSON.stringify([action, email, path, nonce, wrong, at]);
	response.cookie(NAME, value, { ...ATTRIBUTES, maxAge: 1000 * 60 * 60 });
};

/** Forgets what the browser asked for, and returns where it goes on. */
export const finish = (request: Request, response: Response): string => {
	const asked = readAsked(request);
	response.clearCookie(NAME, ATTRIBUTES);
	return ownUrl(asked?.next);
};

/** How long this browser waits until it may ask for another mail, in seconds. */
export const secondsToWait = (asked: Asked | undefined): number => {
	const left = asked ? Math.ceil(MIN_INTERVAL - (Date.now() - asked.at) / 1000) : 0;
	return left > 0 && left <= MIN_INTERVAL ? left : 0;
};

/**
 * Remembers what a browser asks for. Within the interval, no second mail is sent, so what the first one
 * needs stays the same.
 */
export const remember = (
	request: Request,
	response: Response,
	{ action, email, ...given }: Pick<Asked, "action" | "email" | "next">,
): Asked => {
	const former = readAsked(request);
	const next = given.next || former?.next || "";
	const isSame = former?.action === action && former.email === email;
	const asked =
		isSame && secondsToWait(former) > 0
			? { ...former, next }
			: {
					action,
					email,
					next,
					nonce: former?.nonce ?? crypto.randomUUID(),
					wrong: 0,
					at: Date.now(),
				};
	writeAsked(response, asked);
	return asked;
};
