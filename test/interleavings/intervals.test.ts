import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { idToken, type LuciaAuth, type Token } from "../../src/index.js";
import { type End, type Execute, execute, explore, type Row, type Scenario } from "./explorer.js";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
// A moment at which a period of any length in whole minutes ends.
const BOUNDARY = 1000 * HOUR;
const NOW = BOUNDARY - 1;
const PREFIX = ":link: user. ";

beforeEach(() => {
	vi.useFakeTimers({ now: NOW, toFake: ["Date"] });
});
afterEach(() => {
	vi.useRealTimers();
});

const open = (auth: LuciaAuth, token = "", minInterval = 60) =>
	idToken(auth, "link", { expiresIn: 7200, minInterval, generate: () => token });
const issue = (token: string, minInterval?: number) => (auth: LuciaAuth) =>
	open(auth, token, minInterval).issue("user");
const sweep = (auth: LuciaAuth) => open(auth).deleteExpiredUserTokens("user");
const issueAndWithdraw =
	(token: string) =>
	async (auth: LuciaAuth): Promise<void> => {
		const handler = open(auth, token);
		const issued: Token = await handler.issue("user");
		await handler.withdraw(issued);
	};

const last = (expires: number, id = "after 1"): Row => ({
	id: PREFIX + id,
	user_id: "user",
	expires,
});
const interval = { now: NOW, users: ["user"], rows: [] } satisfies Partial<Scenario>;

const run = execute(interval.users);

const note = (id: string, expires: number): Row => ({
	id: `note ${id}`,
	user_id: "note",
	expires,
});

const isInterval = (id: string): boolean =>
	[`${PREFIX}after `, `${PREFIX}first `].some((own) => id.startsWith(own));

// Keeps notes: of the interval of each token that was stored, and of each interval that was ended.
const noted: Execute = (rows, name, args, by) => {
	const [answer, after] = run(rows, name, args, by);
	const { id = "", expires } = Object(args[0]) as Partial<Row>;
	if (name !== "setKey" || after === rows) return [answer, after];
	const own = rows.find((row) => row.by === by && isInterval(row.id))?.expires;
	if (id.startsWith("link:")) return [answer, [...after, note(id, own ?? 0)]];
	return [answer, id.includes(" unused ") ? [...after, note(id, expires ?? 0)] : after];
};

/**
 * Checks that the intervals of tokens start at least an interval apart, unless they were ended.
 */
const apart = ({ rows }: End, length = MINUTE): void => {
	const notes = rows.filter(({ user_id }) => user_id === "note");
	const ended = notes.filter(({ id }) => id.startsWith("note :")).map(({ expires }) => expires);
	const ends = notes
		.filter(({ id, expires }) => !id.startsWith("note :") && !ended.includes(expires))
		.map(({ expires }) => expires ?? 0)
		.sort((a, b) => a - b);
	for (const [index, end] of ends.slice(1).entries()) {
		expect(end - (ends[index] ?? 0)).toBeGreaterThanOrEqual(length);
	}
};

const one = ({ outcomes }: End): void => {
	const issues = Object.keys(outcomes).filter((name) => name.startsWith("issue"));
	const losers = issues.slice(1).map(() => "ISSUED_RECENTLY");
	expect(issues.map((name) => outcomes[name]).sort()).toEqual([...losers, "ok"]);
};

const issue3 = issue("C");
const two = { issue1: issue("A"), issue2: issue("B") };
const three = { ...two, issue3 };

const noLast: readonly Row[] = [];
const justEnded = [last(NOW - 1)];
// A call names this one alone, and a millisecond later its period, too.
const endedBefore = [last(NOW - 10 * MINUTE)];
const endedLongBefore = [last(NOW - 30 * MINUTE)];
const overdue = [last(NOW - 2 * HOUR)];
const lasts = [noLast, justEnded, endedBefore, endedLongBefore, overdue];

const SCENARIOS: readonly [name: string, scenarios: readonly Scenario[]][] = [
	[
		"one of three issues succeeds where reads lag",
		lasts.map((rows) => ({ ...interval, rows, lag: 0, operations: three, check: one })),
	],
	[
		"one of two issues succeeds where reads lag and a period ends",
		lasts.map((rows) => ({
			...interval,
			rows,
			lag: 1,
			operations: two,
			ticks: [1],
			check: one,
		})),
	],
	[
		"one of two issues succeeds while a sweep deletes the last interval",
		[overdue, [last(NOW - HOUR)]].map((rows) => ({
			...interval,
			rows,
			operations: { ...two, sweep },
			ticks: [1],
			check: one,
		})),
	],
	[
		"intervals start an interval apart with clocks a minute apart",
		lasts.map((rows) => ({
			...interval,
			database: noted,
			rows,
			lag: 0,
			operations: three,
			clocks: { issue1: MINUTE, issue2: -MINUTE },
			check: (end) => apart(end),
		})),
	],
	[
		"intervals start an interval apart as one ends",
		[noLast, justEnded, overdue].map((rows) => ({
			...interval,
			database: noted,
			rows,
			lag: MINUTE,
			operations: two,
			ticks: [MINUTE - 1, 1],
			check: (end) => apart(end),
		})),
	],
	[
		"intervals start an interval apart with a call that stalls and one whose reads lag",
		[noLast].map((rows) => ({
			...interval,
			database: noted,
			rows,
			lag: 2 * MINUTE,
			operations: { issue1: issue("A", 3600), issue2: issue("B", 3600) },
			ticks: [4 * MINUTE, MINUTE + 1],
			check: (end) => apart(end, HOUR),
		})),
	],
	[
		"intervals start an interval apart after two faults",
		lasts.map((rows) => ({
			...interval,
			database: noted,
			rows,
			lag: 0,
			operations: two,
			faults: 2,
			afterwards: { issue3 },
			check: (end) => apart(end),
		})),
	],
	[
		"an interval that is ended, with two faults, frees no other one",
		lasts.map((rows) => ({
			...interval,
			database: noted,
			rows,
			lag: 0,
			operations: { issue1: issue("A"), withdraw: issueAndWithdraw("W") },
			faults: 2,
			afterwards: { issue3 },
			check: (end) => apart(end),
		})),
	],
	[
		"after a withdrawal another issue succeeds, and one more an interval later",
		lasts.map((rows) => ({
			...interval,
			rows,
			operations: { withdraw: issueAndWithdraw("W") },
			afterwards: { issue1: issue("A"), issue2: issue("B"), later: issue("C") },
			clocks: { later: MINUTE + 1 },
			check: ({ outcomes, rows }) => {
				expect(rows.map(({ id }) => id)).not.toContain("link:W");
				const firsts = { withdraw: "ok", issue1: "ok", issue2: "ISSUED_RECENTLY" };
				expect(outcomes).toEqual({ ...firsts, later: "ok" });
			},
		})),
	],
	[
		"no sweep deletes an interval that has just begun",
		[
			{
				...interval,
				rows: [last(NOW - 3 * HOUR), last(NOW - 2 * HOUR, `after ${NOW - 3 * HOUR}`)],
				operations: { issue: issue("A"), sweep1: sweep, sweep2: sweep },
				check: ({ rows, outcomes }) => {
					expect(outcomes["issue"]).toBe("ok");
					expect(rows.filter(({ id, by }) => by && isInterval(id))).toHaveLength(1);
				},
			},
		],
	],
];

test.each(SCENARIOS)("%s", async (_, scenarios) => {
	for (const scenario of scenarios) {
		const { ends } = await explore(scenario);
		expect(ends).toBeGreaterThan(0);
	}
});

test("the exploration detects intervals that lose the name of the one before", async () => {
	const nameless: Execute = (rows, name, args, by) => {
		const { id = "", ...row } = Object(args[0]) as Partial<Row>;
		const renamed = { ...row, id: id.replace(/after \d+$/, `after ${by}`) };
		return run(rows, name, name === "setKey" ? [renamed] : args, by);
	};
	const exploration = explore({
		...interval,
		rows: justEnded,
		database: nameless,
		operations: two,
		check: one,
	});
	await expect(exploration).rejects.toThrow("issue2: setKey");
});

test("the exploration detects intervals that share no period", async () => {
	const fewer: Execute = (rows, name, args, by) => {
		const { id = "" } = Object(args[0]) as Partial<Row>;
		const isBefore = id === `${PREFIX}in ${Number(/\d+$/.exec(id)?.[0])}` && by === "issue2";
		return isBefore ? [{ value: undefined }, rows] : run(rows, name, args, by);
	};
	const exploration = explore({
		...interval,
		database: fewer,
		operations: two,
		ticks: [1],
		check: one,
	});
	await expect(exploration).rejects.toThrow("issue2: setKey");
});
