import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { idToken, passwordToken, type TokenHandler } from "../src/index.js";
import { toKeyStore } from "../src/stores/lucia.js";
import { tokenError } from "./support/errors.js";
import { openSqlite, type Sqlite, STORES } from "./support/sqlite.js";

const MINUTE = 60;
const NAMES = ["link", "code"];

let sqlite: Sqlite;
let user: string;
beforeEach(async () => {
	sqlite = openSqlite();
	user = await sqlite.createUser("user");
});
afterEach(() => {
	vi.useRealTimers();
	sqlite.db.close();
});

describe.each(STORES)("validate() with revoke on %s", (store, source) => {
	const open = (options: object = {}) => ({
		links: idToken(source(sqlite), "link", { expiresIn: MINUTE }),
		codes: passwordToken(source(sqlite), "code", { expiresIn: MINUTE, ...options }),
	});

	/** A call of `validate()` for each of a user's tokens. */
	const useAll = async ({ links, codes }: ReturnType<typeof open>, revoke: string[]) => [
		...(await links.getAllUserTokens(user)).map((token) => links.validate(token, { revoke })),
		...(await codes.getAllUserTokens(user)).map((token) => codes.validate(token, user, { revoke })),
	];

	const issueAll = async ({ links, codes }: ReturnType<typeof open>) => {
		for (let issued = 0; issued < 3; issued++) {
			await links.issue(user);
			await codes.issue(user);
		}
	};

	test("uses one of a user's tokens and revokes the others, of both kinds", async () => {
		const other = await sqlite.createUser("other");
		const handlers = open();
		const kept = await idToken(source(sqlite), "kept", { expiresIn: MINUTE }).issue(user);
		const theirs = await handlers.links.issue(other);
		await issueAll(handlers);
		const token = await handlers.links.issue(user);
		await expect(handlers.links.validate(token, { revoke: NAMES })).resolves.toHaveProperty(
			"userId",
			user,
		);
		expect(sqlite.tokens().map(({ id }) => id)).toEqual([`kept:${kept}`, `link:${theirs}`]);
	});

	test.each([{ maxAttempts: 5 }, { maxAttempts: Infinity }])(
		"gives one of all concurrent calls its token: %o",
		async (options) => {
			const handlers = open(options);
			await issueAll(handlers);
			const results = await Promise.allSettled(await useAll(handlers, NAMES));
			expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
			for (const result of results) {
				if (result.status === "rejected") {
					expect(result.reason).toEqual(tokenError("INVALID_TOKEN"));
				}
			}
			expect(sqlite.tokens()).toEqual([]);
		},
	);

	test("keeps the others of its own name unless that is listed", async () => {
		const handlers = open();
		await issueAll(handlers);
		const [token] = await handlers.links.getAllUserTokens(user);
		await handlers.links.validate(`${token}`, { revoke: ["code"] });
		expect(await handlers.links.getAllUserTokens(user)).toHaveLength(2);
		expect(await handlers.codes.getAllUserTokens(user)).toHaveLength(0);
		await handlers.links.validate(await handlers.links.issue(user), { revoke: [] });
		expect(await handlers.links.getAllUserTokens(user)).toHaveLength(2);
	});

	test("revokes nothing with a wrong, used, or expired token", async () => {
		vi.useFakeTimers({ toFake: ["Date"] });
		const handlers = open();
		const { links, codes } = handlers;
		const [used, expired] = [await links.issue(user), await links.issue(user, { expiresIn: 1 })];
		await links.validate(used);
		await issueAll(handlers);
		vi.advanceTimersByTime(2000);
		const revoke = NAMES;
		for (const [call, message] of [
			[links.validate("wrong", { revoke }), "INVALID_TOKEN"],
			[codes.validate("wrong", user, { revoke }), "INVALID_TOKEN"],
			[codes.validate("wrong", "nobody", { revoke }), "INVALID_TOKEN"],
			[links.validate(used, { revoke }), "INVALID_TOKEN"],
			[links.validate(expired, { revoke }), "EXPIRED_TOKEN"],
		] as const) {
			await expect(call).rejects.toEqual(tokenError(message));
		}
		expect(sqlite.tokens()).toHaveLength(6);
	});

	test("goes on where another call used one of the others without revoke", async () => {
		const { links } = open();
		await links.issue(user);
		for (let round = 0; round < 5; round++) {
			const [one, two] = [await links.issue(user), await links.issue(user)];
			const results = await Promise.all([
				links.validate(one),
				links.validate(two, { revoke: ["link"] }).catch(() => null),
			]);
			// The first call was in time, or the second one revoked its token.
			expect(results[0].userId).toBe(user);
			expect(results[1]?.userId).toBe(user);
		}
	});

	test("lets a later call revoke what a failed delete has left", async () => {
		const { links } = open();
		const rows = async (): Promise<void> => {
			await links.issue(user);
			await links.issue(user);
		};
		await rows();
		const left = sqlite.tokens();
		const [token] = await links.getAllUserTokens(user);
		await links.validate(`${token}`, { revoke: ["link"] });
		if (store === "the default store") for (const row of left) sqlite.insertKey(row);
		await rows();
		const [next] = await links.getAllUserTokens(user);
		await expect(links.validate(`${next}`, { revoke: ["link"] })).resolves.toHaveProperty(
			"userId",
			user,
		);
		expect(await links.getAllUserTokens(user)).toEqual([]);
	});

	test.each([
		[TypeError, "link", "revoke must be an array of names"],
		[TypeError, null, "revoke must be an array of names"],
		[TypeError, new Set(NAMES), "revoke must be an array of names"],
		[TypeError, [1], "name must be a string"],
		[RangeError, [""], "name must be a string"],
		[RangeError, ["a:b"], "name must be a string"],
		[RangeError, Array.from({ length: 51 }, (_, at) => `n${at}`), "revoke has more than 50 names"],
	])("throws a %o for %o, and uses nothing", async (type, revoke, message) => {
		const { links, codes } = open();
		const [link, code] = [await links.issue(user), await codes.issue(user)];
		for (const call of [
			links.validate(link, { revoke: revoke as never }),
			codes.validate(code, user, { revoke: revoke as never }),
		]) {
			const error: unknown = await call.catch((error: unknown) => error);
			expect(error).toBeInstanceOf(type);
			expect((error as Error).message).toContain(message);
		}
		expect(sqlite.tokens()).toHaveLength(2);
	});
});

test("revoke is an option of validate() alone", async () => {
	const links: TokenHandler<[]> = idToken(sqlite.auth, "link", { expiresIn: MINUTE });
	const token = await links.issue(user);
	const options = { revoke: NAMES } as never;
	for (const call of [
		links.getToken(token, options),
		links.invalidate(token, options),
		links.issue(user, options),
	]) {
		await expect(call).rejects.toThrow("revoke is not an option");
	}
});

test("a store of one's own that cannot revoke in the same step uses nothing", async () => {
	const store = { ...toKeyStore(sqlite.auth) };
	delete store.consumeAndRevoke;
	const codes = passwordToken(store, "code", { expiresIn: MINUTE });
	const code = await codes.issue(user);
	await expect(codes.validate(code, user, { revoke: NAMES })).rejects.toEqual(
		new TypeError("This store cannot revoke other tokens in the same step"),
	);
	await expect(codes.validate(code, user)).resolves.toHaveProperty("userId", user);
});
