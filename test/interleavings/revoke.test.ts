import { expect, test } from "vitest";
import { idToken, type LuciaAuth, passwordToken } from "../../src/index.js";
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

const options = { revoke: ["link", "code"] };
const links = (auth: LuciaAuth, token = "") =>
	idToken(auth, "link", { expiresIn: 60, generate: () => token });
const link = (token: string) => (auth: LuciaAuth) => links(auth).validate(token, options);
const plain = (token: string) => (auth: LuciaAuth) => links(auth).validate(token);
const issue = (token: string) => (auth: LuciaAuth) => links(auth, token).issue("user");
const revokeAll = (auth: LuciaAuth) => links(auth).invalidateAllUserTokens("user");
const sweep = (auth: LuciaAuth) => links(auth).deleteExpiredUserTokens("user");
const code =
	(token: string, maxAttempts = 2) =>
	(auth: LuciaAuth) =>
		passwordToken(auth, "code", { expiresIn: 60, maxAttempts }).validate(token, "user", options);

const live = (id: string) => row(id, NOW + MINUTE);
const [a, b, c] = [live("link:A"), live("link:B"), live("link:C")];
const [d, e] = [live("code:user.D"), live("code:user.E")];
const spentB = row(`:${b.id} ${b.expires}`, b.expires);

// The calls that ask for `revoke` are those whose names begin with `use`.
const exactlyOne = (end: End): void => {
	const outcomes = outcomesOf(end, "use");
	expect(outcomes).toEqual([...outcomes.slice(1).map(() => "INVALID_TOKEN"), "ok"]);
};
const noneLeft = ({ rows }: End): void => {
	for (const { id } of rows) expect(id).toMatch(/^:/);
};
const oneAndNoneLeft = (end: End): void => {
	exactlyOne(end);
	noneLeft(end);
};
const atMostOne = (end: End): void => {
	expect(winners(end, "use").length).toBeLessThanOrEqual(1);
};

const use = ({ id }: { id: string }) =>
	id.startsWith("link:") ? link(id.slice("link:".length)) : code(id.slice("code:user.".length));

/** A call for each of a user's tokens, and for some of them again: one succeeds, and no token is left. */
const oneOf = (rows: Scenario["rows"], ...again: Scenario["rows"]) => {
	const calls = [...rows, ...again].map((row, index) => [`use${index + 1}`, use(row)] as const);
	return { rows, operations: Object.fromEntries(calls), check: oneAndNoneLeft };
};
const two = oneOf([a, b]);
const mixed = oneOf([a, d]);
const withPlain = (token: string) => ({ ...two.operations, plain: plain(token) });

testEach({
	"one of three links succeeds": oneOf([a, b, c]),
	"one of two codes succeeds": oneOf([d, e]),
	"one of a link and two codes without attempts succeeds": {
		...oneOf([a, d, e]),
		operations: { use1: link("A"), use2: code("D", Infinity), use3: code("E", Infinity) },
	},
	"one of a link, the same link again, and a code succeeds": oneOf([a, d], a),
	"one of a code, the same code again, and a link succeeds": oneOf([a, d], d),
	"one of two links succeeds where reads lag": { ...two, lag: HOUR },
	"one of a link and a code succeeds where reads lag": { ...mixed, lag: HOUR },
	"one of two links succeeds beside a plain use of a third one": {
		...two,
		rows: [a, b, c],
		operations: withPlain("C"),
	},
	"a link succeeds beside a plain use of another one": {
		...two,
		operations: { use1: link("A"), plain: plain("B") },
	},
	// A call that lost its own token to the plain use may have revoked the other one.
	"at most one of two links, and at least one call, succeeds beside a plain use of one of them": {
		...two,
		operations: withPlain("B"),
		check: (end) => {
			noneLeft(end);
			atMostOne(end);
			expect(Object.values(end.outcomes)).toContain("ok");
			expect(end.outcomes).not.toMatchObject({ use2: "ok", plain: "ok" });
		},
	},
	// A read that lags does not tell a plain use from a revocation.
	"a link or the plain use of another one succeeds where reads lag": {
		...two,
		lag: HOUR,
		operations: { use1: link("A"), plain: plain("B") },
		check: (end) => {
			noneLeft(end);
			expect(Object.values(end.outcomes)).toContain("ok");
		},
	},
	"a token that is issued meanwhile is good, unless the call that succeeds began later": {
		...two,
		operations: { ...two.operations, issue: issue("NEW") },
		afterwards: { later: plain("NEW") },
		check: (end) => {
			oneAndNoneLeft(end);
			const [winner = ""] = winners(end, "use");
			const { before, outcomes } = end;
			if (before["issue"]?.includes(winner)) expect(outcomes["later"]).toBe("ok");
			if (before[winner]?.includes("issue")) expect(outcomes["later"]).toBe("INVALID_TOKEN");
		},
	},
	"a token that is issued after a revocation is good, or stays so where reads lag": {
		rows: [b],
		lag: 0,
		operations: { use1: link("B") },
		afterwards: { issue: issue("A"), later: link("A") },
		check: ({ outcomes, rows }) => {
			if (outcomes["later"] === "ok") return;
			expect(outcomes["later"]).toBe("INVALID_TOKEN");
			expect(rows.map(({ id }) => id)).toEqual([spentB.id, a.id]);
		},
	},
	"a used token whose delete failed revokes nothing": {
		rows: [a, b, spentB],
		operations: { use2: link("B") },
		check: ({ outcomes, rows }) => {
			expect(outcomes).toEqual({ use2: "INVALID_TOKEN" });
			expect(rows.slice(0, 2)).toEqual([a, b]);
		},
	},
	"at most one of two links with a failure succeeds where reads lag, and with both again": {
		...two,
		lag: HOUR,
		failures: 1,
		afterwards: { use3: link("A"), use4: link("B") },
		check: atMostOne,
	},
	"at most one of a link and a code with a failure succeeds, and with both again": {
		...mixed,
		failures: 1,
		afterwards: { use3: link("A"), use4: code("D") },
		check: atMostOne,
	},
	// A token that it deletes leaves no spent row, and the other call does not list it.
	"at most one of two links beside a revoke-all and a failure succeeds where reads lag": {
		...two,
		lag: 0,
		operations: { ...two.operations, revokeAll },
		failures: 1,
		check: atMostOne,
	},
	"a call that stalls until a sweep has deleted the spent row of the other token fails": {
		rows: [row("link:A", NOW + 3 * HOUR), b],
		operations: { ...two.operations, sweep },
		ticks: [2 * HOUR],
		afterwards: { use3: link("A") },
		check: atMostOne,
	},
});

test("the exploration detects spent rows that do not tell a revocation from a use", async () => {
	const database = storing(() => ({ expires: NOW + MINUTE }));
	await expect(explore({ ...two, database })).rejects.toThrow('{"use1":"ok","use2":"ok"}');
});

// A token that a list does not have yet is not revoked, and is good afterwards.
test("the exploration detects that a token issued just before is revoked only where reads do not lag", async () => {
	const issued = { rows: [a], operations: { issue: issue("B") } };
	const scenario = { ...issued, afterwards: two.operations, check: exactlyOne };
	expect(await explore(scenario)).toBe(1);
	await expect(explore({ ...scenario, lag: 0 })).rejects.toThrow('"use1":"ok","use2":"ok"');
});
