import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { checksum } from "../../src/checksum.js";
import { idToken, type LuciaAuth } from "../../src/index.js";
import { type End, type Execute, execute, explore, type Row, type Scenario } from "./explorer.js";

const NOW = 1_000_000_000;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

beforeEach(() => {
	vi.useFakeTimers({ now: NOW, toFake: ["Date"] });
});
afterEach(() => {
	vi.useRealTimers();
});

const open = (auth: LuciaAuth, token = "") =>
	idToken(auth, "link", { expiresIn: 2 * 60 * 60, minInterval: 60, generate: () => token });
const issue = (token: string) => (auth: LuciaAuth) => open(auth, token).issue("user");
const sweep = (auth: LuciaAuth) => open(auth).deleteExpiredUserTokens("user");

const ID = `:link: user. issued ${checksum(":link: user. ")}`;
const last = (expires: number): Row => ({ id: ID, user_id: "user", expires });
const interval = { now: NOW, users: ["user"], rows: [] } satisfies Partial<Scenario>;

const won = ({ outcomes }: End, ...names: string[]): string[] =>
	names.filter((name) => outcomes[name] === "ok");

const run = execute(interval.users);

// Keeps a note of each interval that was begun.
const noted: Execute = (rows, name, [argument], by) => {
	const [answer, after] = run(rows, name, [argument], by);
	const { id, expires } = Object(argument) as Row;
	const isBegun = name === "setKey" && id === last(0).id && after !== rows;
	return [
		answer,
		isBegun ? [...after, { id: `note ${expires}`, user_id: "note", expires }] : after,
	];
};

test.each<[string, Scenario]>([
	[
		"one of three issues succeeds",
		{
			...interval,
			operations: { issue1: issue("A"), issue2: issue("B"), issue3: issue("C") },
			check: (end) => {
				const others = ["ISSUED_RECENTLY", "ISSUED_RECENTLY"];
				expect(Object.values(end.outcomes).sort()).toEqual([...others, "ok"]);
			},
		},
	],
	[
		"one of two issues beside a sweep or a third one succeeds, long after the last",
		{
			...interval,
			rows: [last(NOW - 2 * HOUR)],
			operations: { issue1: issue("A"), issue2: issue("B"), sweep },
			afterwards: { issue3: issue("C") },
			check: (end) => {
				expect(won(end, "issue1", "issue2", "issue3")).toHaveLength(1);
			},
		},
	],
	[
		"at most one of two issues beside a sweep succeeds after a crash left a claim",
		{
			...interval,
			rows: [
				last(NOW - 3 * HOUR),
				{ id: `${ID} ${(NOW - 2 * HOUR) / MINUTE}`, user_id: "user", expires: NOW - 2 * HOUR },
			],
			operations: { issue1: issue("A"), issue2: issue("B"), sweep },
			check: (end) => {
				expect(won(end, "issue1", "issue2").length).toBeLessThanOrEqual(1);
			},
		},
	],
	[
		"two issues start an interval apart as time passes",
		{
			...interval,
			database: noted,
			rows: [last(NOW - 1)],
			operations: { issue1: issue("A"), issue2: issue("B") },
			ticks: [MINUTE],
			check: (end) => {
				const { rows } = end;
				const begun = rows.filter(({ user_id }) => user_id === "note");
				const moments = begun.map(({ expires }) => expires ?? 0).sort((a, b) => a - b);
				// Two that meet where a minute ends may both give way.
				const isNone = won(end, "issue1", "issue2").length === 0;
				expect(moments.length > 0 || isNone).toBe(true);
				for (const [index, moment] of moments.slice(1).entries()) {
					expect(moment - (moments[index] ?? 0)).toBeGreaterThanOrEqual(MINUTE);
				}
			},
		},
	],
	[
		"at most one of two issues with a fault succeeds, and then a third fails",
		{
			...interval,
			operations: { issue1: issue("A"), issue2: issue("B") },
			faults: 1,
			afterwards: { issue3: issue("C") },
			check: (end) => {
				const count = won(end, "issue1", "issue2").length;
				expect(count).toBeLessThanOrEqual(1);
				if (count === 1) expect(end.outcomes["issue3"]).toBe("ISSUED_RECENTLY");
			},
		},
	],
])("%s", async (_, scenario) => {
	const { states, ends } = await explore(scenario);
	console.info(`${states} states, ${ends} ends`);
	expect(ends).toBeGreaterThan(20);
});
