import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { idToken, type LuciaAuth } from "../../src/index.js";
import { type End, execute, explore, type Scenario } from "./explorer.js";

const NOW = 1_000_000;
const ID = "link:TOKEN";

beforeEach(() => {
	vi.useFakeTimers({ now: NOW, toFake: ["Date"] });
});
afterEach(() => {
	vi.useRealTimers();
});

const open = (auth: LuciaAuth) => idToken(auth, "link", { expiresIn: 60 });
const validate = (auth: LuciaAuth) => open(auth).validate("TOKEN");
const revokeAll = (auth: LuciaAuth) => open(auth).invalidateAllUserTokens("user");
const sweep = (auth: LuciaAuth) => open(auth).deleteExpiredUserTokens("user");

const won = ({ outcomes }: End): string[] =>
	Object.keys(outcomes).filter((name) => name.startsWith("validate") && outcomes[name] === "ok");

const atMostOnce = (end: End): void => {
	expect(won(end).length).toBeLessThanOrEqual(1);
	for (const name of won(end)) expect(end.before[name]).not.toContain("revokeAll");
};

const exactlyOnce = (end: End): void => {
	atMostOnce(end);
	expect(won(end)).toHaveLength(1);
	expect(end.rows).toEqual([]);
};

const link = {
	now: NOW,
	users: ["user"],
	rows: [{ id: ID, user_id: "user", expires: NOW + 60_000 }],
} satisfies Partial<Scenario>;

const three: Scenario = {
	...link,
	operations: { validate1: validate, validate2: validate, validate3: validate },
	check: exactlyOnce,
};

test.each<[string, Scenario]>([
	["one of three validations succeeds", three],
	[
		"at most one of two validations beside a revoke-all and a sweep succeeds, and none after the revoke-all",
		{
			...link,
			operations: { validate1: validate, validate2: validate, revokeAll, sweep },
			check: atMostOnce,
		},
	],
	[
		"at most one of two validations with two faults and a third one succeeds",
		{
			...link,
			operations: { validate1: validate, validate2: validate },
			faults: 2,
			afterwards: { validate3: validate },
			check: atMostOnce,
		},
	],
	[
		"at most one of two validations beside a sweep reports an expired token as expired",
		{
			...link,
			rows: [{ id: ID, user_id: "user", expires: NOW - 1 }],
			operations: { validate1: validate, validate2: validate, sweep },
			check: ({ outcomes, rows }) => {
				const expired = Object.values(outcomes).filter((outcome) => outcome === "EXPIRED_TOKEN");
				expect(expired.length).toBeLessThanOrEqual(1);
				expect(rows).toEqual([]);
			},
		},
	],
])("%s", async (_, scenario) => {
	const { states, ends } = await explore(scenario);
	console.info(`${states} states, ${ends} ends`);
	expect(ends).toBeGreaterThan(50);
});

test("the exploration detects a consume without its second read or without a unique ID", async () => {
	const run = execute(link.users);
	// The look behind the claim finds what the first one found.
	const withoutSecondLook = explore({
		...three,
		database: (rows, name, args, by) => {
			const isClaimed = rows.some(({ id }) => id === `:${ID}`);
			return name === "getKey" && isClaimed
				? run(link.rows, name, args, by)
				: run(rows, name, args, by);
		},
	});
	await expect(withoutSecondLook).rejects.toThrow("validate2: ");
	const withoutUniqueId = explore({
		...three,
		database: (rows, name, args, by) => run(name === "setKey" ? link.rows : rows, name, args, by),
	});
	await expect(withoutUniqueId).rejects.toThrow("validate2: ");
});
