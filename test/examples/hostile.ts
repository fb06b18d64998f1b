import { expect } from "vitest";
import type { Browser } from "./browser.js";

/** The headers of forms that are not an app's own. */
export const foreignHeaders = (origin: string): Record<string, string>[] => [
	...[{}, { "Sec-Fetch-Site": "same-origin" }, { Referer: `${origin}/` }],
	...[
		...["", "null", "https://evil.example", "http://localhost", "http://localhost:1"],
		...[origin.replace("http:", "https:"), origin.replace("localhost", "127.0.0.1")],
		...[`${origin}.evil.example`, `${origin}/`, `${origin}, ${origin}`],
	].map((Origin) => ({ Origin })),
];

/** Where no app leads its users after a sign-in. */
export const FOREIGN_PATHS = [
	...["//evil.example", "/\\evil.example", "/\t/evil.example", "/\n/evil.example", "//", "//[", ""],
	...["\t//evil.example", "https://evil.example", "javascript:alert(1)"],
];

const FORM = "application/x-www-form-urlencoded";

const SEGMENTS = [
	...["", "%", "%00", "%2F", "%E0%A4%A", "%F0%9F%98%80", "..%2f", "..%5c", "/", "a/b", "__proto__"],
	...["x".repeat(3000), `${"%3E".repeat(3000)}x`],
];

const VALUES = ["%", "%00", "%E0%A4%A", '"', "__proto__", "x".repeat(40), "x".repeat(5000)];

/** Bodies by their Content-Type. */
const BODIES: Record<string, string[]> = {
	[FORM]: [
		...["", "email=%", "email=%E0%A4%A", "email[]=a@b.example", "email=a@b&email=c@d", "&&&=&"],
		...["email=a%00@b.example&current=%00", "code=%00", `email=${"a".repeat(5000)}`],
		...["__proto__=x&constructor=y", "email[toString]=1", "a=b&".repeat(1001)],
		"current=%00&password=%00",
	],
	[`${FORM}; charset=x`]: ["x"],
	"application/json": ["", "{", "null", "1", '{"email":["a"]}', '{"__proto__":1}'],
	"text/plain": ["x"],
	"multipart/form-data": ["x"],
	"multipart/form-data; boundary=x": ["--x\r\nContent-Disposition: form-data"],
	nonsense: ["x"],
	"": ["x"],
};

/**
 * Sends what no honest browser sends. Expects that the app never fails, and never shows its code.
 *
 * @param pages paths that segments and a query are added to
 * @param forms paths that accept a POST; where one signs out, it is the last
 * @returns the statuses of the responses
 */
export const sendHostile = async (browser: Browser, pages: string[], forms: string[]) => {
	const statuses = new Set<number>();
	const send = async (own: Browser, method: string, path: string, init: RequestInit = {}) => {
		const headers = { Origin: own.origin, ...(init.headers as Record<string, string>) };
		const { status, text } = await own.send(method, path, { ...init, headers });
		expect(status, JSON.stringify([method, path, init])).toBeLessThan(500);
		expect(text).not.toMatch(/node_modules|\n\s+at |sqlite/i);
		statuses.add(status);
	};
	for (const page of pages) {
		for (const segment of SEGMENTS) {
			const path = `${page}${segment}`;
			for (const method of ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"]) {
				await send(browser, method, path);
			}
			await send(browser, "GET", `${page}?next=${segment}&next[a]=b&email=${segment}&sent[]=x`);
		}
	}
	for (const form of forms) {
		for (const method of ["POST", "HEAD", "PUT"]) await send(browser, method, form);
		for (const [type, bodies] of Object.entries(BODIES)) {
			const headers = type ? { "Content-Type": type } : {};
			for (const body of bodies) {
				await send(browser, "POST", form, { headers, body: Buffer.from(body) });
			}
		}
	}
	for (const value of VALUES) {
		for (const name of ["auth_session", "asked"]) {
			const own = browser.copy();
			own.cookies.set(name, value);
			for (const path of [...pages, ...forms]) await send(own, "GET", path);
			for (const form of forms) await send(own, "POST", form);
		}
	}
	return statuses;
};
