import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { idToken, type KeyStore, passwordToken, type Token } from "../../src/index.js";
import { outcomeOf } from "../support/errors.js";
import { createFault, type Fault } from "../support/faults.js";
import { opened, SHARED } from "./contenders.js";
import { createUser, EXPIRES_IN, insertRows, NAME, options } from "./tokens.js";

// What a failure of the database costs on the native stores. That of the default store is in
// test/stores/failures.test.ts.

const USER = "user";

const createHandlers = (store: KeyStore) => ({
	links: idToken(store, NAME, options),
	codes: passwordToken(store, NAME, options),
	spaced: idToken(store, NAME, { ...options, minInterval: EXPIRES_IN }),
});

type Call = (handlers: ReturnType<typeof createHandlers>, token: Token) => Promise<unknown>;

/** A row that is stored before a call: its id, and for how many seconds it is still valid. */
type Stored = readonly [id: string, seconds: number];

const LINK: Stored = [`${NAME}:token`, EXPIRES_IN];
const OLD_LINK: Stored = [`${NAME}:token`, -1];
const CODE: Stored = [`${NAME}:${USER}.token`, EXPIRES_IN];
const OLD_CODE: Stored = [`${NAME}:${USER}.token`, -1];
const INTERVAL: Stored = [`:${NAME}: ${USER}. after 1`, -1];

const INVALID = "INVALID_TOKEN";
const EXPIRED = "EXPIRED_TOKEN";

const issueSpaced: Call = ({ spaced }) => spaced.issue(USER);
const useLink: Call = ({ links }) => links.validate("token");
const useCode: Call = ({ codes }) => codes.validate("token", USER);
const getLink: Call = ({ links }) => links.getToken("token");

/** Some rows of an interval are stored, and no token. */
const BEGUN = [
	...["1 after", "2 before", "2 before, lasting", "2 after"],
	...["3 before", "3 before, lasting", "3 after", "4 before, lasting"],
];

/**
 * What comes of a call if nothing fails. And the failures of one of its statements after which a retry gets an
 * error that it otherwise does not get.
 */
const CASES: [
	what: string,
	stored: Stored | null,
	statements: number,
	outcome: string,
	call: Call,
	costs?: string[],
][] = [
	["issue", null, 1, "ok", ({ links }) => links.issue(USER)],
	["begin an interval", null, 5, "ok", issueSpaced, BEGUN],
	["begin another interval", INTERVAL, 3, "ok", issueSpaced, ["1 after", "2 before, lasting"]],
	["use a link", LINK, 1, "ok", useLink, ["0 after"]],
	["use an old link", OLD_LINK, 1, EXPIRED, useLink, ["0 after"]],
	["use a code", CODE, 2, "ok", useCode, ["1 after"]],
	["use an old code", OLD_CODE, 2, EXPIRED, useCode, ["1 after"]],
	["try a wrong code", CODE, 1, INVALID, ({ codes }) => codes.validate("wrong", USER)],
	["get a link", LINK, 1, "ok", getLink],
	["get an old link", OLD_LINK, 1, EXPIRED, getLink],
	["invalidate", LINK, 1, "ok", ({ links }) => links.invalidate("token")],
	["withdraw", LINK, 1, "ok", ({ links }, token) => links.withdraw(token)],
	["list", LINK, 1, "ok", ({ links }) => links.getAllUserTokens(USER)],
	["revoke all", LINK, 1, "ok", ({ links }) => links.invalidateAllUserTokens(USER)],
	["sweep", OLD_LINK, 1, "ok", ({ links }) => links.deleteExpiredUserTokens(USER)],
];

const FAILURES = [
	["before", { when: "before" }],
	["before, lasting", { when: "before", lasts: Infinity }],
	["after", { when: "after" }],
] as const;

/** Lets calls to a store fail. Each is one statement, and on MySQL a few. */
const failing = (store: KeyStore, fault: Fault): KeyStore =>
	new Proxy(store, {
		get: (_, name: string) => {
			const method = Reflect.get(store, name) as unknown;
			if (typeof method !== "function" || name === "isInTransaction") return method;
			return (...args: unknown[]) =>
				fault.call(name, () => Reflect.apply(method, store, args) as Promise<unknown>);
		},
	});

beforeEach(() => {
	// At every eighth millisecond, issue() also sweeps.
	vi.useFakeTimers({ toFake: ["Date"], now: Math.ceil(Date.now() / 8) * 8 + 1 });
});

afterEach(() => {
	vi.useRealTimers();
});

const native = SHARED.filter(({ store }) => store === "native");

describe.each(native)("each statement fails, alone or with all after it: $name", (contender) => {
	test.each(CASES)("%s", async (what, stored, statements, outcome, call, costs = []) => {
		const db = await opened(contender);
		await createUser(db, USER);
		const error = call === issueSpaced ? "ISSUED_RECENTLY" : INVALID;

		const run = async (failure: Partial<Fault>) => {
			const fault = createFault();
			const handlers = createHandlers(failing(db.nativeSource, fault));
			if (stored) await insertRows(db, [stored[0]], USER, Date.now() + stored[1] * 1000);
			const [token] = await handlers.links.getAllUserTokens(USER);
			const attempt = () => outcomeOf(call(handlers, token as Token));

			fault.calls.length = 0;
			Object.assign(fault, failure);
			const first = await attempt();
			const calls = fault.calls.length;
			fault.at = -1;
			const retry = await attempt();
			if (what.startsWith("use")) expect(await attempt()).toBe(INVALID);

			// Whatever is left, a sweep clears it when its time is over.
			await db.sql("UPDATE auth_key SET expires = 1");
			await createHandlers(db.nativeSource).links.deleteExpiredUserTokens(USER);
			expect(await db.keys()).toEqual([]);
			return { calls, first, retry };
		};

		expect(await run({})).toMatchObject({ calls: statements, first: outcome });
		for (let at = 0; at < statements; at++) {
			for (const [name, failure] of FAILURES) {
				const { first, retry } = await run({ at, ...failure });
				const expected = costs.includes(`${at} ${name}`) ? error : outcome;
				expect([at, name, first, retry]).toEqual([at, name, "connection lost", expected]);
			}
		}
	});
});
