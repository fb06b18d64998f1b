import * as published from "published";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import * as current from "../src/index.js";
import { type Handler, type TokenKind, withoutUser } from "./support/handlers.js";
import { openSqlite, type Sqlite } from "./support/sqlite.js";

// The same scenarios through both packages. Each returns what an app sees, as plain values, so that
// the two can be compared: error codes instead of errors, and no random values.

type Package = Record<"idToken" | "passwordToken", TokenKind["make"]>;
const PACKAGES = {
	published: published as unknown as Package,
	current: {
		idToken: (...args) => withoutUser(current.idToken(...args)),
		passwordToken: current.passwordToken,
	} satisfies Package,
};

interface World {
	readonly sqlite: Sqlite;
	readonly make: (name: string, options?: object) => Handler;
	/** As Lucia's documentation writes it: without options. */
	readonly bare: (name: string) => Handler;
	readonly user: string;
}
type Scenario = (world: World) => Promise<unknown>;

const see = async (promise: Promise<unknown>): Promise<unknown> => {
	try {
		const value = await promise;
		return value === undefined ? "done" : value;
	} catch (error) {
		return (error as Error).message;
	}
};

const seeToken = async (promise: Promise<current.Token>): Promise<unknown> => {
	const result = await see(promise);
	if (typeof result === "string") return result;
	const { userId, expiresAt, key } = result as current.Token;
	return { value: String(result), userId, expiresAt, key: { ...key, expired: undefined } };
};

// The rows of tokens, without internal rows.
const tokenKeys = (sqlite: Sqlite) => sqlite.keys().filter(({ id }) => !id.startsWith(":"));

const values = (...list: string[]) => {
	const iterator = list.values();
	return { generate: () => String(iterator.next().value) };
};

/** Behavior that must not change when an app swaps one package for the other. */
const SAME: Record<string, Scenario> = {
	"issue, validate, validate again": async ({ make, user }) => {
		const handler = make("name", values("12345678"));
		return [
			await seeToken(handler.issue(user)),
			await seeToken(handler.validate("12345678", user)),
			await seeToken(handler.validate("12345678", user)),
		];
	},
	"the row that issue stores": async ({ sqlite, make, user }) => {
		await make("name", values("12345678")).issue(user);
		return sqlite.keys();
	},
	"the length and the characters of a token": async ({ make, user }) => {
		const token = String(await make("name").issue(user));
		const longer = String(await make("name", { length: 60 }).issue(user));
		return [token.length, longer.length, /^\d+$/.test(token), /^[a-zA-Z0-9]+$/.test(longer)];
	},
	"the length that generate is given": async ({ make, user }) => {
		const generate = vi.fn(() => "12345678");
		await make("name", { generate }).issue(user);
		return generate.mock.calls;
	},
	"a handler without options, which does all but issue": async ({ sqlite, bare, make, user }) => {
		await make("name", values("1", "2")).issue(user);
		await make("name", values("2")).issue(user);
		return [
			(await bare("name").getUserTokens(user)).map(String).sort(),
			await seeToken(bare("name").validate("1", user)),
			await seeToken(bare("name").validate("1", user)),
			await see(bare("name").invalidateAllUserTokens(user)),
			tokenKeys(sqlite),
		];
	},
	"an issuer and validators of one name, with other lives, lengths and generators": async ({
		sqlite,
		make,
		user,
	}) => {
		// 64 characters of the app's own, for two hours to a week, and validators that never issue.
		const token = (letter: string) => ({ length: 64, generate: () => letter.repeat(64) });
		const week = make("name", { expiresIn: 60 * 60 * 24 * 7, ...token("a") });
		const hours = make("name", { expiresIn: 60 * 60 * 2, ...token("b") });
		const validator = () => make("name", { expiresIn: 0 });
		await week.issue(user);
		await hours.issue(user);
		vi.advanceTimersByTime(60 * 60 * 2 * 1000 + 1);
		return [
			(await validator().getUserTokens(user)).map(({ expired }) => expired).sort(),
			await seeToken(validator().validate("b".repeat(64), user)),
			await seeToken(validator().validate("a".repeat(64), user)),
			await see(validator().invalidateAllUserTokens(user)),
			tokenKeys(sqlite),
		];
	},
	"the outstanding token of a user, or else a new one": async ({ make, user }) => {
		const handler = make("name", values("1", "2", "3"));
		const find = async () => (await handler.getUserTokens(user)).find(({ expired }) => !expired);
		const current = async () => (await find()) ?? (await handler.issue(user));
		const first = [String(await current()), String(await current())];
		vi.advanceTimersByTime(60_001);
		return [...first, String(await current()), String(await current())];
	},
	"methods taken off a handler that each request makes again": async ({ make, user }) => {
		const locals = () => ({ tokens: make("name", values("1")) });
		const { issue } = locals().tokens;
		const { validate, invalidateAllUserTokens } = locals().tokens;
		return [
			await seeToken(issue(user)),
			await seeToken(validate("1", user)),
			await see(invalidateAllUserTokens(user)),
		];
	},
	"errors that are told apart by their messages as strings": async ({ make, user }) => {
		const handler = make("name", values("1", "1"));
		const tell = async (promise: Promise<unknown>) => {
			try {
				await promise;
				return "fine";
			} catch (error: unknown) {
				const { message } = error as { message: string };
				if (message === "EXPIRED_TOKEN") return "late";
				if (message === "INVALID_TOKEN") return "wrong";
				return message === "INVALID_USER_ID" ? "nobody" : message;
			}
		};
		await handler.issue(user);
		const taken = await tell(handler.issue(user));
		vi.advanceTimersByTime(60_001);
		return [
			taken,
			await tell(handler.issue("nobody")),
			await tell(handler.validate("2", user)),
			await tell(handler.validate("1", user)),
			await tell(handler.validate("1", user)),
		];
	},
	"an unknown token": ({ make, user }) => seeToken(make("name").validate("unknown", user)),
	"a token in its last millisecond": async ({ make, user }) => {
		const handler = make("name", values("12345678"));
		await handler.issue(user);
		vi.advanceTimersByTime(60_000);
		return seeToken(handler.validate("12345678", user));
	},
	"an expired token, twice": async ({ sqlite, make, user }) => {
		const handler = make("name", values("12345678"));
		await handler.issue(user);
		vi.advanceTimersByTime(60_001);
		return [
			await seeToken(handler.validate("12345678", user)),
			await seeToken(handler.validate("12345678", user)),
			tokenKeys(sqlite),
		];
	},
	"a token of a user that does not exist": ({ make }) => seeToken(make("name").issue("nobody")),
	"a token that is already stored": async ({ make, user }) => {
		const handler = make("name", values("same", "same"));
		return [await seeToken(handler.issue(user)), await seeToken(handler.issue(user))];
	},
	"the list of a user's tokens, by its old name": async ({ make, user }) => {
		const handler = make("name", values("1", "2", "3"));
		for (let count = 0; count < 3; count++) {
			await handler.issue(user);
			vi.advanceTimersByTime(1);
		}
		await make("other", values("4")).issue(user);
		const tokens = await handler.getUserTokens(user);
		return Promise.all(tokens.map((token) => seeToken(Promise.resolve(token))));
	},
	"expired tokens in the list": async ({ make, user }) => {
		const handler = make("name", values("1", "2"));
		await handler.issue(user);
		vi.advanceTimersByTime(60_001);
		await handler.issue(user);
		return (await handler.getUserTokens(user)).map(({ expired }) => expired);
	},
	"revoking all tokens of a user": async ({ sqlite, make, user }) => {
		const handler = make("name", values("1", "2"));
		await handler.issue(user);
		await handler.issue(user);
		await make("other", values("3")).issue(user);
		return [await see(handler.invalidateAllUserTokens(user)), sqlite.keys()];
	},
	"revoking all tokens of a user that does not exist": ({ make }) =>
		see(make("name").invalidateAllUserTokens("nobody")),
	"the members of an issued token": async ({ make, user }) => {
		const token = await make("name", values("1")).issue(user);
		const { userId, expiresAt, key } = token;
		return [userId, expiresAt, key.providerId, key.type, key.passwordDefined, `${token}`];
	},
	"an error that is not the library's": async ({ sqlite, make, user }) => {
		sqlite.db.exec("DROP TABLE auth_key");
		return [await see(make("name").issue(user)), await see(make("name").validate("1", user))];
	},
};

/** Of id tokens alone: 1.0.2 has no invalidate for password tokens. */
const SAME_FOR_ID_TOKENS: Record<string, Scenario> = {
	"revoking one token": async ({ sqlite, make, user }) => {
		const handler = make("name", values("1", "2"));
		await handler.issue(user);
		vi.advanceTimersByTime(1);
		await handler.issue(user);
		return [await see(handler.invalidate("1", user)), sqlite.keys()];
	},
	"revoking an unknown token": ({ make, user }) => see(make("name").invalidate("1", user)),
};

/** Every deliberate difference: what 1.0.2 does, and what this package does in its place. */
const DIFFERENT: readonly {
	name: string;
	kinds?: readonly (keyof Package)[];
	scenario: Scenario;
	published: unknown;
	current: unknown;
}[] = [
	{
		name: "one token used many times at once: succeeds once",
		scenario: async ({ make, user }) => {
			const handler = make("name", values("1"));
			await handler.issue(user);
			const calls = Array.from({ length: 10 }, () => see(handler.validate("1", user)));
			return (await Promise.all(calls)).filter((result) => result !== "INVALID_TOKEN").length;
		},
		published: 10,
		current: 1,
	},
	{
		name: "a fresh token: has not expired",
		scenario: async ({ make, user }) => (await make("name").issue(user)).expired,
		published: true,
		current: false,
	},
	{
		name: "a token that expires while it is held: says so",
		scenario: async ({ make, user }) => {
			const handler = make("name", values("1"));
			await handler.issue(user);
			const token = (await handler.getUserTokens(user))[0];
			vi.advanceTimersByTime(60_001);
			return token?.expired;
		},
		published: false,
		current: true,
	},
	{
		name: "a name with a colon, which would share its tokens with another type: is refused",
		scenario: ({ make }) => see((async () => typeof make("a:b"))()),
		published: "object",
		current: expect.stringMatching(/^name must be a string of 1 to \d+ characters without ":"/),
	},
	{
		name: "the list of a user that does not exist: INVALID_USER_ID, for id tokens too",
		kinds: ["idToken"],
		scenario: ({ make }) => see(make("name").getUserTokens("nobody")),
		published: "AUTH_INVALID_USER_ID",
		current: "INVALID_USER_ID",
	},
	{
		name: "revoking all tokens: keeps the persistent (login) keys of the same name",
		scenario: async ({ sqlite, make, user }) => {
			sqlite.insertKey({ id: `name:${user}.login`, user_id: user });
			await make("name").invalidateAllUserTokens(user);
			return sqlite.keys().length;
		},
		published: 0,
		current: 1,
	},
	{
		name: "revoking one token: keeps a persistent (login) key of that id",
		kinds: ["idToken"],
		scenario: async ({ sqlite, make, user }) => {
			sqlite.insertKey({ id: "name:login", user_id: user });
			await make("name").invalidate("login", user);
			return sqlite.keys().length;
		},
		published: 0,
		current: 1,
	},
	{
		name: "a single-use key with a password under the same name: is no token",
		scenario: async ({ sqlite, make, user }) => {
			for (const id of ["name:1", `name:${user}.1`]) {
				sqlite.insertKey({
					id,
					user_id: user,
					hashed_password: "hash",
					expires: Date.now() + 1000,
				});
			}
			const handler = make("name");
			const listed = await handler.getUserTokens(user);
			return [await see(handler.validate("1", user)), listed.length > 0];
		},
		published: ["AUTH_INVALID_PASSWORD", true],
		current: ["INVALID_TOKEN", false],
	},
	...(
		[
			["NaN", Number.NaN, "done"],
			["a string", "60", "UNKNOWN_ERROR"],
		] as const
	).map(([what, expiresIn, before]) => ({
		name: `an expiresIn of ${what}: is refused when the handler is made`,
		scenario: ({ make, user }: World) =>
			see((async () => void (await make("name", { expiresIn }).issue(user)))()),
		published: before,
		current: "expiresIn must be a number of seconds from 0 to 100000000000",
	})),
	{
		name: "a length of 0: is refused when the handler is made",
		scenario: async ({ make, user }) =>
			see((async () => String(await make("name", { length: 0 }).issue(user)))()),
		published: "",
		current: expect.stringMatching(/^length must be a whole number from 1 to \d+$/),
	},
	{
		name: "a generated token that is not visible ASCII: is refused before it is stored",
		scenario: async ({ sqlite, make, user }) => {
			await see(make("name", values("a b")).issue(user));
			return sqlite.keys().length;
		},
		published: 1,
		current: 0,
	},
	{
		name: "a token of a user whose id has a dot: is listed whole",
		kinds: ["passwordToken"],
		scenario: async ({ sqlite, make }) => {
			const user = await sqlite.createUser("first.last");
			const handler = make("name", values("12345678"));
			await handler.issue(user);
			return (await handler.getUserTokens(user)).map(String);
		},
		published: ["last"],
		current: ["12345678"],
	},
	{
		name: "a code after five wrong ones: is invalid",
		kinds: ["passwordToken"],
		scenario: async ({ make, user }) => {
			const handler = make("name", values("12345678"));
			await handler.issue(user);
			for (let count = 0; count < 5; count++) await see(handler.validate("00000000", user));
			return see(handler.validate("12345678", user).then(() => "success"));
		},
		published: "success",
		current: "INVALID_TOKEN",
	},
	{
		name: "an expired token: is deleted by one in eight calls that issue another",
		scenario: async ({ make, user }) => {
			const handler = make("name");
			await handler.issue(user);
			vi.advanceTimersByTime(60_000 + 8);
			const issued = await handler.issue(user);
			expect(issued.expiresAt.getTime() % 8).toBe(0);
			return (await handler.getUserTokens(user)).length;
		},
		published: 2,
		current: 1,
	},
	{
		name: "a token that is already stored, but has expired: is replaced",
		scenario: async ({ make, user }) => {
			const handler = make("name", values("1", "1"));
			await handler.issue(user);
			vi.advanceTimersByTime(60_001);
			return see(handler.issue(user).then(String));
		},
		published: "DUPLICATE_TOKEN",
		current: "1",
	},
	{
		name: "options that are none of this package's: are refused",
		scenario: ({ make }) => see((async () => typeof make("name", { expires: 60 }))()),
		published: "object",
		current: expect.stringMatching(/^expires is not an option: the options are expiresIn, length/),
	},
	{
		name: "a printed or serialized token: does not show its secret",
		scenario: async ({ make, user }) =>
			JSON.stringify(await make("name", values("s3cret")).issue(user)).includes("s3cret"),
		published: true,
		current: false,
	},
	{
		name: "an error: is named LuciaTokenError",
		scenario: async ({ make, user }) =>
			make("name")
				.validate("1", user)
				.catch((error: Error) => error.name),
		published: "Error",
		current: "LuciaTokenError",
	},
];

const KINDS = ["idToken", "passwordToken"] as const;
let sqlite: Sqlite;
beforeEach(() => {
	vi.useFakeTimers({ now: 1_000_000, toFake: ["Date"] });
	sqlite = openSqlite();
});
afterEach(() => {
	sqlite.db.close();
	vi.useRealTimers();
});

const play = async (
	scenario: Scenario,
	{ idToken, passwordToken }: Package,
	kind: keyof Package,
): Promise<unknown> => {
	vi.setSystemTime(1_000_000);
	sqlite.db.close();
	sqlite = openSqlite();
	const user = await sqlite.createUser("user");
	const make = (name: string, options?: object) =>
		({ idToken, passwordToken })[kind](sqlite.auth, name, { expiresIn: 60, ...options });
	const bare = (name: string) =>
		({ idToken, passwordToken })[kind](sqlite.auth, name, undefined as never);
	return scenario({ sqlite, make, bare, user });
};

describe.each(KINDS)("%s of 1.0.2 and of this package", (kind) => {
	const same = { ...SAME, ...(kind === "idToken" ? SAME_FOR_ID_TOKENS : {}) };

	test.each(Object.entries(same))("do the same for %s", async (_, scenario) => {
		const before = await play(scenario, PACKAGES.published, kind);
		expect(await play(scenario, PACKAGES.current, kind)).toEqual(before);
	});

	const different = DIFFERENT.filter(({ kinds = KINDS }) => kinds.includes(kind));
	test.each(different)("differ in $name", async ({ scenario, published, current }) => {
		expect(await play(scenario, PACKAGES.published, kind)).toEqual(published);
		expect(await play(scenario, PACKAGES.current, kind)).toEqual(current);
	});

	test.each([
		["1.0.2", "this package", PACKAGES.published, PACKAGES.current],
		["this package", "1.0.2", PACKAGES.current, PACKAGES.published],
	])("pass tokens from %s to %s on one database", async (_from, _to, from, to) => {
		const user = await sqlite.createUser("user");
		const issuer = from[kind](sqlite.auth, "name", { expiresIn: 60 });
		const receiver = to[kind](sqlite.auth, "name", { expiresIn: 60 });
		const [used, revoked] = [await issuer.issue(user), await issuer.issue(user)];
		expect((await receiver.getUserTokens(user)).map(String).sort()).toEqual(
			[used, revoked].map(String).sort(),
		);
		const validated = await receiver.validate(used.toString(), user);
		expect([validated.userId, `${validated}`]).toEqual([user, `${used}`]);
		expect(validated.expiresAt).toEqual(used.expiresAt);
		await receiver.invalidateAllUserTokens(user);
		expect(await see(issuer.validate(revoked.toString(), user))).toBe("INVALID_TOKEN");
		expect(await see(issuer.validate(used.toString(), user))).toBe("INVALID_TOKEN");
	});
});
