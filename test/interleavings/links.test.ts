import { expect, test } from "vitest";
import { idToken, type LuciaAuth } from "../../src/index.js";
import {
	type End,
	explore,
	HOUR,
	MINUTE,
	NOW,
	outcomesOf,
	row,
	type Scenario,
	storing,
	testEach,
	winners,
} from "./explorer.js";

const ID = "link:TOKEN";

const open = (auth: LuciaAuth) => idToken(auth, "link", { expiresIn: 60, generate: () => "TOKEN" });
const validate = (auth: LuciaAuth) => open(auth).validate("TOKEN");
const issue = (auth: LuciaAuth) => open(auth).issue("user");
const revokeAll = (auth: LuciaAuth) => open(auth).invalidateAllUserTokens("user");
const sweep = (auth: LuciaAuth) => open(auth).deleteExpiredUserTokens("user");

const rows = [row(ID, NOW + MINUTE)];
const two = { validate1: validate, validate2: validate };
const afterwards = { validate3: validate };

const atMostOnce = (end: End): void => {
	const won = winners(end, "validate");
	expect(won.length).toBeLessThanOrEqual(1);
	if (end.outcomes["revokeAll"] !== "ok") return;
	for (const name of won) expect(end.before[name]).not.toContain("revokeAll");
};

const exactlyOnce = (end: End): void => {
	expect(outcomesOf(end, "validate")).toEqual(["INVALID_TOKEN", "INVALID_TOKEN", "ok"]);
	expect(end.rows.map(({ id }) => id)).toEqual([`:${ID} ${NOW + MINUTE}`]);
};

const three: Scenario = {
	rows,
	lag: HOUR,
	operations: { ...two, validate3: validate },
	check: exactlyOnce,
};

const reissued: Scenario = {
	rows: [row(ID, NOW + MINUTE / 2)],
	operations: { validate1: validate },
	afterwards: { issue, validate2: validate, validate3: validate },
	check: ({ outcomes }) => {
		const expected = { validate1: "ok", issue: "ok", validate2: "ok", validate3: "INVALID_TOKEN" };
		expect(outcomes).toEqual(expected);
	},
};

testEach({
	"one of three validations succeeds where reads lag, and only the spent row is left": three,
	"at most one of two validations with two failures and a third one succeeds where reads lag": {
		rows,
		lag: HOUR,
		operations: two,
		failures: 2,
		afterwards,
		check: (end) => (end.failures === 0 ? exactlyOnce : atMostOnce)(end),
	},
	"at most one of two validations beside a revoke-all and a sweep succeeds, and none after the revoke-all":
		{
			rows: [...rows, row("link:OTHER", NOW - 1)],
			operations: { ...two, revokeAll, sweep },
			failures: 1,
			check: atMostOnce,
		},
	"a call that stalls until a sweep has deleted the spent row reports the token as expired": {
		rows,
		lag: HOUR,
		operations: { ...two, sweep },
		ticks: [MINUTE, HOUR + 1],
		afterwards,
		check: atMostOnce,
	},
	"clocks that are a minute ahead of each other, a sweep's included": {
		rows,
		lag: HOUR,
		operations: { ...two, sweep },
		clocks: { validate1: -MINUTE, sweep: MINUTE },
		ticks: [1, HOUR + MINUTE],
		afterwards,
		check: atMostOnce,
	},
	"at most one of two validations beside a sweep reports an expired token as expired": {
		rows: [row(ID, NOW - 1)],
		lag: HOUR,
		operations: { ...two, sweep },
		failures: 1,
		check: (end) => {
			const outcomes = outcomesOf(end, "validate");
			expect(outcomes).not.toContain("ok");
			expect(outcomes).not.toEqual(["EXPIRED_TOKEN", "EXPIRED_TOKEN"]);
			if (end.failures > 0) return;
			for (const { id } of end.rows) expect(id).toBe(`:${ID} ${NOW - 1}`);
		},
	},
	"each issue of a token validates at most once where it is issued again beside two validations": {
		...reissued,
		lag: 0,
		operations: { ...two, issue },
		failures: 1,
		afterwards: { validate3: validate, validate4: validate },
		check: (end) => {
			const issues = end.outcomes["issue"] === "DUPLICATE_TOKEN" ? 1 : 2;
			expect(winners(end, "validate").length).toBeLessThanOrEqual(issues);
		},
	},
	"a used token can be issued again with another expiry": reissued,
});

test.each([
	["are not unique", { ...three, check: atMostOnce }, (id: string, by: string) => `${id} ${by}`],
	["do not name the expiry", reissued, () => `:${ID}`],
] as const)("the exploration detects spent rows that %s", async (_, scenario, rename) => {
	const database = storing(({ id }, by) => (id.startsWith(":") ? { id: rename(id, by) } : {}));
	await expect(explore({ ...scenario, database })).rejects.toThrow("validate2: setKey");
});
