import { expect, test, vi } from "vitest";
import { idToken, passwordToken } from "../../src/index.js";
import { outcomeOf } from "../support/errors.js";
import { createFault, type Fault } from "../support/faults.js";
import { NOW, openStopped } from "../support/sqlite.js";

// What a failure of the database costs on the default store: see docs/stores.md.

const MINUTE = 60_000;

/** A user with a link and a code, with an expired link, and with an interval that is over. */
const open = async () => {
	const fault = createFault();
	const sqlite = await openStopped(fault.wrap);
	const { auth } = sqlite;
	const options = { expiresIn: 60, generate: () => "right" };
	const links = idToken(auth, "link", options);
	const codes = passwordToken(auth, "code", options);
	const limited = idToken(auth, "limited", { expiresIn: 60, minInterval: 60 });
	const again = idToken(auth, "again", { expiresIn: 60, minInterval: 60 });
	const plain = idToken(auth, "plain", { expiresIn: 60 });
	await links.issue("user");
	await codes.issue("user");
	sqlite.insertKey({ id: "plain:expired", user_id: "user", expires: NOW - 1 });
	vi.setSystemTime(NOW - MINUTE);
	await again.issue("user");
	vi.setSystemTime(NOW);
	return { fault, sqlite, links, codes, limited, again, plain };
};
type World = Awaited<ReturnType<typeof open>>;

const CALLS = {
	"validate a link": ["link", ({ links }) => links.validate("right")],
	"validate a right code": ["code", ({ codes }) => codes.validate("right", "user")],
	"validate a wrong code": ["code", ({ codes }) => codes.validate("wrong", "user")],
	"get a right code": ["code", ({ codes }) => codes.getToken("right", "user")],
	"begin an interval": ["limited", ({ limited }) => limited.issue("user")],
	"begin another interval": ["again", ({ again }) => again.issue("user")],
	"issue a link": ["plain", ({ plain }) => plain.issue("user")],
	"get a link": ["link", ({ links }) => links.getToken("right")],
	"invalidate a link": ["link", ({ links }) => links.invalidate("right")],
	"list links": ["link", ({ links }) => links.getAllUserTokens("user")],
	"revoke all links": ["link", ({ links }) => links.invalidateAllUserTokens("user")],
	"delete expired links": ["plain", ({ plain }) => plain.deleteExpiredUserTokens("user")],
} satisfies Record<string, [name: string, call: (world: World) => Promise<unknown>]>;

const kindOf = (id: string): string => {
	if (!id.startsWith(":")) return "token";
	if (id.includes("user. ")) return id.includes(" unused ") ? "unused" : "interval";
	return / \d+ \d+$/.test(id) ? "attempt" : "spent";
};

/**
 * Makes a call whose call to the adapter with the index `at` fails.
 *
 * @returns what the call gets, the kinds of its rows that are left, and what the same call gets then
 */
const run = async (
	what: keyof typeof CALLS,
	failure: Pick<Fault, "at" | "when" | "lasts">,
): Promise<[...Result, World]> => {
	const [name, call] = CALLS[what];
	const world = await open();
	const { fault, sqlite } = world;
	const before = new Set(name === "again" ? sqlite.keys().map(({ id }) => id) : []);
	Object.assign(fault, failure, { at: fault.calls.length + failure.at });
	const outcome = await outcomeOf(call(world));
	expect(fault.calls.length).toBeGreaterThan(fault.at);
	fault.at = -1;
	const ids = sqlite.keys().map(({ id }) => id);
	const own = ids.filter((id) => !before.has(id) && id.replace(/^:/, "").startsWith(`${name}:`));
	const rows = [...new Set(own.map(kindOf))].sort().join("+");
	return [outcome, rows, await outcomeOf(call(world)), world];
};

type Result = [outcome: string, rows: string, next: string];
const LOST = "connection lost";
const RECENTLY = "ISSUED_RECENTLY";
const INVALID = "INVALID_TOKEN";
const GOOD: Result = [LOST, "token", "ok"];
const TAKEN: Result = [LOST, "attempt+token", "ok"];
const LEFT: Result = ["ok", "spent+token", INVALID];
const USED: Result = ["ok", "spent", INVALID];
const UNREPORTED: Result = [LOST, "spent+token", INVALID];
const WRONG: Result = [LOST, "token", INVALID];
const NOTHING: Result = [LOST, "", "ok"];
const HELD: Result = [LOST, "interval", RECENTLY];
const UNUSED: Result = [LOST, "interval+unused", "ok"];
const STORED: Result = [LOST, "interval+token+unused", "ok"];

// The results of a failure before and after the call to the adapter takes effect, and of one before it that lasts,
// where that differs.
test.each<
	[what: keyof typeof CALLS, at: number, of: string, before: Result, after: Result, lasts?: Result]
>([
	["validate a link", 0, "the read", GOOD, GOOD],
	["validate a link", 1, "the spent row", GOOD, UNREPORTED],
	["validate a link", 2, "the delete", LEFT, USED],
	["validate a right code", 0, "the list", GOOD, GOOD],
	["validate a right code", 1, "the attempt", GOOD, TAKEN],
	["validate a right code", 2, "the spent row", GOOD, UNREPORTED, TAKEN],
	["validate a right code", 3, "the delete", LEFT, USED, ["ok", "attempt+spent+token", INVALID]],
	["validate a right code", 4, "giving back", ["ok", "attempt+spent", INVALID], USED],
	["validate a wrong code", 0, "the list", WRONG, WRONG],
	["validate a wrong code", 1, "the attempt", WRONG, [LOST, "attempt+token", INVALID]],
	["get a right code", 0, "the list", GOOD, GOOD],
	["get a right code", 1, "the attempt", GOOD, TAKEN],
	["get a right code", 2, "giving back", ["ok", "attempt+token", "ok"], ["ok", "token", "ok"]],
	["begin an interval", 0, "the list", NOTHING, NOTHING],
	["begin an interval", 1, "the first row", NOTHING, HELD],
	["begin an interval", 2, "the second row", HELD, HELD],
	["begin an interval", 3, "the third row", HELD, HELD],
	["begin an interval", 4, "the token", UNUSED, STORED, HELD],
	["begin another interval", 0, "the list", NOTHING, NOTHING],
	["begin another interval", 1, "its row", NOTHING, HELD],
	["begin another interval", 2, "the token", UNUSED, STORED, HELD],
	["issue a link", 0, "the user", GOOD, GOOD],
	["issue a link", 1, "the token", GOOD, GOOD],
	["get a link", 0, "the read", GOOD, GOOD],
	["invalidate a link", 0, "the read", GOOD, GOOD],
	["invalidate a link", 1, "the delete", GOOD, NOTHING],
	["list links", 0, "the list", GOOD, GOOD],
	["revoke all links", 0, "the list", GOOD, GOOD],
	["revoke all links", 1, "the delete", GOOD, NOTHING],
	["delete expired links", 0, "the list", GOOD, GOOD],
	["delete expired links", 1, "the delete", GOOD, NOTHING],
])("a failure to %s, at call %i, %s", async (what, at, _, before, after, lasting = before) => {
	for (const [when, lasts, expected] of [
		["before", 1, before],
		["before", Infinity, lasting],
		["after", 1, after],
		["after", Infinity, after],
	] as const) {
		const [outcome, rows, next, world] = await run(what, { at, when, lasts });
		expect([when, lasts, outcome, rows, next]).toEqual([when, lasts, ...expected]);
		// A user waits at most until the rows of an interval are of no period in question.
		vi.setSystemTime(NOW + 11 * MINUTE);
		await world.limited.issue("user");
		await world.again.issue("user");
	}
});

test("a used token whose delete failed is not listed, and the next revocation deletes it", async () => {
	const { fault, sqlite, plain } = await open();
	const [used, other] = [await plain.issue("user"), await plain.issue("user")];
	await plain.deleteExpiredUserTokens("user");
	fault.at = fault.calls.length + 2;
	await plain.validate(used);
	expect((await plain.getAllUserTokens("user")).map(String)).toEqual([`${other}`]);
	await plain.invalidateAllUserTokens("user");
	expect(sqlite.tokens().filter(({ id }) => id.startsWith("plain:"))).toEqual([]);
});

test("a failure between the attempts at two codes keeps the one that was counted", async () => {
	const { fault, sqlite, codes } = await open();
	await passwordToken(sqlite.auth, "code", { expiresIn: 60 }).issue("user");
	fault.at = fault.calls.length + 2;
	await expect(codes.validate("wrong", "user")).rejects.toBe(fault.error);
	expect(sqlite.keys().filter(({ id }) => kindOf(id) === "attempt")).toHaveLength(1);
});

test("a failure to store a token is what the caller gets, not that to end the interval", async () => {
	const { auth } = await openStopped((adapter) => ({
		...adapter,
		setKey: async (key) => {
			if (["token", "unused"].includes(kindOf(key.id))) throw new Error(kindOf(key.id));
			await adapter.setKey(key);
		},
	}));
	const links = idToken(auth, "link", { expiresIn: 60, minInterval: 60 });
	await expect(links.issue("user")).rejects.toThrow(/^token$/);
});
