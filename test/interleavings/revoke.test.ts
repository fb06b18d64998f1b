import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { idToken, type LuciaAuth, passwordToken } from "../../src/index.js";
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

const row = (id: string, expires = NOW + MINUTE): Row => ({ id, user_id: "user", expires });
const [a, b, c] = [row("link:A"), row("link:B"), row("link:C")];
const [d, e] = [row("code:user.D"), row("code:user.E")];
const user = { now: NOW, users: ["user"] } satisfies Partial<Scenario>;

/** The calls that ask for `revoke`, and what came of them. */
const uses = ({ outcomes }: End): string[] =>
	Object.keys(outcomes).filter((name) => name.startsWith("use"));
const won = (end: End): string[] => uses(end).filter((name) => end.outcomes[name] === "ok");

const exactlyOne = (end: End): void => {
	const losers = uses(end)
		.slice(1)
		.map(() => "INVALID_TOKEN");
	expect(
		uses(end)
			.map((name) => end.outcomes[name])
			.sort(),
	).toEqual([...losers, "ok"]);
};
const noneLeft = ({ rows }: End): void => {
	for (const { id } of rows) expect(id).toMatch(/^:/);
};
const oneAndNoneLeft = (end: End): void => {
	exactlyOne(end);
	noneLeft(end);
};
const atMostOne = (end: End): void => {
	expect(won(end).length).toBeLessThanOrEqual(1);
};

const twoLinks = { use1: link("A"), use2: link("B") };
const linkAndCode = { use1: link("A"), use2: code("D") };

const two = {
	...user,
	rows: [a, b],
	operations: twoLinks,
	check: oneAndNoneLeft,
} satisfies Scenario;
const mixed = { ...two, rows: [a, d], operations: linkAndCode } satisfies Scenario;

test.each<[string, Scenario]>([
	[
		"one of three links succeeds",
		{ ...two, rows: [a, b, c], operations: { ...twoLinks, use3: link("C") } },
	],
	[
		"one of two codes succeeds",
		{ ...two, rows: [d, e], operations: { use1: code("D"), use2: code("E") } },
	],
	[
		"one of a link and two codes without attempts succeeds",
		{
			...two,
			rows: [a, d, e],
			operations: { use1: link("A"), use2: code("D", Infinity), use3: code("E", Infinity) },
		},
	],
	[
		"one of a link, the same link again, and a code succeeds",
		{ ...mixed, operations: { ...linkAndCode, use3: link("A") } },
	],
	[
		"one of a code, the same code again, and a link succeeds",
		{ ...mixed, operations: { ...linkAndCode, use3: code("D") } },
	],
	["one of two links succeeds where reads lag", { ...two, lag: HOUR }],
	["one of a link and a code succeeds where reads lag", { ...mixed, lag: HOUR }],
	[
		"one of two links succeeds beside a plain use of a third one",
		{ ...two, rows: [a, b, c], operations: { ...twoLinks, plain: plain("C") } },
	],
	[
		"a link succeeds beside a plain use of another one",
		{ ...two, operations: { use1: link("A"), plain: plain("B") } },
	],
	[
		// A call that lost its own token to the plain use may have revoked the other one.
		"at most one of two links, and at least one call, succeeds beside a plain use of one of them",
		{
			...two,
			operations: { ...twoLinks, plain: plain("B") },
			check: (end) => {
				noneLeft(end);
				atMostOne(end);
				expect(Object.values(end.outcomes)).toContain("ok");
				expect(end.outcomes).not.toMatchObject({ use2: "ok", plain: "ok" });
			},
		},
	],
	[
		// A read that lags does not tell a plain use from a revocation.
		"a link or the plain use of another one succeeds where reads lag",
		{
			...two,
			lag: HOUR,
			operations: { use1: link("A"), plain: plain("B") },
			check: (end) => {
				noneLeft(end);
				expect(Object.values(end.outcomes)).toContain("ok");
			},
		},
	],
	[
		"a token that is issued meanwhile is good, unless the call that succeeds began later",
		{
			...two,
			operations: { ...twoLinks, issue: issue("NEW") },
			afterwards: { later: plain("NEW") },
			check: (end) => {
				oneAndNoneLeft(end);
				const [winner = ""] = won(end);
				if (end.before["issue"]?.includes(winner)) expect(end.outcomes["later"]).toBe("ok");
				if (end.before[winner]?.includes("issue")) {
					expect(end.outcomes["later"]).toBe("INVALID_TOKEN");
				}
			},
		},
	],
	[
		"a token that is issued after a revocation is good, or stays so where reads lag",
		{
			...user,
			rows: [b],
			lag: 0,
			operations: { use1: link("B") },
			afterwards: { issue: issue("A"), later: link("A") },
			check: ({ outcomes, rows }) => {
				if (outcomes["later"] === "ok") return;
				expect(outcomes["later"]).toBe("INVALID_TOKEN");
				expect(rows.map(({ id }) => id)).toEqual([`:${b.id} ${b.expires}`, a.id]);
			},
		},
	],
	[
		"a used token whose delete failed revokes nothing",
		{
			...two,
			rows: [a, b, row(`:${b.id} ${b.expires}`)],
			operations: { use2: link("B") },
			check: ({ outcomes, rows }) => {
				expect(outcomes).toEqual({ use2: "INVALID_TOKEN" });
				expect(rows.slice(0, 2)).toEqual([a, b]);
			},
		},
	],
	[
		"at most one of two links with a fault succeeds where reads lag, and with both again",
		{
			...two,
			lag: HOUR,
			faults: 1,
			afterwards: { use3: link("A"), use4: link("B") },
			check: atMostOne,
		},
	],
	[
		"at most one of a link and a code with a fault succeeds, and with both again",
		{
			...mixed,
			faults: 1,
			afterwards: { use3: link("A"), use4: code("D") },
			check: atMostOne,
		},
	],
	[
		// A token that it deletes leaves no spent row, and the other call does not list it.
		"at most one of two links beside a revoke-all and a fault succeeds",
		{
			...two,
			operations: { ...twoLinks, revokeAll },
			faults: 1,
			check: atMostOne,
		},
	],
	[
		"at most one of two links beside a revoke-all succeeds where reads lag",
		{
			...two,
			lag: 0,
			operations: { ...twoLinks, revokeAll },
			check: atMostOne,
		},
	],
	[
		"a call that stalls until a sweep has deleted the spent row of the other token fails",
		{
			...two,
			rows: [row("link:A", NOW + 3 * HOUR), b],
			operations: { ...twoLinks, sweep },
			ticks: [2 * HOUR],
			afterwards: { use3: link("A") },
			check: atMostOne,
		},
	],
])("%s", async (_, scenario) => {
	const { ends } = await explore(scenario);
	expect(ends).toBeGreaterThan(0);
});

test("the exploration detects spent rows that do not tell a revocation from a use", async () => {
	const run = execute(user.users);
	const database: Execute = (rows, name, args, by) => {
		const key = Object(args[0]) as Row;
		const same = { ...key, expires: NOW + MINUTE };
		return run(rows, name, name === "setKey" ? [same] : args, by);
	};
	await expect(explore({ ...two, database })).rejects.toThrow('{"use1":"ok","use2":"ok"}');
});

// A token that a list does not have yet is not revoked, and is good afterwards.
test("the exploration detects that a token issued just before is revoked only where reads do not lag", async () => {
	const scenario = {
		...user,
		rows: [a],
		operations: { issue: issue("B") },
		afterwards: twoLinks,
		check: exactlyOne,
	} satisfies Scenario;
	await expect(explore(scenario)).resolves.toHaveProperty("ends", 1);
	await expect(explore({ ...scenario, lag: 0 })).rejects.toThrow('"use1":"ok","use2":"ok"');
});
