import { describe, expect, onTestFinished, test, vi } from "vitest";
import { idToken, type KeyStore, passwordToken, Token } from "../src/index.js";
import { betterSqlite3 } from "../src/stores/better-sqlite3.js";
import { toKeyStore } from "../src/stores/lucia.js";
import { tokenError } from "./support/errors.js";
import { failing } from "./support/faults.js";
import { TOKEN_KINDS } from "./support/handlers.js";
import { NOW, openForEach, openStopped, sqlite, STORES } from "./support/sqlite.js";
import { NOT_STRINGS, NOT_TOKENS } from "./support/values.js";

const MINUTE = 60;
const HOUR = 60 * 60 * 1000;

const userId = "user";
openForEach();

const ids = () => sqlite.keys().map(({ id }) => id);

describe.each(TOKEN_KINDS)("issue() of $kind", ({ make, keyId, defaultToken }) => {
	const open = (options: object = {}) =>
		make(sqlite.auth, "name", { expiresIn: MINUTE, ...options });

	test("stores a single-use key that lasts for expiresIn, and returns it as Lucia does", async () => {
		const token = await open().issue(userId);
		expect(sqlite.calls).toEqual(["getUser", "setKey"]);
		const id = keyId("name", userId, `${token}`);
		expect(`${token}`).toMatch(defaultToken);
		expect(sqlite.keys()).toEqual([
			{
				id,
				user_id: userId,
				primary_key: false,
				hashed_password: null,
				expires: NOW + 60_000,
			},
		]);
		expect(token).toBeInstanceOf(Token);
		expect([token.userId, token.expired]).toEqual([userId, false]);
		expect(token.key).toEqual(await sqlite.auth.getKey("name", id.slice("name:".length)));
	});

	test("takes an expiresIn of its own, and rounds it down to milliseconds", async () => {
		const limits = { minInterval: 0.001, maxTokensPerUser: 3 };
		for (const [expiresIn, lasts] of [
			[0, 0],
			[0.0015, 1],
			[7 * 24 * 3600, 604_800_000],
			[1e11, 1e14],
			[undefined, 60_000],
		] as const) {
			for (const options of [{}, limits]) {
				sqlite.db.exec("DELETE FROM auth_key");
				const token = await open(options).issue(userId, { expiresIn });
				expect(token.expiresAt).toEqual(new Date(NOW + lasts));
			}
		}
		const handler = make(sqlite.auth, "name", {});
		expect(await handler.issue(userId, { expiresIn: 60 })).toBeInstanceOf(Token);
	});

	test.each([
		[TypeError, "60"],
		[TypeError, null],
		[RangeError, -1],
		[RangeError, Number.NaN],
		[RangeError, 1e11 + 1],
	])("throws a %o for the expiresIn %o, and stores nothing", async (type, expiresIn) => {
		await expect(open().issue(userId, { expiresIn: expiresIn as never })).rejects.toEqual(
			new type("expiresIn must be a number of seconds from 0 to 100000000000"),
		);
		expect(sqlite.keys()).toEqual([]);
	});

	test("calls a custom generator with the configured length", async () => {
		const generate = vi.fn((length?: number) => "x".repeat(length ?? 0));
		expect(`${await open({ length: 12, generate }).issue(userId)}`).toBe("x".repeat(12));
		expect(generate).toHaveBeenCalledExactlyOnceWith(12);
	});

	test.each([...NOT_STRINGS, ...NOT_TOKENS])(
		"rejects %s from a generator, without repeating it in the error",
		async (_, value) => {
			const type = typeof value === "string" ? RangeError : TypeError;
			const room = 255 - keyId("name", userId, "").length;
			await expect(open({ generate: () => value }).issue(userId)).rejects.toEqual(
				new type(
					`the return value of generate must be a string of 1 to ${room} visible ASCII characters`,
				),
			);
			expect(ids()).toEqual([]);
		},
	);

	test("rethrows an error of the generator", async () => {
		const generate = () => {
			throw new Error("no entropy");
		};
		await expect(open({ generate }).issue(userId)).rejects.toEqual(new Error("no entropy"));
	});
});

describe.each(STORES)("an id that is taken, on %s", (_, source) => {
	describe.each(TOKEN_KINDS)("of $kind", ({ make, keyId }) => {
		const open = () => make(source(sqlite), "name", { expiresIn: MINUTE, generate: () => "same" });
		const insert = (owner: string, expires: number | null) =>
			sqlite.insertKey({ id: keyId("name", userId, "same"), user_id: owner, expires });

		test.each([
			["a valid token", 60_000],
			["a token in its last millisecond", 0],
			["a login key", null],
		])(
			"by %s is DUPLICATE_TOKEN with a generate of the app's, and stays as it is",
			async (_, lasts) => {
				insert(userId, lasts === null ? null : NOW + lasts);
				const before = sqlite.keys();
				await expect(open().issue(userId)).rejects.toEqual(tokenError("DUPLICATE_TOKEN"));
				expect(sqlite.keys()).toEqual(before);
			},
		);

		test.each(["user", "other"])(
			"by an expired token of %s is used for the new one",
			async (owner) => {
				if (owner !== userId) await sqlite.createUser(owner);
				insert(owner, NOW - 1);
				const handler = open();
				await handler.issue(userId);
				expect(sqlite.keys()).toEqual([
					expect.objectContaining({ user_id: userId, expires: NOW + 60_000 }),
				]);
				await expect(handler.validate("same", userId)).resolves.toHaveProperty("userId", userId);
			},
		);

		test("is drawn again by the built-in generator, four times at most", async () => {
			const fill = vi.spyOn(crypto, "getRandomValues");
			onTestFinished(() => fill.mockRestore());
			const draw = (...bytes: number[]) => {
				fill.mockClear();
				for (const byte of bytes) {
					fill.mockImplementationOnce((array) => (array as unknown as Uint8Array).fill(byte));
				}
				return handler.issue(userId);
			};
			const handler = make(source(sqlite), "name", { expiresIn: MINUTE });
			const first = await draw(0);
			const second = await draw(0, 0, 0, 0, 1);
			expect(fill).toHaveBeenCalledTimes(5);
			await expect(draw(0, 1, 0, 1, 0, 2)).rejects.toEqual(tokenError("DUPLICATE_TOKEN"));
			expect(fill).toHaveBeenCalledTimes(5);
			await handler.validate(first, userId);
			await handler.validate(second, userId);
		});

		test("does not hide another error of the insert, which is not repeated", async () => {
			const store = toKeyStore(source(sqlite));
			const insert = vi.fn<KeyStore["insert"]>(async () => {
				throw new Error("disk full");
			});
			const handler = make({ ...store, insert }, "name", { expiresIn: MINUTE });
			await expect(handler.issue(userId)).rejects.toThrow("disk full");
			expect(insert).toHaveBeenCalledOnce();
		});
	});
});

test.each([
	["a clock that stands still", [0, 0, 0], [0, 1, 2]],
	["a clock that runs", [0, 1, 5], [0, 1, 5]],
	["a clock that is set back a little", [0, -1, -998], [0, 1, 2]],
	["a clock that is set back a second or more", [0, -1000, -1000], [0, -1000, -999]],
])(
	"tokens of a generate of the app's never expire together, under %s",
	async (_, times, expiries) => {
		let number = 0;
		const generate = () => `token${number++}`;
		const handler = idToken(sqlite.auth, "name", { expiresIn: MINUTE, generate });
		const seen: number[] = [];
		for (const time of times) {
			vi.setSystemTime(NOW + time);
			seen.push((await handler.issue(userId)).expiresAt.getTime() - NOW - 60_000);
		}
		expect(seen).toEqual(expiries);
	},
);

describe.each(TOKEN_KINDS)("withdraw() of $kind", ({ make, keyId }) => {
	const open = (options: object = { minInterval: 60 }) =>
		make(sqlite.auth, "name", { expiresIn: MINUTE, ...options });
	const REFUSED = new TypeError("token must be what issue() of this handler returned");

	test("deletes the token and ends the interval that it began, and never a later one", async () => {
		const handler = open();
		const token = await handler.issue(userId);
		await expect(handler.issue(userId)).rejects.toEqual(tokenError("ISSUED_RECENTLY"));
		await handler.withdraw(token);
		await expect(handler.validate(token, userId)).rejects.toEqual(tokenError("INVALID_TOKEN"));
		const next = await handler.issue(userId);
		await handler.withdraw(token);
		await expect(handler.issue(userId)).rejects.toEqual(tokenError("ISSUED_RECENTLY"));
		await expect(handler.validate(next, userId)).resolves.toHaveProperty("userId", userId);
	});

	test("ends no interval that another handler began, whose tokens it deletes", async () => {
		const token = await open().issue(userId);
		await open().withdraw(token);
		expect(ids()).not.toContain(keyId("name", userId, `${token}`));
		await expect(open().issue(userId)).rejects.toEqual(tokenError("ISSUED_RECENTLY"));
	});

	test("deletes no token of another user or name, and needs no minInterval", async () => {
		await sqlite.createUser("other");
		const handler = open({});
		const token = await handler.issue(userId);
		const stolen = new Token("x", { ...token.key, userId: "other" });
		await handler.withdraw(stolen).catch(() => {});
		const named = make(sqlite.auth, "other", { expiresIn: MINUTE });
		await expect(named.withdraw(token)).rejects.toEqual(REFUSED);
		expect(ids()).toEqual([keyId("name", userId, `${token}`)]);
		await handler.withdraw(token);
		expect(ids()).toEqual([]);
	});

	test.each([...NOT_STRINGS, ["its value", "token"] as const])(
		"refuses %s without a query",
		async (_, value) => {
			await expect(open().withdraw(value as Token)).rejects.toEqual(REFUSED);
			expect(sqlite.calls).toEqual([]);
		},
	);
});

describe("one call to issue() in eight", () => {
	const rows = [
		["name:expired", 0, false],
		["name:valid", HOUR, true],
		[":name:spent", -HOUR - 1, false],
		[":name:held", -HOUR + 1000, true],
		["other:expired", 0, true],
	] as const;

	const left = async (source: () => Parameters<typeof idToken>[0], options = {}, offset = 0) => {
		sqlite.db.exec("DELETE FROM auth_key");
		for (const [id, expires] of rows)
			sqlite.insertKey({ id, user_id: userId, expires: NOW + expires - 1 });
		vi.setSystemTime(NOW + offset);
		await idToken(source(), "name", { expiresIn: MINUTE, ...options }).issue(userId);
		return rows.map(([id]) => ids().includes(id));
	};
	const default_ = () => sqlite.auth;
	const native = () => betterSqlite3(sqlite.db);
	const swept = rows.map(([, , isKept]) => isKept);
	const kept = rows.map(() => true);

	test("deletes the user's expired rows: where the expiry is a multiple of 8", async () => {
		const results = [];
		for (let offset = 0; offset < 8; offset++) results.push(await left(default_, {}, offset));
		expect(results).toEqual([...Array<boolean[]>(7).fill(kept), swept]);
	});

	test("does so on a native store only for a handler with limits, since the app can sweep for all users", async () => {
		expect(await left(native, {}, 7)).toEqual(kept);
		expect(await left(native, { minInterval: 0.001 }, 7)).toEqual(swept);
		expect(await left(native, { maxTokensPerUser: 9 }, 7)).toEqual(swept);
		const one = native();
		delete one.deleteExpired;
		expect(await left(() => one, {}, 7)).toEqual(swept);
		for (const maxAttempts of [5, Infinity]) {
			sqlite.db.exec("DELETE FROM auth_key");
			sqlite.insertKey({ id: "code:user.old", user_id: userId, expires: 0 });
			await passwordToken(native(), "code", { expiresIn: MINUTE, maxAttempts }).issue(userId);
			expect(ids().includes("code:user.old")).toBe(maxAttempts === Infinity);
		}
	});

	test("returns its token even if the sweep fails", async () => {
		const lost = new Error("connection lost");
		const { auth, calls } = await openStopped(failing(lost, "getKeysByUserId"));
		vi.setSystemTime(NOW + 7);
		const handler = idToken(auth, "name", { expiresIn: MINUTE });
		await expect(handler.validate(await handler.issue("user"))).resolves.toBeInstanceOf(Token);
		expect(calls).toContain("getKeysByUserId");
	});
});

// A token every five minutes, which lasts one. Its internal rows stay for an hour after that, and then until a
// call sweeps, which is every eighth. So the rows of 13 and 8 tokens can be left: of each, a spent row or an
// expired token, and with limits four attempts and an interval.
const LIMITS = { minInterval: 60, maxTokensPerUser: 1 };
test.each([
	{ on: STORES[0], limits: "no limits", options: { maxAttempts: Infinity }, rows: 1 },
	{ on: STORES[0], limits: "limits", options: LIMITS, rows: 6 },
	{ on: STORES[1], limits: "limits", options: LIMITS, rows: 6 },
])(
	"an app that never sweeps keeps at most the rows of 21 of 100 codes: $on.0, with $limits",
	async ({ on: [, source], options, rows }) => {
		const code = passwordToken(source(sqlite), "name", { expiresIn: MINUTE, ...options });
		for (let round = 0; round < 100; round++) {
			const token = await code.issue(userId);
			for (let wrong = 0; wrong < 4; wrong++) await code.validate("x", userId).catch(() => {});
			// Every other one is never used, and expires.
			if (round % 2) await code.validate(token, userId);
			expect(ids().length).toBeLessThanOrEqual(21 * rows);
			vi.advanceTimersByTime(5 * MINUTE * 1000 + 1);
		}
	},
);
