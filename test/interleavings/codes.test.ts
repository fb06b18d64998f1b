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

const open = (auth: LuciaAuth, maxAttempts = MAX) =>
	passwordToken(auth, "code", { expiresIn: 60, maxAttempts, generate: () => "NEW" });
const validate = (code: string, max?: number) => (auth: LuciaAuth) =>
	open(auth, max).validate(code, "user");
const look = (code: string, max?: number) => (auth: LuciaAuth) =>
	open(auth, max).getToken(code, "user");
const issue = (auth: LuciaAuth) => open(auth).issue("user");
const revoke = (auth: LuciaAuth) => open(auth).invalidate("OLD", "user");
const sweep = (auth: LuciaAuth) => open(auth).deleteExpiredUserTokens("user");

const users = ["user"];
const old: Row = { id: OLD, user_id: "user", expires: NOW + 30_000 };
const SPENT = `:${OLD} ${NOW + 30_000}`;

const attempts = (rows: readonly Row[]): string[] =>
	rows.map(({ id }) => id).filter((id) => id.startsWith(`${SPENT} `));

// No call deletes an attempt of another one.
const guarded: Execute = (rows, name, args, by) => {
	if (name === "deleteNonPrimaryKey" && attempts(rows).includes(String(args[0]))) {
		expect(rows.find((row) => row.id === args[0])).toHaveProperty("by", by);
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
 * @param holders how many other calls briefly have an attempt: a wrong code that finds none left learns
 * nothing, and does not count
 * @param max the largest number of wrong codes
 */
const bounded = (end: End, right: readonly string[], holders = 0, max = MAX): void => {
	const won = right.filter((name) => end.outcomes[name] === "ok");
	expect(won.length).toBeLessThanOrEqual(1);
	const counted = attempts(end.rows).length;
	expect(counted).toBeLessThanOrEqual(max);
	if (holders === 0) for (const name of won) expect(wrong(end.before[name], end)).toBeLessThan(max);
	if (end.faults > 0 || won.length > 0) return;
	const all = wrong(Object.keys(end.outcomes), end);
	expect(all).toBeGreaterThanOrEqual(max);
	expect(counted).toBeGreaterThanOrEqual(Math.min(max, all) - holders);
};

const lower = {
	...codes,
	operations: {
		look: look("OLD", 3),
		wrong1: validate("X", 3),
		wrong2: validate("Y", 3),
		right: validate("OLD", 1),
	},
	afterwards: { rightLater: validate("OLD", 1) },
	check: (end: End) => {
		for (const name of ["right", "rightLater"]) {
			if (end.outcomes[name] === "ok") expect(wrong(end.before[name], end)).toBe(0);
		}
		expect(end.outcomes["rightLater"]).toBe("INVALID_TOKEN");
	},
} satisfies Scenario;

const SCENARIOS: readonly [name: string, scenario: Scenario][] = [
	[
		"each code has its own attempts: two wrong codes, the right one and the issue of another",
		{
			...codes,
			operations: { wrong1: validate("X"), wrong2: validate("Y"), right: validate("OLD"), issue },
			afterwards: { other: validate("NEW"), rightLater: validate("OLD") },
			check: (end) => {
				bounded(end, ["right", "rightLater"]);
				// The old code, when it has no attempt left, is a wrong one to the new.
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
				expect(end.outcomes["right"]).toBe(
					attempts(end.rows).length < MAX ? "ok" : "INVALID_TOKEN",
				);
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
		"no fault frees the attempt of another call: getToken, the right code, and then two wrong ones",
		{
			...codes,
			operations: { look: look("OLD"), right: validate("OLD") },
			faults: 2,
			afterwards: { wrong1: validate("X"), wrong2: validate("Y"), rightLater: validate("OLD") },
			check: (end) => {
				bounded(end, ["right", "rightLater"], 1 + end.faults);
			},
		},
	],
	[
		"the limit holds for two wrong codes, the right one and it again, where reads lag",
		{
			...codes,
			lag: 0,
			operations: { wrong1: validate("X"), wrong2: validate("Y"), right: validate("OLD") },
			afterwards: { rightLater: validate("OLD") },
			check: (end) => {
				bounded(end, ["right", "rightLater"]);
			},
		},
	],
	[
		"getToken gives its attempt back where reads lag",
		{
			...codes,
			lag: 0,
			operations: { look1: look("OLD"), look2: look("OLD"), wrong: validate("X") },
			check: ({ rows }) => {
				expect(attempts(rows).length).toBeLessThanOrEqual(1);
			},
		},
	],
	["a lower limit counts the attempts that a handler with a higher one took", lower],
	[
		"a code stays revoked or expired: the right code, a revocation, a sweep and a clock tick",
		{
			...codes,
			database: execute(users),
			operations: { right: validate("OLD"), revoke, sweep },
			ticks: [30_001],
			afterwards: { later: validate("OLD") },
			check: (end) => {
				if (end.outcomes["right"] === "ok") expect(end.before["right"]).not.toContain("revoke");
				expect(["INVALID_TOKEN", "EXPIRED_TOKEN"]).toContain(end.outcomes["later"]);
			},
		},
	],
];

test.each(SCENARIOS)("%s", async (_, scenario) => {
	const { ends } = await explore(scenario);
	expect(ends).toBeGreaterThan(50);
});

test("the exploration detects attempts whose ids are not unique", async () => {
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

// Across limits a list counts, and not only which ids are taken.
test("the exploration detects that handlers with different limits need reads that do not lag", async () => {
	const { look, wrong1, right } = lower.operations;
	await expect(explore({ ...lower, lag: 0, operations: { look, wrong1, right } })).rejects.toThrow(
		"right: setKey",
	);
});
