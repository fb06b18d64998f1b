import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { idToken, type LuciaAuth } from "../../src/index.js";
import { type End, type Execute, execute, explore, type Row, type Scenario } from "./explorer.js";

const NOW = 1_000_000_000;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const ID = "link:TOKEN";

beforeEach(() => {
	vi.useFakeTimers({ now: NOW, toFake: ["Date"] });
});
afterEach(() => {
	vi.useRealTimers();
});

const open = (auth: LuciaAuth) => idToken(auth, "link", { expiresIn: 60, generate: () => "TOKEN" });
const validate = (auth: LuciaAuth) => open(auth).validate("TOKEN");
const issue = (auth: LuciaAuth) => open(auth).issue("user");
const revokeAll = (auth: LuciaAuth) => open(auth).invalidateAllUserTokens("user");
const sweep = (auth: LuciaAuth) => open(auth).deleteExpiredUserTokens("user");

const row = (id: string, expires: number): Row => ({ id, user_id: "user", expires });
const token = row(ID, NOW + MINUTE);
const link = { now: NOW, users: ["user"], rows: [token] } satisfies Partial<Scenario>;

const named = ({ outcomes }: End, name: string, outcome: string): string[] =>
	Object.keys(outcomes).filter((key) => key.startsWith(name) && outcomes[key] === outcome);
const won = (end: End): string[] => named(end, "validate", "ok");
const ids = ({ rows }: End): string[] => rows.map(({ id }) => id);

const atMostOnce = (end: End): void => {
	expect(won(end).length).toBeLessThanOrEqual(1);
	if (end.outcomes["revokeAll"] !== "ok") return;
	for (const name of won(end)) expect(end.before[name]).not.toContain("revokeAll");
};

const exactlyOnce = (end: End): void => {
	expect(won(end)).toHaveLength(1);
	expect(named(end, "validate", "INVALID_TOKEN")).toHaveLength(2);
	expect(ids(end)).toEqual([`:${ID} ${token.expires}`]);
};

const three: Scenario = {
	...link,
	operations: { validate1: validate, validate2: validate, validate3: validate },
	check: exactlyOnce,
};

const reissued: Scenario = {
	...link,
	rows: [row(ID, NOW + MINUTE / 2)],
	operations: { validate1: validate },
	afterwards: { issue, validate2: validate, validate3: validate },
	check: ({ outcomes }) => {
		const expected = { validate1: "ok", issue: "ok", validate2: "ok", validate3: "INVALID_TOKEN" };
		expect(outcomes).toEqual(expected);
	},
};

test.each<[string, Scenario]>([
	["one of three validations succeeds, and only the spent row is left", three],
	["one of three validations succeeds where reads lag", { ...three, lag: HOUR }],
	[
		"at most one of two validations with two faults and a third one succeeds where reads lag",
		{
			...link,
			lag: HOUR,
			operations: { validate1: validate, validate2: validate },
			faults: 2,
			afterwards: { validate3: validate },
			check: (end) => {
				atMostOnce(end);
				if (end.faults === 0) exactlyOnce(end);
			},
		},
	],
	[
		"at most one of two validations beside a revoke-all and a sweep succeeds, and none after the revoke-all",
		{
			...link,
			rows: [token, row("link:OTHER", NOW - 1)],
			operations: { validate1: validate, validate2: validate, revokeAll, sweep },
			faults: 1,
			check: atMostOnce,
		},
	],
	[
		"a call that stalls until a sweep has deleted the spent row reports the token as expired",
		{
			...link,
			lag: HOUR,
			operations: { validate1: validate, validate2: validate, sweep },
			ticks: [MINUTE, HOUR + 1],
			afterwards: { validate3: validate },
			check: atMostOnce,
		},
	],
	[
		"clocks that are a minute ahead of each other, a sweep's included",
		{
			...link,
			lag: HOUR,
			operations: { validate1: validate, validate2: validate, sweep },
			clocks: { validate1: -MINUTE, sweep: MINUTE },
			ticks: [1, HOUR + MINUTE],
			afterwards: { validate3: validate },
			check: atMostOnce,
		},
	],
	[
		"at most one of two validations beside a sweep reports an expired token as expired",
		{
			...link,
			lag: HOUR,
			rows: [row(ID, NOW - 1)],
			operations: { validate1: validate, validate2: validate, sweep },
			faults: 1,
			check: (end) => {
				expect(won(end)).toEqual([]);
				expect(named(end, "validate", "EXPIRED_TOKEN").length).toBeLessThanOrEqual(1);
				if (end.faults > 0) return;
				for (const id of ids(end)) expect(id).toBe(`:${ID} ${NOW - 1}`);
			},
		},
	],
	[
		"each issue of a token validates at most once where it is issued again beside two validations",
		{
			...reissued,
			lag: 0,
			operations: { validate1: validate, validate2: validate, issue },
			faults: 1,
			afterwards: { validate3: validate, validate4: validate },
			check: (end) => {
				const issues = end.outcomes["issue"] === "DUPLICATE_TOKEN" ? 1 : 2;
				expect(won(end).length).toBeLessThanOrEqual(issues);
			},
		},
	],
	["a used token can be issued again with another expiry", reissued],
])("%s", async (_, scenario) => {
	const { ends } = await explore(scenario);
	expect(ends).toBeGreaterThan(0);
});

const run = execute(link.users);

/** Runs a database that stores the spent row of a token under another id. */
const withSpentId =
	(rename: (id: string, by: string) => string): Execute =>
	(rows, name, args, by) => {
		const key = Object(args[0]) as Row;
		const isSpent = name === "setKey" && key.id.startsWith(`:${ID}`);
		return run(rows, name, isSpent ? [{ ...key, id: rename(key.id, by) }] : args, by);
	};

test("the exploration detects spent rows that are not unique", async () => {
	const database = withSpentId((id, by) => `${id} ${by}`);
	await expect(explore({ ...three, check: atMostOnce, database })).rejects.toThrow(
		"validate2: setKey",
	);
});

test("the exploration detects spent rows that do not name the expiry", async () => {
	const database = withSpentId(() => `:${ID}`);
	await expect(explore({ ...reissued, database })).rejects.toThrow("validate2: setKey");
});
