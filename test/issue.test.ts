import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { idToken, type KeyStore, passwordToken, Token } from "../src/index.js";
import { betterSqlite3 } from "../src/stores/better-sqlite3.js";
import { toKeyStore } from "../src/stores/lucia.js";
import { tokenError } from "./support/errors.js";
import { intercept } from "./support/faults.js";
import { TOKEN_KINDS } from "./support/handlers.js";
import { openSqlite, type Sqlite, STORES } from "./support/sqlite.js";
import { NOT_STRINGS, NOT_TOKENS, UNSTORABLE_STRINGS } from "./support/values.js";

const MINUTE = 60;
const HOUR = 60 * 60 * 1000;
// Tokens of these tests do not expire at a multiple of 8, so that issue() does not sweep.
const NOW = 1_000_001;

let sqlite: Sqlite;
let userId: string;
beforeEach(async () => {
	vi.useFakeTimers({ now: NOW, toFake: ["Date"] });
	sqlite = openSqlite();
	userId = await sqlite.createUser("user");
	sqlite.calls.length = 0;
});
afterEach(() => {
	vi.useRealTimers();
	sqlite.db.close();
});

/** Returns these values, one after the other, and then the last one again and again. */
const generateOf = (...values: string[]) => {
	const left = [...values];
	return () => (left.length > 1 ? left.shift() : left[0]) as string;
};

const ids = () => sqlite.keys().map(({ id }) => id);

const generated = (prefix: string, room: number) =>
	`the return value of generate must be a string of 1 to ${room - prefix.length} visible ASCII characters`;

describe.each(TOKEN_KINDS)("issue() of $kind", ({ make, keyId, defaultToken }) => {
	const open = (options: object = {}) =>
		make(sqlite.auth, "name", { expiresIn: MINUTE, ...options });

	test("stores a single-use key that lasts for expiresIn", async () => {
		const token = await open().issue(userId);
		expect(token).toBeInstanceOf(Token);
		expect(`${token}`).toMatch(defaultToken);
		expect(sqlite.keys()).toEqual([
			{
				id: keyId("name", userId, `${token}`),
				user_id: userId,
				primary_key: false,
				hashed_password: null,
				expires: NOW + 60_000,
			},
		]);
	});

	test("stores one that lasts for an expiresIn of its own, as a handler of that expiresIn would", async () => {
		const limits = { minInterval: 0.001, maxTokensPerUser: 3 };
		for (const expiresIn of [0, 0.5, 7 * 24 * 3600, 1e11]) {
			const [one, other] = [open(limits), open({ ...limits, expiresIn })];
			const rows: string[][] = [];
			for (const issue of [() => one.issue(userId, { expiresIn }), () => other.issue(userId)]) {
				sqlite.db.exec("DELETE FROM auth_key");
				sqlite.insertKey({ id: keyId("name", userId, "long"), user_id: userId, expires: 1e13 });
				sqlite.insertKey({ id: keyId("name", userId, "short"), user_id: userId, expires: NOW + 9 });
				sqlite.insertKey({ id: keyId("name", userId, "old"), user_id: userId, expires: NOW + 1 });
				const token = await issue();
				expect(token.expiresAt.getTime()).toBeGreaterThanOrEqual(
					NOW + Math.trunc(expiresIn * 1000),
				);
				const row = ({ id, expires }: { id: string; expires: number | null }) =>
					`${id.replace(`${token}`, "new")} ${expires}`;
				rows.push(sqlite.keys().map(row).sort());
			}
			expect(rows[0]).toEqual(rows[1]);
		}
		expect(await make(sqlite.auth, "name", {}).issue(userId, { expiresIn: 60 })).toBeInstanceOf(
			Token,
		);
		expect(await open().issue(userId, { expiresIn: undefined })).toHaveProperty(
			"expiresAt",
			new Date(NOW + 60_000),
		);
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

	test("asks the adapter for the user, and then for the key to be stored", async () => {
		await open().issue(userId);
		expect(sqlite.calls).toEqual(["getUser", "setKey"]);
	});

	test("returns an unexpired token with the key that Lucia returns", async () => {
		vi.setSystemTime(Date.now());
		const token = await open().issue(userId);
		expect(token.userId).toBe(userId);
		expect(token.expired).toBe(false);
		const id = keyId("name", userId, `${token}`);
		expect(token.key).toEqual(await sqlite.auth.getKey("name", id.slice("name:".length)));
	});

	test("stores nothing for an unknown user", async () => {
		await expect(open().issue("nobody")).rejects.toEqual(tokenError("INVALID_USER_ID"));
		expect(ids()).toEqual([]);
	});

	test.each([...NOT_STRINGS, ...UNSTORABLE_STRINGS])(
		"rejects %s as a user id, without a query",
		async (_, value) => {
			await expect(open().issue(value as string)).rejects.toEqual(tokenError("INVALID_USER_ID"));
			expect(sqlite.calls).toEqual([]);
		},
	);

	test("calls a custom generator with the configured length", async () => {
		const generate = vi.fn((length?: number) => "x".repeat(length ?? 0));
		expect(`${await open({ length: 12, generate }).issue(userId)}`).toBe("x".repeat(12));
		expect(generate).toHaveBeenCalledExactlyOnceWith(12);
	});

	test.each(NOT_STRINGS)("rejects %s from a generator", async (_, value) => {
		await expect(open({ generate: () => value }).issue(userId)).rejects.toEqual(
			new TypeError(generated(keyId("name", userId, ""), 255)),
		);
		expect(ids()).toEqual([]);
	});

	test.each(NOT_TOKENS)(
		"rejects %s from a generator, without repeating it in the error",
		async (_, value) => {
			await expect(open({ generate: () => value }).issue(userId)).rejects.toEqual(
				new RangeError(generated(keyId("name", userId, ""), 255)),
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
	describe.each(TOKEN_KINDS)("of $kind", ({ kind, make, keyId }) => {
		const open = (...values: string[]) =>
			make(source(sqlite), "name", { expiresIn: MINUTE, generate: generateOf(...values) });
		const insert = (owner: string, expires: number | null) =>
			sqlite.insertKey({ id: keyId("name", userId, "same"), user_id: owner, expires });

		test("by a valid token is DUPLICATE_TOKEN with a generate of the app's, and keeps that token", async () => {
			const handler = open("same");
			await handler.issue(userId);
			const error: unknown = await handler.issue(userId).catch((reason: unknown) => reason);
			expect(error).toEqual(tokenError("DUPLICATE_TOKEN"));
			expect(JSON.stringify(error)).not.toContain("same");
			await expect(handler.validate("same", userId)).resolves.toHaveProperty("userId", userId);
		});

		test("by a login key is DUPLICATE_TOKEN, and keeps that key", async () => {
			insert(userId, null);
			const before = sqlite.keys();
			await expect(open("same").issue(userId)).rejects.toEqual(tokenError("DUPLICATE_TOKEN"));
			expect(sqlite.keys()).toEqual(before);
		});

		test.each(["user", "other"])(
			"by an expired token of %s is used for the new one",
			async (owner) => {
				if (owner !== userId) await sqlite.createUser(owner);
				insert(owner, NOW - 1);
				const handler = open("same");
				await handler.issue(userId);
				expect(sqlite.keys()).toEqual([
					expect.objectContaining({ user_id: userId, expires: NOW + 60_000 }),
				]);
				await expect(handler.validate("same", userId)).resolves.toHaveProperty("userId", userId);
			},
		);

		test("by a token in its last millisecond is taken", async () => {
			insert(userId, NOW);
			await expect(open("same").issue(userId)).rejects.toEqual(tokenError("DUPLICATE_TOKEN"));
		});

		test("is drawn again by the built-in generator, four times at most", async () => {
			const fill = vi.spyOn(crypto, "getRandomValues");
			const draws = (...bytes: number[]) => {
				fill.mockClear();
				for (const byte of bytes) {
					fill.mockImplementationOnce((array) => {
						(array as unknown as Uint8Array).fill(byte);
						return array;
					});
				}
			};
			try {
				const handler = make(source(sqlite), "name", { expiresIn: MINUTE });
				draws(0);
				const first = await handler.issue(userId);
				draws(0, 0, 0, 0, 1);
				const second = await handler.issue(userId);
				expect(fill).toHaveBeenCalledTimes(5);
				expect(`${second}`).not.toBe(`${first}`);
				draws(0, 1, 0, 1, 0, 2);
				await expect(handler.issue(userId)).rejects.toEqual(tokenError("DUPLICATE_TOKEN"));
				expect(fill).toHaveBeenCalledTimes(5);
				await handler.validate(first, userId);
				await handler.validate(second, userId);
			} finally {
				fill.mockRestore();
			}
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

		test(`leaves room for the same value at the same moment: a used ${kind} does not block it`, async () => {
			const handler = open("same");
			for (let round = 0; round < 5; round++) {
				const token = await handler.issue(userId);
				expect(token.expiresAt.getTime()).toBe(NOW + 60_000 + round);
				await expect(handler.validate(token, userId)).resolves.toHaveProperty("userId", userId);
			}
		});
	});
});

describe("the expiry of tokens that a generate of the app's makes", () => {
	const open = () => {
		let number = 0;
		return idToken(sqlite.auth, "name", { expiresIn: MINUTE, generate: () => `token${number++}` });
	};

	test.each([
		["a clock that stands still", [0, 0, 0], [0, 1, 2]],
		["a clock that runs", [0, 1, 5], [0, 1, 5]],
		["a clock that is set back a little", [0, -1, -998], [0, 1, 2]],
		["a clock that is set back a second or more", [0, -1000, -1000], [0, -1000, -999]],
	])("differs by a millisecond or more under %s", async (_, times, expiries) => {
		const handler = open();
		const seen: number[] = [];
		for (const time of times) {
			vi.setSystemTime(NOW + time);
			seen.push((await handler.issue(userId)).expiresAt.getTime() - NOW - 60_000);
		}
		expect(seen).toEqual(expiries);
	});
});

describe.each(TOKEN_KINDS)("withdraw() of $kind", ({ make, keyId }) => {
	const open = (options: object = { minInterval: 60 }) =>
		make(sqlite.auth, "name", { expiresIn: MINUTE, ...options });

	test("deletes the token and ends the interval that it began", async () => {
		const handler = open();
		const token = await handler.issue(userId);
		await expect(handler.issue(userId)).rejects.toEqual(tokenError("ISSUED_RECENTLY"));
		await handler.withdraw(token);
		await expect(handler.validate(token, userId)).rejects.toEqual(tokenError("INVALID_TOKEN"));
		const next = await handler.issue(userId);
		await expect(handler.issue(userId)).rejects.toEqual(tokenError("ISSUED_RECENTLY"));
		await expect(handler.validate(next, userId)).resolves.toHaveProperty("userId", userId);
	});

	test("does the same when it is called again, and never ends a later interval", async () => {
		const handler = open();
		const token = await handler.issue(userId);
		await handler.withdraw(token);
		const next = await handler.issue(userId);
		await handler.withdraw(token);
		await expect(handler.issue(userId)).rejects.toEqual(tokenError("ISSUED_RECENTLY"));
		await expect(handler.getToken(next, userId)).resolves.toHaveProperty("userId", userId);
	});

	test("ends no interval that another handler began, whose tokens it deletes", async () => {
		const token = await open().issue(userId);
		await open().withdraw(token);
		expect(ids()).not.toContain(keyId("name", userId, `${token}`));
		await expect(open().issue(userId)).rejects.toEqual(tokenError("ISSUED_RECENTLY"));
	});

	test("deletes the token of a handler without minInterval", async () => {
		const handler = open({});
		await handler.withdraw(await handler.issue(userId));
		expect(ids()).toEqual([]);
	});

	test("deletes no token of another user or name", async () => {
		await sqlite.createUser("other");
		const handler = open({});
		const token = await handler.issue(userId);
		const stolen = new Token("x", { ...token.key, userId: "other" });
		await handler.withdraw(stolen).catch(() => {});
		const error = new TypeError("token must be what issue() of this handler returned");
		const named = make(sqlite.auth, "other", { expiresIn: MINUTE });
		await expect(named.withdraw(token)).rejects.toEqual(error);
		expect(ids()).toEqual([keyId("name", userId, `${token}`)]);
	});

	test.each([...NOT_STRINGS, ["its value", "token"] as const])(
		"refuses %s without a query",
		async (_, value) => {
			await expect(open().withdraw(value as Token)).rejects.toEqual(
				new TypeError("token must be what issue() of this handler returned"),
			);
			expect(sqlite.calls).toEqual([]);
		},
	);
});

describe("one call of issue() in eight", () => {
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
		sqlite.db.close();
		sqlite = openSqlite((adapter) =>
			intercept(adapter, async (name, run) => {
				if (name === "getKeysByUserId") throw new Error("connection lost");
				return run();
			}),
		);
		await sqlite.createUser("user");
		vi.setSystemTime(NOW + 7);
		const handler = idToken(sqlite.auth, "name", { expiresIn: MINUTE });
		await expect(handler.validate(await handler.issue("user"))).resolves.toBeInstanceOf(Token);
		expect(sqlite.calls).toContain("getKeysByUserId");
	});
});

describe("an app that never calls a sweep", () => {
	// A token every five minutes, which lasts one. Its internal rows stay for an hour after that, and then
	// until a call sweeps, which is every eighth. So the rows of 13 and 8 tokens can be left.
	const STEP = 5 * 60 * 1000 + 1;
	const TOKENS_LEFT = 21;
	const ROUNDS = 500;
	const HASHED = { storeToken: "hashed" } as const;
	const SECRET = "s".repeat(32);

	interface Use {
		readonly what: string;
		readonly options?: object;
		/** How many rows one token leaves: a spent row or an expired token, four attempts, an interval. */
		readonly rows: number;
	}
	const LINKS: readonly Use[] = [
		{ what: "no options", rows: 1 },
		{ what: "minInterval", options: { minInterval: 60 }, rows: 2 },
		{ what: "maxTokensPerUser", options: { maxTokensPerUser: 3 }, rows: 1 },
		{ what: "storeToken", options: HASHED, rows: 1 },
	];
	const CODES: readonly Use[] = [
		{ what: "maxAttempts", rows: 5 },
		{ what: "all limits", options: { minInterval: 60, maxTokensPerUser: 1 }, rows: 6 },
		{ what: "a secret", options: { ...HASHED, secret: SECRET }, rows: 5 },
		{ what: "unlimited attempts", options: { maxAttempts: Infinity }, rows: 1 },
	];
	const play = async (use: (round: number) => Promise<unknown>): Promise<number> => {
		let most = 0;
		for (let round = 0; round < ROUNDS; round++) {
			await use(round);
			most = Math.max(most, ids().length);
			vi.advanceTimersByTime(STEP);
		}
		return most;
	};

	// A native store sweeps for a handler with limits.
	const cases = STORES.flatMap(([store, source]) =>
		[
			...LINKS.map((use) => ({ ...use, kind: "links" })),
			...CODES.map((use) => ({ ...use, kind: "codes" })),
		]
			.filter(
				({ what }) =>
					store === "the default store" || /Interval|PerUser|limits|Attempts|secret/.test(what),
			)
			.map((use) => ({ ...use, store, source })),
	);

	test.each(cases)(
		"keeps at most the rows of 21 of 500 $kind, with $what, on $store",
		async (use) => {
			const { kind, options, source } = use;
			const link = idToken(source(sqlite), "name", {
				expiresIn: MINUTE,
				...(kind === "links" && options),
			});
			const code = passwordToken(source(sqlite), "name", {
				expiresIn: MINUTE,
				...(kind === "codes" && options),
			});
			const most = await play(async (round) => {
				if (kind === "links") {
					const token = await link.issue(userId);
					// Every other one is never used, and expires.
					if (round % 2) await link.validate(token);
					return;
				}
				const token = await code.issue(userId);
				for (let wrong = 0; wrong < 4; wrong++) await code.validate("x", userId).catch(() => {});
				if (round % 2) await code.validate(token, userId);
			});
			expect(most).toBeLessThanOrEqual(TOKENS_LEFT * use.rows);
		},
	);
});
