import type { Adapter } from "lucia-auth";
import { afterEach, describe, expect, test, vi } from "vitest";
import { idToken } from "../../src/index.js";
import { tokenError } from "../support/errors.js";
import { createFault, DatabaseError, intercept } from "../support/faults.js";
import { openSqlite } from "../support/sqlite.js";

afterEach(() => {
	vi.useRealTimers();
});

const open = async (wrap?: (adapter: Adapter) => Adapter) => {
	const sqlite = openSqlite(wrap);
	const userId = await sqlite.createUser("user");
	const handler = idToken(sqlite.auth, "name", { expiresIn: 60 });
	sqlite.calls.length = 0;
	return { sqlite, userId, handler };
};

const outcome = async (promise: Promise<unknown>): Promise<string> => {
	try {
		await promise;
		return "success";
	} catch (error) {
		return (error as Error).message;
	}
};

describe("a lookup", () => {
	test("makes one call for an unknown token", async () => {
		const { sqlite, handler } = await open();
		await expect(handler.validate("unknown")).rejects.toEqual(tokenError("INVALID_TOKEN"));
		await handler.invalidate("unknown");
		expect(sqlite.calls).toEqual(["getKey", "getKey"]);
	});
});

describe("a claim", () => {
	test("is a single-use key with the token's user and expiry, and an ID that no token can have", async () => {
		const seen: unknown[] = [];
		const { sqlite, handler } = await open((adapter) =>
			intercept(adapter, async (name, run) => {
				if (name === "deleteNonPrimaryKey") seen.push(sqlite.keys());
				return run();
			}),
		);
		const token = await handler.issue("user");
		const key = sqlite.keys()[0];
		await handler.validate(token);
		expect(seen[0]).toEqual([{ ...key, id: `:name:${token}` }, key]);
		expect(sqlite.keys()).toEqual([]);
	});

	test("fits the column for a token of any length", async () => {
		const lengths: number[] = [];
		const { sqlite } = await open((adapter) => ({
			...adapter,
			setKey: async (key) => {
				lengths.push(key.id.length);
				await adapter.setKey(key);
			},
		}));
		const handler = idToken(sqlite.auth, "name", { expiresIn: 60, length: 250 });
		await handler.validate(await handler.issue("user"));
		expect(lengths).toEqual([255, 255]);
	});

	test("fails for a user deleted in the meantime, and the token is invalid", async () => {
		const { sqlite, handler } = await open((adapter) =>
			intercept(adapter, async (name, run) => {
				const result = await run();
				if (name === "getKey") {
					await adapter.deleteKeysByUserId("user");
					await adapter.deleteUser("user");
				}
				return result;
			}),
		);
		const token = await handler.issue("user");
		await expect(handler.validate(token)).rejects.toEqual(tokenError("INVALID_TOKEN"));
		expect(sqlite.keys()).toEqual([]);
	});

	test("returns the key as it is stored at the time of the claim", async () => {
		// Between the two looks the token is used, and its value issued again to another user.
		let looks = 0;
		const { sqlite } = await open((adapter) =>
			intercept(adapter, async (name, run) => {
				const result = await run();
				if (name === "getKey" && ++looks === 1) {
					await adapter.deleteNonPrimaryKey("name:same");
					sqlite.insertKey({ id: "name:same", user_id: "other", expires: Date.now() + 60_000 });
				}
				return result;
			}),
		);
		await sqlite.createUser("other");
		const handler = idToken(sqlite.auth, "name", { expiresIn: 60, generate: () => "same" });
		await handler.issue("user");
		await expect(handler.validate("same")).resolves.toHaveProperty("userId", "other");
	});
});

describe("a database fault", () => {
	const OPERATIONS = {
		issue: 1,
		validate: 5,
		getToken: 1,
		invalidate: 2,
		getAllUserTokens: 1,
		invalidateAllUserTokens: 2,
		deleteExpiredUserTokens: 2,
	};
	type Operation = keyof typeof OPERATIONS;

	const run = async (operation: Operation, failing: number, when: "before" | "after") => {
		vi.useFakeTimers({ now: 1_000_000 });
		const fault = createFault();
		const { sqlite, userId, handler } = await open(fault.wrap);
		const token = await handler.issue(userId);
		if (operation.includes("xpired")) vi.setSystemTime(2_000_000);
		const attempt = (): Promise<unknown> => {
			switch (operation) {
				case "issue":
				case "getAllUserTokens":
				case "invalidateAllUserTokens":
				case "deleteExpiredUserTokens":
					return handler[operation](userId);
				default:
					return handler[operation](token);
			}
		};
		fault.calls.length = 0;
		fault.at = failing;
		fault.when = when;
		const first = await outcome(attempt());
		const calls = fault.calls.length;
		fault.at = -1;
		const keys = sqlite.keys().map(({ id }) => (id.startsWith(":") ? "claim" : "token"));
		const retry = await outcome(attempt());
		return { calls, first, keys: keys.join("+"), retry };
	};

	test.each(Object.entries(OPERATIONS))(
		"can happen in %s at %i calls",
		async (operation, calls) => {
			await expect(run(operation as Operation, -1, "before")).resolves.toHaveProperty(
				"calls",
				calls,
			);
		},
	);

	const others = Object.keys(OPERATIONS).filter((operation) => operation !== "validate");
	const cases = others.flatMap((operation) =>
		Array.from({ length: OPERATIONS[operation as Operation] }, (_, call) => call).flatMap((call) =>
			(["before", "after"] as const).map((when) => [operation, call, when] as const),
		),
	);

	test.each(cases)(
		"in %s, call %i, %s it takes effect, reaches the caller, and a retry succeeds",
		async (operation, call, when) => {
			const { first, retry } = await run(operation as Operation, call, when);
			expect(first).toBe("connection lost");
			expect(retry).toBe("success");
		},
	);

	// Everything that a fault can do to a token under validation. A token is lost, or a claim stays,
	// only where the answer of the statement that decides never came or the clean-up itself failed.
	test.each([
		["the first look", 0, "before", "connection lost", "token", "success"],
		["the first look", 0, "after", "connection lost", "token", "success"],
		["the claim", 1, "before", "connection lost", "token", "success"],
		["the claim", 1, "after", "connection lost", "claim+token", "INVALID_TOKEN"],
		["the second look", 2, "before", "connection lost", "token", "success"],
		["the second look", 2, "after", "connection lost", "token", "success"],
		["the delete", 3, "before", "connection lost", "token", "success"],
		["the delete", 3, "after", "connection lost", "", "INVALID_TOKEN"],
		["the release", 4, "before", "success", "claim", "INVALID_TOKEN"],
		["the release", 4, "after", "success", "", "INVALID_TOKEN"],
	] as const)(
		"in validate, at %s (call %i), %s it takes effect: %s",
		async (_, call, when, first, keys, retry) => {
			await expect(run("validate", call, when)).resolves.toMatchObject({ first, keys, retry });
		},
	);

	test("that is not an Error reaches the caller unchanged", async () => {
		const { handler } = await open((adapter) =>
			intercept(adapter, async (name, run) => {
				// eslint-disable-next-line @typescript-eslint/only-throw-error
				if (name === "setKey") throw "a string";
				return run();
			}),
		);
		await expect(handler.issue("user")).rejects.toBe("a string");
	});

	test("reaches the caller as the same error object", async () => {
		const error = new DatabaseError("disk full");
		const { handler } = await open((adapter) =>
			intercept(adapter, async (name, run) => {
				if (name !== "setUser") throw error;
				return run();
			}),
		);
		await expect(handler.issue("user")).rejects.toBe(error);
		await expect(handler.validate("token")).rejects.toBe(error);
		await expect(handler.getToken("token")).rejects.toBe(error);
		await expect(handler.invalidate("token")).rejects.toBe(error);
		await expect(handler.getAllUserTokens("user")).rejects.toBe(error);
		await expect(handler.invalidateAllUserTokens("user")).rejects.toBe(error);
		await expect(handler.deleteExpiredUserTokens("user")).rejects.toBe(error);
	});
});

describe("an error that an adapter does not translate", () => {
	const failing = (error: unknown) => (adapter: Adapter) =>
		intercept(adapter, async (name, run) => {
			if (name === "setKey") throw error;
			return run();
		});

	test.each(["P2002", "23505", "ER_DUP_ENTRY", "SQLITE_CONSTRAINT_UNIQUE"])(
		"is a duplicate with the code %s, and no cause",
		async (code) => {
			const detail = "Key (id)=(name:s3cret) already exists.";
			const raw = Object.assign(new Error("duplicate key"), { code, detail });
			const { handler } = await open(failing(raw));
			const error: unknown = await handler.issue("user").catch((e: unknown) => e);
			expect(error).toEqual(tokenError("DUPLICATE_TOKEN"));
			expect(error).not.toHaveProperty("cause");
		},
	);

	test("reaches the caller unchanged with any other code", async () => {
		const raw = Object.assign(new Error("deadlock"), { code: "40P01" });
		const { handler } = await open(failing(raw));
		await expect(handler.issue("user")).rejects.toBe(raw);
	});

	test("keeps its cause for an unknown user", async () => {
		const { handler } = await open();
		const error: unknown = await handler.issue("nobody").catch((e: unknown) => e);
		expect(error).toHaveProperty("cause.message", "AUTH_INVALID_USER_ID");
	});
});

test("the store tells the adapter to keep the key it reads", async () => {
	const asked: boolean[] = [];
	const { handler } = await open((adapter) => ({
		...adapter,
		getKey: async (id, shouldDataBeDeleted) => {
			const key = await adapter.getKey(id, shouldDataBeDeleted);
			if (key) asked.push(await shouldDataBeDeleted(key));
			return key;
		},
	}));
	await handler.getToken(await handler.issue("user"));
	expect(asked).toEqual([false]);
});

describe("deleteExpiredUserTokens", () => {
	const HOUR = 60 * 60 * 1000;
	const NOW = 10 * HOUR;

	test("deletes expired tokens, and claims an hour after they expire", async () => {
		vi.useFakeTimers({ now: NOW });
		const { sqlite, handler } = await open();
		await sqlite.createUser("other");
		const gone = [
			{ id: "name:expired", user_id: "user", expires: NOW - 1 },
			{ id: ":name:claim", user_id: "user", expires: NOW - HOUR - 1 },
		];
		const kept = [
			{ id: "name:valid", user_id: "user", expires: NOW },
			{ id: ":name:held", user_id: "user", expires: NOW - HOUR },
			{ id: "name:others", user_id: "other", expires: 0 },
			{ id: ":name:others", user_id: "other", expires: 0 },
			{ id: "name2:expired", user_id: "user", expires: 0 },
			{ id: ":name2:claim", user_id: "user", expires: 0 },
			{ id: "name:login", user_id: "user", expires: null },
		];
		for (const key of [...gone, ...kept]) sqlite.insertKey(key);
		await handler.deleteExpiredUserTokens("user");
		expect(
			sqlite
				.keys()
				.map(({ id }) => id)
				.sort(),
		).toEqual(kept.map(({ id }) => id).sort());
	});

	test.each([
		["a user that does not exist", "nobody"],
		["the empty string", ""],
		["null", null],
	])("succeeds for %s", async (_, userId) => {
		const { handler } = await open();
		await expect(handler.deleteExpiredUserTokens(userId as string)).resolves.toBeUndefined();
	});
});

describe("many tokens of one user", () => {
	const openMany = async (wrap: (adapter: Adapter) => Adapter, count: number) => {
		const opened = await open(wrap);
		for (let index = 0; index < count; index++) {
			opened.sqlite.insertKey({
				id: `name:${index}`,
				user_id: "user",
				expires: Date.now() + 60_000,
			});
		}
		return opened;
	};

	test("are deleted with at most 8 deletes in flight", async () => {
		let underWay = 0;
		let most = 0;
		const { sqlite, handler } = await openMany(
			(adapter) =>
				intercept(adapter, async (name, run) => {
					if (name !== "deleteNonPrimaryKey") return run();
					most = Math.max(most, ++underWay);
					await new Promise(setImmediate);
					underWay--;
					return run();
				}),
			100,
		);
		await handler.invalidateAllUserTokens("user");
		expect(sqlite.keys()).toEqual([]);
		expect(most).toBe(8);
	});

	test("remain after a failed delete, and no delete continues after the error", async () => {
		let deletes = 0;
		const { sqlite, handler } = await openMany(
			(adapter) =>
				intercept(adapter, async (name, run) => {
					if (name !== "deleteNonPrimaryKey") return run();
					await new Promise(setImmediate);
					if (++deletes >= 20) throw new DatabaseError("connection lost");
					return run();
				}),
			100,
		);
		await expect(handler.invalidateAllUserTokens("user")).rejects.toThrow("connection lost");
		const left = sqlite.keys().length;
		expect(left).toBe(81);
		await new Promise((resolve) => setTimeout(resolve, 20));
		expect(sqlite.keys()).toHaveLength(left);
	});
});

describe("a key or user that an adapter finds under another letter case", () => {
	// As under the default collations of MySQL and MariaDB.
	const ignoringCase = (adapter: Adapter): Adapter => ({
		...adapter,
		getKey: (id, shouldDataBeDeleted) => adapter.getKey(id.toLowerCase(), shouldDataBeDeleted),
		deleteNonPrimaryKey: (id) => adapter.deleteNonPrimaryKey(id.toLowerCase()),
		getUser: (id) => adapter.getUser(id.toLowerCase()),
		getKeysByUserId: (id) => adapter.getKeysByUserId(id.toLowerCase()),
	});

	test("does not match, and stays stored", async () => {
		const { sqlite, handler } = await open(ignoringCase);
		sqlite.insertKey({ id: "name:abc", user_id: "user", expires: Date.now() + 60_000 });
		await expect(handler.validate("ABC")).rejects.toEqual(tokenError("INVALID_TOKEN"));
		await expect(handler.getToken("ABC")).rejects.toEqual(tokenError("INVALID_TOKEN"));
		await handler.invalidate("ABC");
		await handler.invalidateAllUserTokens("USER");
		await expect(handler.getAllUserTokens("USER")).rejects.toEqual(tokenError("INVALID_USER_ID"));
		await expect(handler.validate("abc")).resolves.toHaveProperty("userId", "user");
	});
});
