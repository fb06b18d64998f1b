/** What a server responds with. */
export interface Page {
	readonly status: number;
	readonly headers: Headers;
	readonly text: string;
}

/** A browser without scripts: it keeps cookies, sends an Origin, and follows no redirect. */
export class Browser {
	/** Each cookie's value, by its name. */
	readonly cookies = new Map<string, string>();

	constructor(
		readonly origin: string,
		/** Where the server listens, if that differs from where users find it. */
		readonly address = origin,
	) {}

	async send(
		method: string,
		path: string,
		{ headers = {}, body }: { headers?: Record<string, string>; body?: string } = {},
	): Promise<Page> {
		const sent = [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
		const response = await fetch(new URL(path, this.address), {
			method,
			redirect: "manual",
			headers: { ...(sent && { Cookie: sent }), ...headers },
			...(body === undefined ? {} : { body }),
		});
		for (const line of response.headers.getSetCookie()) {
			const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
			if (value === "") this.cookies.delete(name);
			else this.cookies.set(name, value);
		}
		return { status: response.status, headers: response.headers, text: await response.text() };
	}

	get(path: string): Promise<Page> {
		return this.send("GET", path);
	}

	post(
		path: string,
		fields: Record<string, string> = {},
		headers: Record<string, string> = { Origin: this.origin },
	): Promise<Page> {
		return this.send("POST", path, {
			headers: { "Content-Type": "application/x-www-form-urlencoded", ...headers },
			body: new URLSearchParams(fields).toString(),
		});
	}

	/** Another browser with the same cookies. */
	copy(): Browser {
		const same = new Browser(this.origin, this.address);
		for (const [name, value] of this.cookies) same.cookies.set(name, value);
		return same;
	}

	/** Lets the minute pass in which this browser waits for another mail. */
	wait(): void {
		const asked = JSON.parse(decodeURIComponent(this.cookies.get("asked") ?? "[]")) as unknown[];
		asked[5] = 0;
		this.cookies.set("asked", encodeURIComponent(JSON.stringify(asked)));
	}
}
