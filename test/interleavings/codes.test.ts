import { expect, test } from "vitest";
import { type LuciaAuth, passwordToken } from "../../src/index.js";
import {
	type End,
	type Execute,
	execute,
	explore,
	NOW,
	row,
	type Scenario,
	testEach,
	winners,
} from "./explorer.js";

const MAX = 2;
const OLD = "code:user.OLD";

const open = (auth: LuciaAuth, maxAttempts = MAX) =>
	passwordToken(auth, "code", { expiresIn: 60, maxAttempts, generate: () => "NEW" });
const validate = (code: string, max?: number) => (auth: LuciaAuth) =>
	open(auth, max).validate(code, "user");
const read = (code: string, max?: number) => (auth: LuciaAuth) =>
	open(auth, max).getToken(code, "user");
const issue = (auth: LuciaAuth) => open(auth).issue("user");
const revoke = (auth: LuciaAuth) => open(auth).invalidate("OLD", "user");
const sweep = (auth: LuciaAuth) => open(auth).deleteExpiredUserTokens("user");

const attempts = (rows: Scenario["rows"]): string[] =>
	rows.map(({ id }) => id).filter((id) => id.startsWith(`:${OLD} ${NOW + 30_000} `));

// No call deletes an attempt of another one.
const database: Execute = (rows, name, args, by) => {
	if (name === "deleteNonPrimaryKey" && attempts(rows).includes(String(args[0]))) {
		expect(rows.find(({ id }) => id === args[0])).toHaveProperty("by", by);
	}
	return execute(rows, name, args, by);
};

const codes = { rows: [row(OLD, NOW + 30_000)], database };
const twoWrong = { wrong1: validate("X"), wrong2: validate("Y") };
const right = validate("OLD");
const afterwards = { rightLater: right };

const wrong = (names: readonly string[] = [], { outcomes }: End): number =>
	names.filter((name) => name.startsWith("wrong") && outcomes[name] === "INVALID_TOKEN").length;

/**
 * Checks the promise for the code that is outstanding from the start.
 *
 * @param holders how many other calls briefly have an attempt: a wrong code that finds none left learns
 * nothing, and does not count
 */
const bounded = (end: End, holders = 0): void => {
	const won = winners(end, "right");
	expect(won.length).toBeLessThanOrEqual(1);
	const counted = attempts(end.rows).length;
	expect(counted).toBeLessThanOrEqual(MAX);
	if (holders === 0) for (const name of won) expect(wrong(end.before[name], end)).toBeLessThan(MAX);
	if (end.failures > 0 || won.length > 0) return;
	const all = wrong(Object.keys(end.outcomes), end);
	expect(all).toBeGreaterThanOrEqual(MAX);
	expect(counted).toBeGreaterThanOrEqual(Math.min(MAX, all) - holders);
};

const lower = {
	...codes,
	operations: {
		read: read("OLD", 3),
		wrong1: validate("X", 3),
		wrong2: validate("Y", 3),
		right: validate("OLD", 1),
	},
	afterwards: { rightLater: validate("OLD", 1) },
	check: (end: End) => {
		for (const name of winners(end, "right")) expect(wrong(end.before[name], end)).toBe(0);
		expect(end.outcomes["rightLater"]).toBe("INVALID_TOKEN");
	},
};

testEach({
	"each code has its own attempts: two wrong codes, the right one and the issue of another": {
		...codes,
		operations: { ...twoWrong, right, issue },
		afterwards: { other: validate("NEW"), ...afterwards },
		check: (end) => {
			bounded(end);
			// The old code, when it has no attempt left, is a wrong one to the new.
			const failed = ["wrong1", "wrong2", "right"].filter(
				(name) => end.outcomes[name] === "INVALID_TOKEN",
			);
			const late = ["wrong1", "wrong2"].filter((name) => end.before[name]?.includes("issue"));
			if (late.length >= MAX) expect(end.outcomes["other"]).toBe("INVALID_TOKEN");
			const mayCount = failed.filter((name) => !end.before["issue"]?.includes(name));
			if (mayCount.length < MAX) expect(end.outcomes["other"]).toBe("ok");
		},
	},
	"one of two right codes wins beside a wrong one, and an older code stays valid": {
		...codes,
		rows: [...codes.rows, row("code:user.OLDER", NOW + 20_000)],
		operations: { right1: right, right2: right, wrong: validate("X") },
		afterwards: { older: validate("OLDER") },
		check: (end) => {
			bounded(end);
			expect(["ok", "INVALID_TOKEN"]).toContain(end.outcomes["older"]);
		},
	},
	"getToken of the right code among three wrong ones gives no attempt away": {
		...codes,
		operations: { read: read("OLD"), ...twoWrong, wrong3: read("Z") },
		afterwards: { right },
		check: (end) => {
			bounded(end, 1);
			const isGood = attempts(end.rows).length < MAX;
			expect(end.outcomes["right"]).toBe(isGood ? "ok" : "INVALID_TOKEN");
		},
	},
	"the limit holds for two wrong codes, the right one and a failure, which costs at most one attempt, where reads lag":
		{
			...codes,
			lag: 0,
			operations: { ...twoWrong, right },
			failures: 1,
			afterwards,
			check: (end) => bounded(end, end.failures),
		},
	"no failure frees the attempt of another call: getToken, the right code, and then two wrong ones":
		{
			...codes,
			operations: { read: read("OLD"), right },
			failures: 2,
			afterwards: { ...twoWrong, ...afterwards },
			check: (end) => bounded(end, 1 + end.failures),
		},
	"getToken gives its attempt back where reads lag": {
		...codes,
		lag: 0,
		operations: { read1: read("OLD"), read2: read("OLD"), wrong: validate("X") },
		check: ({ rows }) => expect(attempts(rows).length).toBeLessThanOrEqual(1),
	},
	"a lower limit counts the attempts that a handler with a higher one took": lower,
	"a code stays revoked or expired: the right code, a revocation, a sweep and a clock tick": {
		rows: codes.rows,
		operations: { right, revoke, sweep },
		ticks: [30_001],
		afterwards: { later: right },
		check: (end) => {
			for (const name of winners(end, "right")) expect(end.before[name]).not.toContain("revoke");
			expect(["INVALID_TOKEN", "EXPIRED_TOKEN"]).toContain(end.outcomes["later"]);
		},
	},
});

test("the exploration detects attempts whose ids are not unique", async () => {
	const shared = explore({
		...codes,
		operations: { wrong1: validate("X"), wrong2: validate("X") },
		afterwards: { right },
		database: (rows, name, args, by) => {
			const { id } = Object(args[0]) as { id?: string };
			const others = name === "setKey" ? rows.filter((row) => row.id !== id) : rows;
			return execute(others, name, args, by);
		},
		check: ({ outcomes }) => expect(outcomes["right"]).toBe("INVALID_TOKEN"),
	});
	await expect(shared).rejects.toThrow("wrong2: setKey");
});

// Across limits a list counts, and not only which ids are taken.
test("the exploration detects that handlers with different limits need reads that do not lag", async () => {
	const { read, wrong1, right } = lower.operations;
	await expect(explore({ ...lower, lag: 0, operations: { read, wrong1, right } })).rejects.toThrow(
		"right: setKey",
	);
});
