import * as published from "published";
import { describe, expect, test, vi } from "vitest";
import * as current from "../src/index.js";
import { type Make, withoutUser } from "./support/handlers.js";
import { openStopped } from "./support/sqlite.js";

// The same scenarios through both packages. Each returns what an app sees, as plain values, so that
// the two can be compared: error codes instead of errors, and no random values.

type Package = Record<"idToken" | "passwordToken", Make>;
const PUBLISHED = published as unknown as Package;
const CURRENT: Package = {
	idToken: (...args) => withoutUser(current.idToken(...args)),
	passwordToken: current.passwordToken,
};

const user = "user";

const see = (promise: Promise<unknown>): Promise<unknown> =>
	promise.then(
		(value) => value ?? "done",
		(error: Error) => error.message,
	);

const seeToken = async (promise: Promise<current.Token>): Promise<unknown> => {
	const result = await see(promise);
	if (typeof result === "string") return result;
	const { userId, expiresAt, key } = result as current.Token;
	return { value: String(result), userId, expiresAt, key: { ...key, expired: undefined } };
};

const values = (...list: string[]) => {
	const iterator = list.values();
	return { generate: () => String(iterator.next().value) };
};

const open = async (create: Make) => {
	const sqlite = await openStopped();
	const make = (name: string, options?: object) =>
		create(sqlite.auth, name, { expiresIn: 60, ...options });
	/** Makes a handler and issues tokens of these values, a millisecond apart. */
	const issued = async (...list: string[]) => {
		const handler = make("name", values(...list));
		for (let count = 0; count < list.length; count++) {
			await handler.issue(user);
			vi.advanceTimersByTime(1);
		}
		return handler;
	};
	/** As Lucia's documentation writes it: without options. */
	const bare = () => create(sqlite.auth, "name", undefined as never);
	return { sqlite, make, issued, bare };
};
type Scenario = (world: Awaited<ReturnType<typeof open>>) => Promise<unknown>;

/** Behavior that must not change when an app swaps one package for the other. */
const SAME: Record<string, Scenario> = {
	"issue, validate, validate again, and the row between": async ({ sqlite, make }) => {
		const handler = make("name", values("12345678"));
		return [
			await seeToken(handler.issue(user)),
			sqlite.keys(),
			await seeToken(handler.validate("12345678", user)),
			await seeToken(handler.validate("12345678", user)),
		];
	},
	"the length and the characters of a token, and what generate is given": async ({ make }) => {
		const token = String(await make("name").issue(user));
		const longer = String(await make("name", { length: 60 }).issue(user));
		const generate = vi.fn(() => "12345678");
		await make("name", { generate }).issue(user);
		return [
			[token.length, longer.length, /^\d+$/.test(token), /^[a-zA-Z0-9]+$/.test(longer)],
			generate.mock.calls,
		];
	},
	"a handler without options, which does all but issue": async ({ sqlite, bare, issued }) => {
		await issued("1", "2");
		return [
			(await bare().getUserTokens(user)).map(String).sort(),
			await seeToken(bare().validate("1", user)),
			await seeToken(bare().validate("1", user)),
			await see(bare().invalidateAllUserTokens(user)),
			sqlite.tokens(),
		];
	},
	"an issuer and validators of one name, with other lives, lengths and generators": async ({
		sqlite,
		make,
	}) => {
		// 64 characters of the app's own, for two hours to a week, and validators that never issue.
		const token = (letter: string) => ({ length: 64, generate: () => letter.repeat(64) });
		await make("name", { expiresIn: 60 * 60 * 24 * 7, ...token("a") }).issue(user);
		await make("name", { expiresIn: 60 * 60 * 2, ...token("b") }).issue(user);
		const validator = () => make("name", { expiresIn: 0 });
		vi.advanceTimersByTime(60 * 60 * 2 * 1000 + 1);
		return [
			(await validator().getUserTokens(user)).map(({ expired }) => expired).sort(),
			await seeToken(validator().validate("b".repeat(64), user)),
			await seeToken(validator().validate("a".repeat(64), user)),
			await see(validator().invalidateAllUserTokens(user)),
			sqlite.tokens(),
		];
	},
	"a token in its last millisecond": async ({ issued }) => {
		const handler = await issued("1");
		vi.advanceTimersByTime(60_000 - 1);
		return seeToken(handler.validate("1", user));
	},
	"every error, and the rows that it leaves": async ({ sqlite, make }) => {
		const handler = make("name", values("1", "1", "2"));
		await handler.issue(user);
		const taken = await see(handler.issue(user));
		vi.advanceTimersByTime(60_001);
		return [
			taken,
			await see(handler.issue("nobody")),
			await see(handler.validate("3", user)),
			await see(handler.validate("1", user)),
			await see(handler.validate("1", user)),
			sqlite.tokens(),
		];
	},
	"the list of a user's tokens, by its old name": async ({ make, issued }) => {
		const handler = await issued("1", "2");
		await make("other", values("4")).issue(user);
		vi.advanceTimersByTime(60_001);
		await make("name", values("3")).issue(user);
		const tokens = await handler.getUserTokens(user);
		return [
			tokens.map(({ expired }) => expired),
			await Promise.all(tokens.map((token) => seeToken(Promise.resolve(token)))),
		];
	},
	"revoking all tokens of a user": async ({ sqlite, make, issued }) => {
		const handler = await issued("1", "2");
		await make("other", values("3")).issue(user);
		return [
			await see(handler.invalidateAllUserTokens("nobody")),
			await see(handler.invalidateAllUserTokens(user)),
			sqlite.keys(),
		];
	},
	"an error that is not the library's": async ({ sqlite, make }) => {
		sqlite.db.exec("DROP TABLE auth_key");
		return [await see(make("name").issue(user)), await see(make("name").validate("1", user))];
	},
};

// 1.0.2 has no invalidate for password tokens.
const revokingOne: Scenario = async ({ sqlite, issued }) => {
	const { invalidate } = await issued("1", "2");
	return [await see(invalidate("1", user)), await see(invalidate("3", user)), sqlite.keys()];
};

describe.each(["idToken", "passwordToken"] as const)("%s of 1.0.2 and of this package", (kind) => {
	const ofIdTokens = { "revoking one token, and an unknown one": revokingOne };
	const same = { ...SAME, ...(kind === "idToken" ? ofIdTokens : {}) };

	test.each(Object.entries(same))("do the same for %s", async (_, scenario) => {
		const before = await scenario(await open(PUBLISHED[kind]));
		expect(await scenario(await open(CURRENT[kind]))).toEqual(before);
	});

	test.each([
		["1.0.2", "this package", PUBLISHED, CURRENT],
		["this package", "1.0.2", CURRENT, PUBLISHED],
	])("pass tokens from %s to %s on one database", async (_from, _to, from, to) => {
		const sqlite = await openStopped();
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
