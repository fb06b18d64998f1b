import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type LuciaAuth, passwordToken } from "../../src/index.js";
import { type End, type Execute, execute, explore, type Row, type Scenario } from "./explorer.js";

const NOW = 1_000_000;
const MAX = 2;
const OLD = "code:user.OLD";

beforeEach(() => {
	vi.useFakeTimers({ now: NOW, toFake: ["Date"] });
});
afterEach(() => {
	vi.useRealTimers();
});

const open = (auth: LuciaAuth) =>
	passwordToken(auth, "code", { expiresIn: 60, maxAttempts: MAX, generate: () => "NEW" });
const validate = (code: string) => (auth: LuciaAuth) => open(auth).validate(code, "user");
const look = (code: string) => (auth: LuciaAuth) => open(auth).getToken(code, "user");
const issue = (auth: LuciaAuth) => open(auth).issue("user");
const revoke = (auth: LuciaAuth) => open(auth).invalidate("OLD", "user");
const sweep = (auth: LuciaAuth) => open(auth).deleteExpiredUserTokens("user");

const users = ["user"];
const old = { id: OLD, user_id: "user", expires: NOW + 30_000 };

const tries = (rows: readonly Row[]): string[] =>
	rows
		.filter(({ expires }) => expires === old.expires)
		.map(({ id }) => id)
		.filter((id) => id.startsWith(":code:user. "));

// A call that consumes a code holds one of its tries. No call deletes a try of another one.
const guarded: Execute = (rows, name, args, by) => {
	if (name === "deleteNonPrimaryKey" && args[0] === OLD) {
		expect(tries(rows).length).toBeGreaterThan(0);
	}
	if (name === "deleteNonPrimaryKey" && tries(rows).includes(args[0] as string)) {
		expect(rows.find(({ id }) => id === args[0])).toHaveProperty("by", by);
	}
	return execute(users)(rows, name, args, by);
};

const codes = { now: NOW, users, rows: [old], database: guarded } satisfies Partial<Scenario>;

const wrong = (names: readonly string[] = [], { outcomes }: End): number =>
	names.filter((name) => name.startsWith("wrong") && outcomes[name] === "INVALID_TOKEN").length;

/**
 * Checks the promise for the code that is outstanding from the start.
 *
 * @param right the calls with the right code
 * @param holders how many other calls briefly hold a try: a wrong code that finds no free try learns
 * nothing, and does not count
 */
const bounded = (end: End, right: readonly string[], holders = 0): void => {
	const won = right.filter((name) => end.outcomes[name] === "ok");
	expect(won.length).toBeLessThanOrEqual(1);
	const counted = tries(end.rows).length;
	expect(counted).toBeLessThanOrEqual(MAX);
	if (holders === 0) for (const name of won) expect(wrong(end.before[name], end)).toBeLessThan(MAX);
	if (end.faults > 0 || won.length > 0) return;
	const all = wrong(Object.keys(end.outcomes), end);
	expect(all).toBeGreaterThanOrEqual(MAX);
	expect(counted).toBeGreaterThanOrEqual(Math.min(MAX, all) - holders);
};

const SCENARIOS: readonly [name: string, scenario: Scenario][] = [
	[
		"each code has its own tries: two wrong codes, the right one and the issue of another",
		{
			...codes,
			operations: { wrong1: validate("X"), wrong2: validate("Y"), right: validate("OLD"), issue },
			afterwards: { other: validate("NEW"), rightLater: validate("OLD") },
			check: (end) => {
				bounded(end, ["right", "rightLater"]);
				// The old code, when it has no try left, is a wrong one to the new.
				const failed = ["wrong1", "wrong2", "right"].filter(
					(name) => end.outcomes[name] === "INVALID_TOKEN",
				);
				const early = end.before["issue"] ?? [];
				const late = ["wrong1", "wrong2"].filter((name) => end.before[name]?.includes("issue"));
				if (late.length >= MAX) expect(end.outcomes["other"]).toBe("INVALID_TOKEN");
				const mayCount = failed.filter((name) => !early.includes(name));
				if (mayCount.length < MAX) expect(end.outcomes["other"]).toBe("ok");
			},
		},
	],
	[
		"one of two right codes wins beside a wrong one, and an older code stays valid",
		{
			...codes,
			rows: [old, { id: "code:user.OLDER", user_id: "user", expires: NOW + 20_000 }],
			operations: { right1: validate("OLD"), right2: validate("OLD"), wrong: validate("X") },
			afterwards: { older: validate("OLDER") },
			check: (end) => {
				bounded(end, ["right1", "right2"]);
				expect(["ok", "INVALID_TOKEN"]).toContain(end.outcomes["older"]);
			},
		},
	],
	[
		"getToken of the right code among three wrong ones gives no attempt away",
		{
			...codes,
			operations: {
				look: look("OLD"),
				wrong1: validate("X"),
				wrong2: validate("Y"),
				wrong3: look("Z"),
			},
			afterwards: { right: validate("OLD") },
			check: (end) => {
				bounded(end, ["right"], 1);
				expect(end.outcomes["right"]).toBe(tries(end.rows).length < MAX ? "ok" : "INVALID_TOKEN");
			},
		},
	],
	[
		"a code stays valid after one wrong code and two calls of getToken",
		{
			...codes,
			operations: { look1: look("OLD"), look2: look("OLD"), wrong: validate("X") },
			afterwards: { right: validate("OLD") },
			check: (end) => {
				expect(end.outcomes["right"]).toBe("ok");
			},
		},
	],
	[
		"the limit holds for two wrong codes, the right one and a fault, which costs at most one attempt",
		{
			...codes,
			operations: { wrong1: validate("X"), wrong2: validate("Y"), right: validate("OLD") },
			faults: 1,
			afterwards: { rightLater: validate("OLD") },
			check: (end) => {
				bounded(end, ["right", "rightLater"], end.faults);
			},
		},
	],
	[
		"a code stays revoked or expired: a wrong code, the right one, a revocation, a sweep and a clock tick",
		{
			...codes,
			database: execute(users),
			operations: { wrong: validate("X"), right: validate("OLD"), revoke, sweep },
			ticks: [30_001],
			afterwards: { later: validate("OLD") },
			check: (end) => {
				if (end.outcomes["right"] === "ok") expect(end.before["right"]).not.toContain("revoke");
				expect(end.outcomes["later"]).toBe("INVALID_TOKEN");
			},
		},
	],
];

test.each(SCENARIOS)("%s", async (_, scenario) => {
	const { states, ends } = await explore(scenario);
	console.info(`${states} states, ${ends} ends`);
	expect(ends).toBeGreaterThan(50);
});

test("the exploration detects tries whose ids are not unique", async () => {
	const run = execute(users);
	const shared = explore({
		...codes,
		operations: { wrong1: validate("X"), wrong2: validate("X") },
		afterwards: { right: validate("OLD") },
		database: (rows, name, args, by) => {
			const id = (args[0] as { id?: string }).id;
			const others = name === "setKey" ? rows.filter((row) => row.id !== id) : rows;
			return run(others, name, args, by);
		},
		check: (end) => {
			bounded(end, ["right"]);
			expect(end.outcomes["right"]).toBe("INVALID_TOKEN");
		},
	});
	await expect(shared).rejects.toThrow("wrong2: setKey");
});
