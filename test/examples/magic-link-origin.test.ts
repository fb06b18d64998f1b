import { describe, expect, it } from "vitest";
import { type Demo, startDemo } from "./demo.js";

const ADA = "ada@example.com";

type Sent = [path: string, fields: Record<string, string>];

/** What a signed-in user who has requested a code sends with each POST of the demo. */
const ROUTES: Record<string, (link: string, code: string) => Sent> = {
	"/sign-in": () => ["/sign-in", { email: "eve@example.com" }],
	"/sign-in/:token": (link) => [link, {}],
	"/code": () => ["/code", { email: "eve@example.com" }],
	"/code/use": (_link, code) => ["/code/use", { code }],
	"/revoke": () => ["/revoke", {}],
	"/revoke-all": () => ["/revoke-all", {}],
	"/sign-out": () => ["/sign-out", {}],
};

type Headers = (demo: Demo) => Record<string, string>;

const REFUSED: Record<string, Headers> = {
	"no Origin": () => ({}),
	"no Origin, said to be the app's own": () => ({ "Sec-Fetch-Site": "same-origin" }),
	"an empty Origin": () => ({ Origin: "" }),
	"a foreign Origin": () => ({ Origin: "https://evil.example" }),
	"a foreign Origin, said to be the app's own": () => ({
		Origin: "https://evil.example",
		"Sec-Fetch-Site": "same-origin",
	}),
	"the Origin of another port": () => ({ Origin: "http://localhost:1" }),
	"the Origin without its port": () => ({ Origin: "http://localhost" }),
	"the Origin with another scheme": ({ url }) => ({ Origin: url.replace("http:", "https:") }),
	"the Origin of the Host header": ({ port }) => ({ Origin: `http://127.0.0.1:${port}` }),
	"the Origin with more behind it": ({ url }) => ({ Origin: `${url}.evil.example` }),
	"a null Origin": () => ({ Origin: "null" }),
	"a null Origin from a foreign site": () => ({ Origin: "null", "Sec-Fetch-Site": "cross-site" }),
	"a null Origin from the same site": () => ({ Origin: "null", "Sec-Fetch-Site": "same-site" }),
	"a null Origin from no site": () => ({ Origin: "null", "Sec-Fetch-Site": "none" }),
	"a null Origin from two sites": () => ({
		Origin: "null",
		"Sec-Fetch-Site": "same-origin, cross-site",
	}),
};

const ACCEPTED: Record<string, Headers> = {
	"the app's Origin": ({ url }) => ({ Origin: url }),
	// What Chromium sends from a page with `Referrer-Policy: no-referrer`; see test/browser.
	"a null Origin from the app's own page": () => ({
		Origin: "null",
		"Sec-Fetch-Site": "same-origin",
	}),
};

describe.each(Object.keys(ROUTES))("POST %s", (route) => {
	const arrange = async () => {
		const demo = await startDemo();
		const browser = await demo.signedIn(ADA);
		const link = await demo.link(ADA);
		const code = await demo.code(ADA, browser);
		const [path, fields] = ROUTES[route]?.(link, code) ?? ["", {}];
		return { demo, browser, link, code, path, fields };
	};

	it("is refused from every other origin, and changes nothing", async () => {
		const { demo, browser, link, code, path, fields } = await arrange();
		const before = demo.rows();
		for (const [name, headers] of Object.entries(REFUSED)) {
			const answer = await browser.post(path, fields, headers(demo));
			expect(answer.status, name).toBe(403);
			expect(answer.text, name).toContain("This request was refused");
			expect(answer.headers.getSetCookie(), name).toEqual([]);
		}
		expect(demo.rows()).toEqual(before);
		expect(demo.logged).toEqual([]);
		expect((await demo.browser().post(link)).status).toBe(303);
		expect((await browser.post("/code/use", { code })).status).toBe(303);
	});

	it.each(Object.keys(ACCEPTED))("is accepted with %s", async (name) => {
		const { demo, browser, path, fields } = await arrange();
		const answer = await browser.post(path, fields, ACCEPTED[name]?.(demo) ?? {});
		expect(answer.status).toBe(route === "/sign-in" ? 200 : 303);
	});
});

it.each(["PUT", "PATCH", "DELETE", "OPTIONS"])(
	"%s from another origin is refused",
	async (method) => {
		const demo = await startDemo();
		const link = await demo.link(ADA);
		for (const path of ["/", "/sign-in", "/code", "/code/use", link]) {
			const answer = await demo.browser().send(method, path, {
				headers: { Origin: "https://evil.example" },
			});
			expect(answer.status).toBe(403);
		}
	},
);
