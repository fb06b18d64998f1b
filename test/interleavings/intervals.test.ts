import { expect, test } from "vitest";
import { idToken, type LuciaAuth } from "../../src/index.js";
import {
	type End,
	type Execute,
	execute,
	explore,
	HOUR,
	MINUTE,
	outcomesOf,
	type Row,
	row,
	type Scenario,
	storing,
	testEach,
} from "./explorer.js";

// A millisecond before a period of any length in whole minutes ends.
const NOW = 1000 * HOUR - 1;
const PREFIX = ":link: user. ";

const open = (auth: LuciaAuth, token = "", minInterval = 60) =>
	idToken(auth, "link", { expiresIn: 7200, minInterval, generate: () => token });
const issue = (token: string, minInterval?: number) => (auth: LuciaAuth) =>
	open(auth, token, minInterval).issue("user");
const sweep = (auth: LuciaAuth) => open(auth).deleteExpiredUserTokens("user");
const withdraw = async (auth: LuciaAuth): Promise<void> => {
	const handler = open(auth, "W");
	await handler.withdraw(await handler.issue("user"));
};

const isInterval = (id: string): boolean =>
	[`${PREFIX}after `, `${PREFIX}first `].some((own) => id.startsWith(own));

/** Checks that the intervals of tokens start at least an interval apart, unless they were ended. */
const apart =
	(length = MINUTE) =>
	({ rows }: End): void => {
		const ended = rows.filter(({ id }) => id.includes(" unused ")).map(({ expires }) => expires);
		const ends = rows
			.filter(({ id }) => id.startsWith("link:"))
			.map((token) => rows.find(({ id, by }) => by === token.by && isInterval(id))?.expires ?? 0)
			.filter((end) => !ended.includes(end))
			.sort((a, b) => a - b);
		for (const [index, end] of ends.slice(1).entries()) {
			expect(end - Number(ends[index])).toBeGreaterThanOrEqual(length);
		}
	};

const one = (end: End): void => {
	const outcomes = outcomesOf(end, "issue");
	expect(outcomes).toEqual([...outcomes.slice(1).map(() => "ISSUED_RECENTLY"), "ok"]);
};

const two = { issue1: issue("A"), issue2: issue("B") };
const three = { ...two, issue3: issue("C") };
const afterwards = { issue3: issue("C") };

const last = (ago: number) => [row(`${PREFIX}after 1`, NOW - ago)];
const OVERDUE = "one two hours ago";
// What a user's last interval is when the calls begin.
const LASTS: Readonly<Record<string, Scenario["rows"]>> = {
	"no interval": [],
	"one that just ended": last(1),
	// A call names this one alone, and a millisecond later its period, too.
	"one ten minutes ago": last(10 * MINUTE),
	"one half an hour ago": last(30 * MINUTE),
	"one an hour ago": last(HOUR),
	[OVERDUE]: last(2 * HOUR),
};
const ALL = Object.keys(LASTS).filter((name) => name !== "one an hour ago");

const after = (
	lasts: readonly string[],
	name: string,
	scenario: Omit<Scenario, "rows" | "now">,
): Record<string, Scenario> =>
	Object.fromEntries(
		lasts.map((last) => [
			`${name}, after ${last}`,
			{ ...scenario, now: NOW, rows: LASTS[last] ?? [] },
		]),
	);

testEach({
	...after(ALL, "one of three issues succeeds where reads lag", {
		lag: 0,
		operations: three,
		check: one,
	}),
	...after(ALL, "one of two issues succeeds where reads lag and a period ends", {
		lag: 1,
		operations: two,
		ticks: [1],
		check: one,
	}),
	...after([OVERDUE, "one an hour ago"], "one of two issues succeeds while a sweep deletes it", {
		operations: { ...two, sweep },
		ticks: [1],
		check: one,
	}),
	...after(ALL, "intervals start an interval apart with clocks a minute apart", {
		lag: 0,
		operations: three,
		clocks: { issue1: MINUTE, issue2: -MINUTE },
		check: apart(),
	}),
	...after(
		["no interval", "one that just ended", OVERDUE],
		"intervals start an interval apart as one ends",
		{
			lag: MINUTE,
			operations: two,
			ticks: [MINUTE - 1, 1],
			check: apart(),
		},
	),
	...after(["no interval"], "a call that stalls and one whose reads lag start an interval apart", {
		lag: 2 * MINUTE,
		operations: { issue1: issue("A", 3600), issue2: issue("B", 3600) },
		ticks: [4 * MINUTE, MINUTE + 1],
		check: apart(HOUR),
	}),
	...after(ALL, "intervals start an interval apart with two failures", {
		lag: 0,
		operations: two,
		failures: 2,
		afterwards,
		check: apart(),
	}),
	...after(ALL, "an interval that is ended, with two failures, frees no other one", {
		lag: 0,
		operations: { issue1: issue("A"), withdraw },
		failures: 2,
		afterwards,
		check: apart(),
	}),
	...after(ALL, "after a withdrawal another issue succeeds, and one more an interval later", {
		operations: { withdraw },
		afterwards: { ...two, later: issue("C") },
		clocks: { later: MINUTE + 1 },
		check: ({ outcomes, rows }) => {
			expect(rows.map(({ id }) => id)).not.toContain("link:W");
			const firsts = { withdraw: "ok", issue1: "ok", issue2: "ISSUED_RECENTLY" };
			expect(outcomes).toEqual({ ...firsts, later: "ok" });
		},
	}),
	"no sweep deletes an interval that has just begun": {
		now: NOW,
		rows: [...last(3 * HOUR), row(`${PREFIX}after ${NOW - 3 * HOUR}`, NOW - 2 * HOUR)],
		operations: { issue: issue("A"), sweep1: sweep, sweep2: sweep },
		check: ({ rows, outcomes }) => {
			expect(outcomes["issue"]).toBe("ok");
			expect(rows.filter(({ id, by }) => by && isInterval(id))).toHaveLength(1);
		},
	},
});

// A database on which the second call takes no period.
const withoutPeriod: Execute = (rows, name, args, by) => {
	const { id } = Object(args[0]) as Partial<Row>;
	const isPeriod = by === "issue2" && id?.startsWith(`${PREFIX}in `);
	return isPeriod ? [{ value: undefined }, rows] : execute(rows, name, args, by);
};

test.each<[string, Partial<Scenario>]>([
	[
		"lose the name of the one before",
		{
			rows: last(1),
			database: storing(({ id }, by) => ({ id: id.replace(/after \d+$/, `after ${by}`) })),
		},
	],
	["share no period", { rows: [], database: withoutPeriod, ticks: [1] }],
])("the exploration detects intervals that %s", async (_, change) => {
	const scenario = { now: NOW, rows: [], operations: two, check: one, ...change };
	await expect(explore(scenario)).rejects.toThrow("issue2: setKey");
});
