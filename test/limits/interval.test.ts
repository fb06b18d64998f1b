import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { checksum } from "../../src/checksum.js";
import { type KeyStore, LuciaTokenError } from "../../src/index.js";
import { toKeyStore } from "../../src/stores/source.js";
import { tokenError } from "../support/errors.js";
import { TOKEN_KINDS } from "../support/handlers.js";
import { openSqlite, type Sqlite } from "../support/sqlite.js";
import { NOT_STRINGS } from "../support/values.js";

// What holds for every order of calls is in test/interleavings, for every database in test/matrix.

const NOT_NUMBERS = NOT_STRINGS.filter(
	([, value]) => typeof value !== "number" && value !== undefined,
);

const NOW = 1_000_000;
const HOUR = 60 * 60 * 1000;
const RECENTLY = tokenError("ISSUED_RECENTLY");

let sqlite: Sqlite;
let user: string;
beforeEach(async () => {
	vi.useFakeTimers({ now: NOW, toFake: ["Date"] });
	sqlite = openSqlite();
	user = await sqlite.createUser("user");
});
afterEach(() => {
	vi.useRealTimers();
	sqlite.db.close();
});

describe.each(TOKEN_KINDS)("minInterval of $kind", ({ kind, create }) => {
	const open = (options: object = {}, name = "name") =>
		create(sqlite.auth, name, { expiresIn: 600, minInterval: 60, ...options });

	const retryAfter = async (handler = open()): Promise<number | undefined> => {
		const error: unknown = await handler.issue(user).catch((reason: unknown) => reason);
		expect(error).toEqual(RECENTLY);
		return (error as LuciaTokenError).retryAfter;
	};

	test("rejects until it has passed, and says how many whole seconds remain", async () => {
		await open().issue(user);
		for (const [passed, rest] of [
			[0, 60],
			[1, 60],
			[999, 60],
			[1000, 59],
			[59_001, 1],
			[59_999, 1],
		] as const) {
			vi.setSystemTime(NOW + passed);
			expect(await retryAfter()).toBe(rest);
		}
		vi.setSystemTime(NOW + 60_000);
		await open().issue(user);
		expect(await retryAfter()).toBe(60);
	});

	test("may be part of a second", async () => {
		const handler = open({ minInterval: 0.25 });
		await handler.issue(user);
		vi.setSystemTime(NOW + 249);
		expect(await retryAfter(handler)).toBe(1);
		vi.setSystemTime(NOW + 250);
		await handler.issue(user);
	});

	test("holds after the token was used or revoked", async () => {
		await open().validate(await open().issue(user), user);
		await open().invalidateAllUserTokens(user);
		await open().deleteExpiredUserTokens(user);
		expect(await retryAfter()).toBe(60);
	});

	test("lets one of ten calls at once issue", async () => {
		const results = await Promise.allSettled(Array.from({ length: 10 }, () => open().issue(user)));
		expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
		expect(await open().getAllUserTokens(user)).toHaveLength(1);
	});

	test("is each user's and each name's own", async () => {
		const others = [await sqlite.createUser("other"), await sqlite.createUser("user. issued")];
		await open().issue(user);
		for (const other of others) await open().issue(other);
		await open({}, "name2").issue(user);
		expect(await retryAfter()).toBe(60);
	});

	test("does not begin with a token that could not be stored", async () => {
		const taken = open({ generate: () => "same", minInterval: 0 });
		await taken.issue(user);
		for (const generate of [() => "same", () => "a b", () => 1 as never]) {
			await expect(open({ generate }).issue(user)).rejects.toThrow();
		}
		await open().issue(user);
	});

	test("rethrows why a token could not be stored, even if the interval can't be released", async () => {
		sqlite.db.close();
		sqlite = openSqlite((adapter) => ({
			...adapter,
			setKey: async (key) => {
				if (!key.id.startsWith(":")) throw new Error("first");
				await adapter.setKey(key);
			},
			deleteNonPrimaryKey: async () => {
				throw new Error("second");
			},
		}));
		await sqlite.createUser("user");
		await expect(open().issue(user)).rejects.toThrow("first");
		expect(await retryAfter()).toBe(60);
	});

	test("is not begun by a handler without it, nor held by one", async () => {
		await open({ minInterval: 0 }).issue(user);
		await open().issue(user);
		await open({ minInterval: 0 }).issue(user);
		expect(await open().getAllUserTokens(user)).toHaveLength(3);
	});

	test("leaves an unknown user unknown", async () => {
		await expect(open().issue("nobody")).rejects.toEqual(tokenError("INVALID_USER_ID"));
		expect(sqlite.keys()).toEqual([]);
	});

	test("keeps one key for each user, which is no token, and which a sweep clears", async () => {
		for (let count = 0; count < 3; count++) {
			vi.setSystemTime(NOW + count * 60_000);
			const token = await open().issue(user);
			expect(await open().getAllUserTokens(user)).toHaveLength(1);
			expect(sqlite.keys()).toHaveLength(2);
			await open().validate(token, user);
		}
		vi.setSystemTime(NOW + 3 * 60_000 + HOUR);
		await open().deleteExpiredUserTokens(user);
		expect(sqlite.keys()).toEqual([]);
	});

	test("blocks a user for at most two minutes after a crash leaves a claim", async () => {
		await open().issue(user);
		const key = sqlite.keys().find(({ id }) => id.includes("issued"));
		const crashed = NOW + 2 * HOUR;
		const id = `${key?.id} ${Math.trunc(crashed / 60_000)}`;
		sqlite.insertKey({ ...key, id, user_id: user, expires: crashed });
		for (const passed of [-60_000, 0, 60_000]) {
			vi.setSystemTime(crashed + passed);
			expect(await retryAfter()).toBe(1);
		}
		vi.setSystemTime(crashed + 120_000);
		await open().issue(user);
		vi.setSystemTime(crashed + 2 * HOUR);
		await open().invalidateAllUserTokens(user);
		await open().deleteExpiredUserTokens(user);
		expect(sqlite.keys()).toEqual([]);
	});

	test("does not let go of the interval of another call when a late one fails", async () => {
		await open({ generate: () => "late", minInterval: 0 }).issue(user);
		// The insert that fails comes when the interval is over and another call has begun the next.
		sqlite.db.close();
		let passed = false;
		sqlite = openSqlite((adapter) => ({
			...adapter,
			setKey: async (key) => {
				if (!key.id.endsWith("late") || passed) return adapter.setKey(key);
				passed = true;
				vi.setSystemTime(NOW + 60_000);
				await open().issue(user);
				throw new Error("connection lost");
			},
		}));
		await sqlite.createUser("user");
		await expect(open({ generate: () => "late" }).issue(user)).rejects.toThrow("connection lost");
		expect(await retryAfter()).toBe(60);
	});

	test.each([
		[2, "ok"],
		[3, "ISSUED_RECENTLY"],
	])(
		"tries again while its key is neither stored nor free, %d times: %s",
		async (times, outcome) => {
			const store = toKeyStore(sqlite.auth);
			let looks = 0;
			const busy: KeyStore = {
				...store,
				insert: async (key) => {
					if (key.id.startsWith(":") && looks++ < times)
						throw new LuciaTokenError("DUPLICATE_TOKEN");
					await store.insert(key);
				},
			};
			const result = create(busy, "name", { expiresIn: 600, minInterval: 60 })
				.issue(user)
				.then(() => "ok");
			if (outcome === "ok") expect(await result).toBe(outcome);
			else await expect(result).rejects.toMatchObject({ message: outcome, retryAfter: 1 });
			expect(looks).toBe(3);
		},
	);

	test("needs room for its key", async () => {
		const tooLong = await sqlite.createUser("u".repeat(255 - "name:: . issued 0".length + 1));
		await expect(open().issue(tooLong)).rejects.toEqual(tokenError("INVALID_USER_ID"));
		// As long as can be, by the length of its checksum.
		const longest = (): string => {
			const start = kind === "idToken" ? ":name: " : ":name:";
			for (let length = 230; ; length--) {
				const marked = `${start}${"v".repeat(length)}. `;
				const id = `${marked}issued ${checksum(marked)}`;
				if (id.length <= 255) return "v".repeat(length);
			}
		};
		await open({ length: 1 }).issue(await sqlite.createUser(longest()));
		const room = { idToken: 232, passwordToken: 230 }[kind] ?? 0;
		expect(() => open({ length: 1 }, "n".repeat(room + 1))).toThrow(RangeError);
		expect(() => open({ length: 1 }, "n".repeat(room))).not.toThrow();
	});

	test.each([-1, Number.NaN, Infinity, 1e12])("may not be %d", (minInterval) => {
		expect(() => open({ minInterval })).toThrow(
			new RangeError("minInterval must be a number of seconds from 0 to 100000000000"),
		);
	});

	test.each(NOT_NUMBERS)("may not be %s", (_, minInterval) => {
		expect(() => open({ minInterval })).toThrow(
			new TypeError("minInterval must be a number of seconds from 0 to 100000000000"),
		);
	});
});
