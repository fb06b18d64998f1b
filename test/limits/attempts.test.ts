import * as published from "published";
import type { Adapter } from "lucia-auth";
import { describe, expect, test, vi } from "vitest";
import {
	idToken,
	type KeyStore,
	type PasswordTokenOptions,
	passwordToken,
	type Token,
} from "../../src/index.js";
import { betterSqlite3 } from "../../src/stores/better-sqlite3.js";
import { tokenError } from "../support/errors.js";
import { withoutUser } from "../support/handlers.js";
import { NOW, openStopped } from "../support/sqlite.js";

// What holds for every order of calls is in test/interleavings, what a store does in src/testing, and what a
// failure of the database costs in test/stores/failures.test.ts.

// How far clocks may differ.
const SKEW = 3 * 60 * 1000;
const INVALID = tokenError("INVALID_TOKEN");
const EXPIRED = tokenError("EXPIRED_TOKEN");
const LOST = "connection lost";

const open = async (wrap?: (adapter: Adapter) => Adapter) => {
	const sqlite = await openStopped(wrap);
	const codes = (options: PasswordTokenOptions = {}) =>
		passwordToken(sqlite.auth, "code", { expiresIn: 60, ...options });
	/** The ids of the attempts that are taken, of all codes and users. */
	const attempts = () =>
		sqlite
			.keys()
			.map(({ id }) => id)
			.filter((id) => /^:.* \d+ \d+$/.test(id));
	return { sqlite, codes, attempts };
};
type Codes = ReturnType<Awaited<ReturnType<typeof open>>["codes"]>;

const guess = async (times: number, codes: Codes) => {
	for (let count = 0; count < times; count++) {
		await expect(codes.validate("wrong", "user")).rejects.toEqual(INVALID);
	}
};
const expectGood = (codes: Codes, token: string | Token, userId = "user") =>
	expect(codes.validate(token, userId)).resolves.toHaveProperty("userId", userId);
const expectInvalid = async (codes: Codes, token: string | Token) => {
	await expect(codes.getToken(token, "user")).rejects.toEqual(INVALID);
	await expect(codes.validate(token, "user")).rejects.toEqual(INVALID);
};
const listed = async (codes: Codes) => (await codes.getAllUserTokens("user")).map(String);

describe("attempts at a code", () => {
	test("are five, and invalidate every outstanding code when they run out, for good, and no newer one", async () => {
		const { codes, attempts } = await open();
		const [first, second] = [await codes().issue("user"), await codes().issue("user")];
		await guess(5, codes());
		const third = await codes().issue("user");
		expect(await listed(codes())).toEqual([`${third}`]);
		for (const token of [first, second]) await expectInvalid(codes(), token);
		// Each of these was a wrong code to the third.
		expect(attempts()).toHaveLength(5 + 5 + 4);
		await expectGood(codes(), third);
		vi.setSystemTime(NOW + 60_001);
		await expectInvalid(codes(), first);
	});

	test("do not count wrong codes without an outstanding code", async () => {
		const { codes, attempts } = await open();
		await guess(9, codes());
		await codes().issue("user");
		await guess(4, codes());
		vi.setSystemTime(NOW + 60_001 + SKEW);
		await guess(9, codes());
		expect(attempts()).toHaveLength(4);
	});

	test("count at a code that has expired, as long as a clock that is behind may take it for good", async () => {
		const { codes } = await open();
		const token = await codes().issue("user");
		vi.setSystemTime(NOW + 60_000 + SKEW);
		await guess(5, codes());
		vi.setSystemTime(NOW);
		await expectInvalid(codes(), token);
	});

	test("of a hashed code are no hit for the guess that its id begins with", async () => {
		const { codes } = await open();
		await codes({ storeToken: "hashed", secret: "s".repeat(32) }).issue("user");
		for (const guess of ["hmac-sha256", "hmac-sha256 "]) await expectInvalid(codes(), guess);
	});

	test("do not hide EXPIRED_TOKEN while one is left, and an expired code costs no other code an attempt", async () => {
		const { codes } = await open();
		const [first, second] = [await codes().issue("user"), await codes().issue("user")];
		await guess(4, codes());
		vi.setSystemTime(NOW + 60_001);
		const fresh = await codes().issue("user");
		await expect(codes().getToken(first, "user")).rejects.toEqual(EXPIRED);
		expect(await listed(codes())).toHaveLength(3);
		for (const token of [first, second]) {
			await expect(codes().validate(token, "user")).rejects.toEqual(EXPIRED);
		}
		expect(await listed(codes())).toEqual([`${fresh}`]);
		await guess(4, codes());
		await expectGood(codes(), fresh);
	});

	test("count a used code that is sent again as a wrong one", async () => {
		const { codes } = await open();
		const used = await codes().issue("user");
		await expectGood(codes(), used);
		const next = await codes().issue("user");
		for (let count = 0; count < 5; count++) {
			await expect(codes().validate(used, "user")).rejects.toEqual(INVALID);
		}
		await expectInvalid(codes(), next);
	});

	test("do not count against a code beyond the ten newest, which is good again once a newer one is used", async () => {
		const { codes } = await open();
		const oldest = await codes().issue("user");
		vi.setSystemTime(NOW + 1);
		const newest = await codes().issue("user");
		for (let count = 0; count < 9; count++) await codes().issue("user");
		await guess(3, codes());
		await expect(codes().getToken(oldest, "user")).rejects.toEqual(INVALID);
		await expectGood(codes(), newest);
		await guess(4, codes());
		await expectGood(codes(), oldest);
	});

	test("count for each user and each name", async () => {
		const { sqlite, codes } = await open();
		const others = [await sqlite.createUser("other"), await sqlite.createUser("user. 1")];
		const theirs = await Promise.all(others.map((other) => codes().issue(other)));
		const named = passwordToken(sqlite.auth, "code2", { expiresIn: 60 });
		const token = await named.issue("user");
		await codes().issue("user");
		await guess(6, codes());
		for (const [at, other] of others.entries()) await expectGood(codes(), `${theirs[at]}`, other);
		await expectGood(named, token);
	});

	test("count wrong codes in getToken, and no right ones", async () => {
		const { codes, attempts } = await open();
		const two = codes({ maxAttempts: 2 });
		const token = await two.issue("user");
		for (let wrong = 1; wrong <= 2; wrong++) {
			for (let right = 0; right < 5; right++) await two.getToken(token, "user");
			await expect(codes().getToken("wrong", "user")).rejects.toEqual(INVALID);
			expect(attempts()).toHaveLength(wrong);
		}
		await expectInvalid(two, token);
	});

	test("count for all handlers of one name, whatever their other options and limits", async () => {
		const { codes } = await open();
		const token = await codes({ length: 12 }).issue("user");
		const lower = codes({ expiresIn: 0, length: 4, maxAttempts: 3 });
		await guess(3, lower);
		await expectInvalid(lower, token);
		expect([await listed(lower), await listed(codes())]).toEqual([[], [`${token}`]]);
		await guess(2, codes({ generate: () => "x" }));
		await expectInvalid(codes(), token);
	});

	test("of all but the ten newest outstanding codes are none, however many expired ones there are", async () => {
		const { sqlite, codes, attempts } = await open();
		for (let count = 0; count < 15; count++) {
			sqlite.insertKey({ id: `code:user.old${count}`, user_id: "user", expires: NOW - 1 - SKEW });
		}
		const issued: string[] = [];
		for (let count = 0; count < 12; count++) {
			vi.setSystemTime(NOW + 8 * count);
			issued.push(`${await codes().issue("user")}`);
		}
		expect((await listed(codes())).slice(15)).toEqual(issued.slice(2));
		// An older one is a wrong one, to each of the ten.
		await expect(codes().validate(`${issued[1]}`, "user")).rejects.toEqual(INVALID);
		expect(attempts()).toHaveLength(10);
		await expectGood(codes(), `${issued[2]}`);
		// A handler that counts nothing knows all of them.
		const unlimited = codes({ maxAttempts: Infinity });
		expect(await listed(unlimited)).toHaveLength(15 + 11);
		await expectGood(unlimited, `${issued[0]}`);
	});

	test("are unlimited when maxAttempts is Infinity, and store no key", async () => {
		const { codes, attempts } = await open();
		const unlimited = codes({ maxAttempts: Infinity });
		const token = await unlimited.issue("user");
		await guess(50, unlimited);
		expect(attempts()).toEqual([]);
		await expectGood(unlimited, token);
	});

	test.each([0, -1, 1.5, 1000, Number.NaN])("cannot be %d", async (maxAttempts) => {
		const { codes } = await open();
		expect(() => codes({ maxAttempts })).toThrow(
			new RangeError("maxAttempts must be a whole number from 1 to 999, or Infinity"),
		);
	});
});

describe("on a native store", () => {
	const openNative = async (change: (store: KeyStore) => Partial<KeyStore>) => {
		const { sqlite, attempts } = await open();
		const native = betterSqlite3(sqlite.db);
		const store = { ...native, ...change(native) };
		return { sqlite, attempts, codes: passwordToken(store, "code", { expiresIn: 60 }) };
	};
	const without = { takeAttempts: undefined, consumeAndDelete: undefined };

	test.each([
		["takeAttempts", {}],
		["consumeAndDelete", {}],
		["getAllByUser", { takeAttempts: undefined }],
		["consume", without],
	] as const)(
		"a code whose %s fails six times loses no attempt, without %o",
		async (name, rest) => {
			let failures = 6;
			const { sqlite, codes } = await openNative((store) => ({
				...rest,
				[name]: async (...args: [never, never]) => {
					if (failures-- > 0) throw new Error(LOST);
					return store[name]?.(...args);
				},
			}));
			const token = await codes.issue("user");
			for (let count = 0; count < 6; count++) {
				await expect(codes.validate(token, "user")).rejects.toThrow(LOST);
			}
			await expectGood(codes, token);
			expect(sqlite.keys()).toEqual([]);
		},
	);

	test("an attempt that consumeAndDelete could not give back does not hide the success", async () => {
		const { codes, attempts } = await openNative((store) => ({
			consumeAndDelete: ({ id }) => store.consume(id),
		}));
		await expectGood(codes, await codes.issue("user"));
		expect(attempts()).toHaveLength(1);
	});

	test.each([{ consumeAndDelete: async () => null }, { ...without, consume: async () => null }])(
		"a code that another call gets first is invalid, and its attempt is given back: %o",
		async (change) => {
			const { codes, attempts } = await openNative(() => change as Partial<KeyStore>);
			const token = await codes.issue("user");
			await expect(codes.validate(token, "user")).rejects.toEqual(INVALID);
			expect(attempts()).toEqual([]);
		},
	);
});

test("neither 1.0.2 nor 2.0 treats an internal row as a token", async () => {
	// An attempt stays where it could not be given back.
	const { sqlite } = await open((adapter) => ({
		...adapter,
		deleteNonPrimaryKey: async (id) => {
			if (id.startsWith(":")) throw new Error(LOST);
			return adapter.deleteNonPrimaryKey(id);
		},
	}));
	const options = { expiresIn: 60, minInterval: 60 };
	const hashed = { ...options, storeToken: "hashed" } as const;
	const current: Codes[] = [
		passwordToken(sqlite.auth, "name", options),
		passwordToken(sqlite.auth, "name", { ...hashed, secret: "s".repeat(32) }),
		withoutUser(idToken(sqlite.auth, "name", options)),
		withoutUser(idToken(sqlite.auth, "name", hashed)),
	];
	for (const handler of current) {
		const token = await handler.issue("user");
		await handler.validate("wrong", "user").catch(() => {});
		await handler.validate(token, "user");
		vi.advanceTimersByTime(60_000);
	}
	const ids = sqlite.keys().map(({ id }) => id);
	// Four spent rows, a wrong and a right attempt at each code, and three rows of the first interval of each
	// kind, with one of the next.
	expect(ids).toHaveLength(4 + 4 + 8);
	const former = [published.passwordToken, published.idToken].map(
		(make) => make(sqlite.auth as never, "name", options) as unknown as Codes,
	);
	for (const other of [...former, ...current]) {
		for (const id of ids) {
			for (let start = 0; start < id.length; start++) {
				const use = other.validate(id.slice(start), "user");
				await expect(use).rejects.toThrow(/^(INVALID|EXPIRED)_TOKEN$/);
			}
		}
		expect(await other.getUserTokens("user")).toEqual([]);
	}
	expect(sqlite.keys().map(({ id }) => id)).toEqual(ids);
});
