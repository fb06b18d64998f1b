/** A browser without scripts: it keeps cookies, sends an Origin, and follows no redirect. */
export class Browser {
	/** Each cookie's value, by its name. */
	readonly cookies = new Map<string, string>();

	constructor(
		readonly origin: string,
		/** Where the server listens, if that differs from where users find it. */
		readonly address = origin,
	) {}

	get session(): string | undefined {
		return this.cookies.get("auth_session");
	}

	/** Sends a request to a path, or to a URL. */
	async send(method: string, path: string, init: RequestInit = {}) {
		const sent = [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
		const headers = new Headers({ Accept: "text/html", ...(sent && { Cookie: sent }) });
		for (const [name, value] of new Headers(init.headers)) headers.set(name, value);
		const url = path.startsWith("/") ? this.address + path : path;
		const response = await fetch(url, { ...init, method, headers, redirect: "manual" });
		for (const line of response.headers.getSetCookie()) {
			const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
			if (value === "") this.cookies.delete(name);
			else this.cookies.set(name, value);
		}
		return { status: response.status, headers: response.headers, text: await response.text() };
	}

	get(path: string) {
		return this.send("GET", path);
	}

	post(
		path: string,
		fields: Record<string, string> = {},
		headers: Record<string, string> = { Origin: this.origin },
	) {
		return this.send("POST", path, { headers, body: new URLSearchParams(fields) });
	}

	/** What its user asked for, as the cookie of the guides' app has it. */
	get asked(): unknown[] {
		return JSON.parse(decodeURIComponent(this.cookies.get("asked") ?? "[]")) as unknown[];
	}

	set asked(values: unknown) {
		this.cookies.set("asked", encodeURIComponent(JSON.stringify(values)));
	}

	/** Another browser with the same cookies. */
	copy(): Browser {
		const same = new Browser(this.origin, this.address);
		for (const [name, value] of this.cookies) same.cookies.set(name, value);
		return same;
	}

	/** Lets the minute pass in which this browser waits for another mail. */
	wait(): void {
		this.asked = [...this.asked.slice(0, 5), 0];
	}
}

/** What a server responds with. */
export type Page = Awaited<ReturnType<Browser["send"]>>;

/** The status of a response, and where it leads. */
export const leadsTo = ({ status, headers }: Page) => [status, headers.get("location")];

/** What one can see of a page, whatever the time, the random values, and an address of the same length are. */
export const seen = ({ status, headers, text }: Page, email: string) => {
	const same = (value: string) =>
		value
			.replaceAll(encodeURIComponent(email), "ADDRESS")
			.replaceAll(email, "ADDRESS")
			.replace(/%22[\w-]{36}%22%2C(\d+)%2C\d+/, "NONCE $1 TIME")
			.replace(/Expires=[^;]*/, "Expires")
			.replace(/in \d+ seconds/, "in SECONDS");
	const fields = [...headers].filter(([name]) => name !== "date");
	return {
		status,
		headers: fields.map(([name, value]) => [name, same(value)]),
		text: same(text),
	};
};
