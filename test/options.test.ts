import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { TOKEN_KINDS } from "./support/handlers.js";
import { openSqlite, type Sqlite } from "./support/sqlite.js";
import { NOT_STRINGS } from "./support/values.js";

let sqlite: Sqlite;
beforeAll(() => {
	sqlite = openSqlite();
});
afterAll(() => sqlite.db.close());

const OPTIONS = { expiresIn: 60 };

const except = (...names: string[]) => NOT_STRINGS.filter(([name]) => !names.includes(name));

const VISIBLE = Array.from({ length: 94 }, (_, at) => String.fromCharCode(0x21 + at)).join("");

describe.each(TOKEN_KINDS)(
	"the arguments of $kind",
	({ kind, create: make, maxNameLength, maxLength, defaultToken }) => {
		const attempt = (name: unknown, options: unknown) => () =>
			make(sqlite.auth, name as string, options as typeof OPTIONS);

		const expected = {
			name: `name must be a string of 1 to ${maxNameLength} characters without ":", NUL, or lone surrogates`,
			expiresIn: "expiresIn must be a number of seconds from 0 to 100000000000",
			length: `length must be a whole number from 1 to ${maxLength}`,
			generate: "generate must be a function",
			alphabet: "alphabet must be a string of 2 to 94 different visible ASCII characters",
		};

		test("require a global WebCrypto, which Node 18 does not have", () => {
			vi.stubGlobal("crypto", undefined);
			onTestFinished(() => void vi.unstubAllGlobals());
			expect(attempt("name", OPTIONS)).toThrow(
				new TypeError(
					"There is no global crypto (WebCrypto): use Node 20 or later, or import lucia-auth/polyfill/node",
				),
			);
		});

		test.each(NOT_STRINGS)("reject %s as the name", (_, name) => {
			expect(attempt(name, OPTIONS)).toThrow(new TypeError(expected.name));
		});

		test.each([
			["the empty string", ""],
			["a colon", "a:b"],
			["a leading colon", ":a"],
			["a NUL", "a\0b"],
			["a lone surrogate", "a\ud800"],
			["a name that leaves no room for a token", "a".repeat(maxNameLength + 1)],
		])("reject %s as the name", (_, name) => {
			expect(attempt(name, { ...OPTIONS, length: 1 })).toThrow(new RangeError(expected.name));
		});

		test("accept a name of any other characters, up to the maximum length", () => {
			expect(attempt("E-Mail bestätigen 🔑 .%_'\"", OPTIONS)).not.toThrow();
			expect(attempt("a".repeat(maxNameLength), { ...OPTIONS, length: 1 })).not.toThrow();
		});

		test.each([
			["a string", "options"] as const,
			...NOT_STRINGS.filter(([, value]) => typeof value !== "object" || value === null),
		])("refuse %s as the options", (_, options) => {
			const refused = expect(attempt("name", options));
			if (options === undefined) refused.not.toThrow();
			else refused.toThrow(new TypeError("options must be an object"));
		});

		const names = [
			"expiresIn",
			"length",
			"alphabet",
			"generate",
			"maxTokensPerUser",
			"minInterval",
			"storeToken",
			...(kind === "passwordToken" ? ["secret", "maxAttempts"] : []),
		];
		const unknown = `is not an option: the options are ${names.join(", ")}`;
		const inherited = "must be an own property of options, but it is inherited";

		test.each([
			["a misspelled option", { storetoken: "hashed" }, `storetoken ${unknown}`],
			["an undefined option", { expires: undefined }, `expires ${unknown}`],
			["the name of a property of all objects", { toString: () => "" }, `toString ${unknown}`],
			["a symbol", { [Symbol("secret")]: "" }, `Symbol(secret) ${unknown}`],
			["an option of a method", { boundTo: "a" }, `boundTo ${unknown}`],
			["an array", ["hashed"], "options must be an object"],
			["a promise", Promise.resolve({ storeToken: "hashed" }), "options must be an object"],
			["a map", new Map([["storeToken", "hashed"]]), "options must be an object"],
			["an option of a prototype", Object.create({ minInterval: 60 }), `minInterval ${inherited}`],
			[
				"an accessor of a class",
				new (class {
					get storeToken() {
						return "hashed";
					}
				})(),
				`storeToken ${inherited}`,
			],
		])("refuse %s", (_, options, message) => {
			expect(attempt("name", options)).toThrow(new TypeError(message));
		});

		test.each(names)("refuse a polluted Object.prototype with the option %s", (name) => {
			Object.assign(Object.prototype, { [name]: undefined });
			onTestFinished(() => void Reflect.deleteProperty(Object.prototype, name));
			for (const options of [undefined, {}, { expiresIn: 60 }]) {
				if (options && name in options && Object.hasOwn(options, name)) continue;
				expect(attempt("name", options)).toThrow(new TypeError(`${name} ${inherited}`));
			}
			// An object without a prototype cannot be polluted.
			expect(attempt("name", Object.assign(Object.create(null), OPTIONS))).not.toThrow();
		});

		test("refuse the options that only codes have, for links alone", () => {
			const guessable = expect(attempt("name", { maxAttempts: 5 }));
			if (kind === "passwordToken") guessable.not.toThrow();
			else guessable.toThrow(new TypeError(`maxAttempts ${unknown}`));
		});

		test.each([
			["a string", "60"] as const,
			...NOT_STRINGS.filter(([, value]) => typeof value !== "number" && value !== undefined),
		])("refuse %s as expiresIn", (_, expiresIn) => {
			expect(attempt("name", { expiresIn })).toThrow(new TypeError(expected.expiresIn));
		});

		test("can omit expiresIn, which only issue needs", async () => {
			const userId = await sqlite.createUser();
			const token = await make(sqlite.auth, "name", OPTIONS).issue(userId);
			for (const options of [undefined, {}, { expiresIn: undefined }]) {
				const handler = make(sqlite.auth, "name", options as typeof OPTIONS);
				await expect(handler.issue(userId)).rejects.toEqual(
					new TypeError("issue() requires the option expiresIn"),
				);
				await expect(handler.getToken(token, userId)).resolves.toHaveProperty("userId", userId);
				expect(await handler.getAllUserTokens(userId)).toHaveLength(1);
			}
			const handler = make(sqlite.auth, "name", undefined as never);
			await expect(handler.validate(`${token}`, userId)).resolves.toHaveProperty("userId", userId);
			await handler.invalidate(`${token}`, userId);
			await handler.invalidateAllUserTokens(userId);
			await handler.deleteExpiredUserTokens(userId);
		});

		test("accept a lifetime of one millisecond", async () => {
			vi.useFakeTimers({ now: 1_000_000, toFake: ["Date"] });
			onTestFinished(() => void vi.useRealTimers());
			const userId = await sqlite.createUser();
			const handler = make(sqlite.auth, "name", { expiresIn: 0 });
			const [now, later] = [await handler.issue(userId), await handler.issue(userId)];
			expect(await handler.validate(now, userId)).toHaveProperty("expired", false);
			vi.setSystemTime(1_000_001);
			await expect(handler.validate(later, userId)).rejects.toThrow("EXPIRED_TOKEN");
		});

		test.each([-1, Number.NaN, Infinity, -Infinity, 100_000_000_001])(
			"reject an expiresIn of %d seconds",
			(expiresIn) => {
				expect(attempt("name", { expiresIn })).toThrow(new RangeError(expected.expiresIn));
			},
		);

		test.each([0, 0.001, 1, 60, 100_000_000_000])(
			"accept an expiresIn of %d seconds",
			async (expiresIn) => {
				const userId = await sqlite.createUser();
				const before = Date.now();
				const token = await make(sqlite.auth, "name", { expiresIn }).issue(userId);
				expect(token.expiresAt.getTime()).toBeGreaterThanOrEqual(before + expiresIn * 1000);
				expect(token.expiresAt.getTime()).toBeLessThanOrEqual(Date.now() + expiresIn * 1000);
			},
		);

		test.each(NOT_STRINGS.filter(([, value]) => typeof value !== "number" && value !== undefined))(
			"refuse %s as the length",
			(_, length) => {
				expect(attempt("name", { ...OPTIONS, length })).toThrow(new TypeError(expected.length));
			},
		);

		test.each([0, -1, 1.5, Number.NaN, Infinity, 1000])("reject a length of %d", (length) => {
			expect(attempt("name", { ...OPTIONS, length })).toThrow(new RangeError(expected.length));
		});

		test("accept any length that fits in a key id of 255 characters with the name", async () => {
			const userId = await sqlite.createUser(kind.charAt(0));
			for (const length of [1, 100, maxLength]) {
				const token = await make(sqlite.auth, "name", { ...OPTIONS, length }).issue(userId);
				expect(`${token}`).toHaveLength(length);
			}
			expect(Math.max(...sqlite.keys().map(({ id }) => id.length))).toBe(255);
			expect(attempt("name", { ...OPTIONS, length: maxLength + 1 })).toThrow(RangeError);
		});

		test.each(except("a function", "undefined"))("reject %s as generate", (_, generate) => {
			expect(attempt("name", { ...OPTIONS, generate })).toThrow(new TypeError(expected.generate));
		});

		test.each(except("a string", "undefined"))("reject %s as alphabet", (_, alphabet) => {
			expect(attempt("name", { ...OPTIONS, alphabet })).toThrow(new TypeError(expected.alphabet));
		});

		test.each(["", "a", "aa", "ab a", "abé", "ab\0", `${VISIBLE}a`])(
			"reject the alphabet %j",
			(alphabet) => {
				expect(attempt("name", { ...OPTIONS, alphabet })).toThrow(
					new RangeError(expected.alphabet),
				);
			},
		);

		test("draw all characters of an alphabet and no others", async () => {
			const userId = await sqlite.createUser();
			for (const alphabet of ["01", "BCDFGHJKMNPQRSTVWXYZ", VISIBLE]) {
				const options = { ...OPTIONS, alphabet, length: 100 };
				const handler = make(sqlite.auth, "name", options);
				const drawn = new Set<string>();
				for (let issued = 0; issued < 30; issued++) {
					for (const character of `${await handler.issue(userId)}`) drawn.add(character);
				}
				expect([...drawn].sort()).toEqual([...alphabet].sort());
			}
		});

		test("refuse an alphabet beside generate", () => {
			const options = { ...OPTIONS, alphabet: "ab", generate: () => "ab" };
			expect(attempt("name", options)).toThrow(
				new TypeError("alphabet cannot stand beside generate"),
			);
		});

		test("accept undefined for optional values", async () => {
			const userId = await sqlite.createUser();
			const options = { ...OPTIONS, length: undefined, alphabet: undefined, generate: undefined };
			expect(`${await make(sqlite.auth, "name", options).issue(userId)}`).toMatch(defaultToken);
		});

		test("are read once, when the handler is created, and never changed", async () => {
			const userId = await sqlite.createUser();
			const options = Object.freeze({ ...OPTIONS, length: 10 });
			const copy: { expiresIn: number; length: number } = { ...options };
			const handler = make(sqlite.auth, "name", copy);
			copy.length = 0;
			expect(`${await handler.issue(userId)}`).toHaveLength(10);
			make(sqlite.auth, "name", options);
		});
	},
);
