import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { files, type Guides, startGuides } from "./guide-app.js";

const HOUR = 1000 * 60 * 60;
const NAMES = [
	"magic-link",
	"bound-link",
	"email-verification",
	"password-reset",
	"sign-in-code",
] as const;

let guides: Guides;
let userId: string;
beforeAll(async () => {
	guides = await startGuides();
	userId = await guides.createUser("tokens@example.com");
});
afterAll(() => guides?.close());
beforeEach(() => {
	guides.db.prepare("DELETE FROM auth_key WHERE expires IS NOT NULL").run();
});

const addKey = (id: string, expires: number) => {
	guides.db.prepare("INSERT INTO auth_key VALUES (?, ?, 0, NULL, ?)").run(id, userId, expires);
	return id;
};

/** Tokens of every type and what belongs to them: the ids of those to keep. */
const addKeys = (): string[] => {
	const now = Date.now();
	const kept: string[] = [];
	for (const name of NAMES) {
		const prefix = name === "sign-in-code" ? `${name}:${userId}.` : `${name}:`;
		const interval = name === "sign-in-code" ? `:${prefix} ` : `:${name}: ${userId}. `;
		addKey(`${prefix}old`, now - 1000);
		addKey(`${interval}after ${now - 3 * HOUR}`, now - 2 * HOUR);
		addKey(`:${prefix}used ${now - 2 * HOUR}`, now - 2 * HOUR);
		addKey(`:${prefix}guessed ${now - 2 * HOUR} 1`, now - 2 * HOUR);
		kept.push(addKey(`${prefix}good`, now + HOUR));
		kept.push(addKey(`:${prefix}late ${now - 1000}`, now - 1000));
	}
	kept.push(addKey("another-app:old", now - 2 * HOUR));
	return kept;
};

const node = async (...args: string[]) => {
	const [code] = await guides.run(args).ended;
	return code;
};

const evaluate = (name: string) =>
	node("--input-type=module", "-e", `const m = await import("./sweep.js"); await m.${name}();`);

it("the sweep knows every type of token that the guides issue", () => {
	const names = (code: string, made: RegExp) =>
		[...code.matchAll(made)].map(([, name]) => name).sort();
	const issuers = [...files()].filter(([name]) => name !== "sweep.js").map(([, code]) => code);
	const issued = names(issuers.join(""), /Token\(auth, "([^"]*)"/g);
	expect(issued).toEqual([...NAMES].sort());
	expect(names(files().get("sweep.js") ?? "", /Token\(store, "([^"]*)"/g)).toEqual(issued);
});

describe.each([
	["sweepAll()", () => evaluate("sweepAll")],
	["sweepByUser()", () => evaluate("sweepByUser")],
	["the cron job", () => node("sweep-once.js")],
	[
		"the timer of another process",
		async () => {
			const { stop } = await guides.serve();
			await expect.poll(() => guides.tokens().join(), { timeout: 20_000 }).not.toContain(".old");
			await stop();
			return 0;
		},
	],
])("%s", (_name, sweep) => {
	it("deletes what has expired and nothing else", async () => {
		const kept = addKeys();
		expect(await sweep()).toBe(0);
		const left = guides.rows()[2]?.filter((row) => row["expires"] !== null) ?? [];
		expect(left.map((row) => row["id"]).sort()).toEqual(kept.sort());
		expect(await guides.works("tokens@example.com", "former password")).toBe(true);
	});
});

it("deletes unused accounts after a day", async () => {
	const age = (id: string, hours: number) =>
		guides.db
			.prepare("UPDATE auth_user SET created_at = unixepoch() - ? * 3600 WHERE id = ?")
			.run(hours, id);
	const bare = async (email: string, hours = 25) => {
		const id = await guides.createBareUser(email);
		age(id, hours);
		return id;
	};
	const unused = await bare("unused@example.com");
	const kept = [
		await bare("fresh@example.com", 23),
		await bare("verified@example.com"),
		await bare("session@example.com"),
		await bare("link@example.com"),
		await guides.createUser("password@example.com"),
	];
	const [, verified = "", session = "", , password = ""] = kept;
	guides.verify(verified);
	age(password, 25);
	await guides.auth.createSession(session);
	await guides.browser().post("/sign-in", { email: "link@example.com" });
	await guides.nextMail("link@example.com");

	expect(await node("sweep-once.js")).toBe(0);
	expect(guides.user(unused)).toBeUndefined();
	for (const id of kept) expect(guides.user(id)).toBeDefined();
	// Its address is free again.
	await guides.browser().post("/sign-up", { email: "unused@example.com" });
	await guides.nextMail("unused@example.com");
});

it("nothing was logged", () => {
	expect(guides.logged()).toBe("");
});
