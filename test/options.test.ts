import { describe, expect, onTestFinished, test, vi } from "vitest";
import { idToken, passwordToken } from "../src/index.js";
import { TOKEN_KINDS } from "./support/handlers.js";
import { openForEach, sqlite } from "./support/sqlite.js";
import { NOT_STRINGS } from "./support/values.js";

const user = "user";
openForEach();

const OPTIONS = { expiresIn: 60 };
const HASHED = { ...OPTIONS, storeToken: "hashed" } as const;
const VISIBLE = Array.from({ length: 94 }, (_, at) => String.fromCharCode(0x21 + at)).join("");

const open = async () => {
	const link = idToken(sqlite.auth, "link", HASHED);
	const code = passwordToken(sqlite.auth, "code", { ...HASHED, secret: "s".repeat(32) });
	return { link, code, token: await link.issue(user), digits: await code.issue(user) };
};
type World = Awaited<ReturnType<typeof open>>;
type Take = (world: World, options?: never) => unknown;

const LINK = [
	"expiresIn",
	"length",
	"alphabet",
	"generate",
	"maxTokensPerUser",
	"minInterval",
	"storeToken",
];
const CODE = [...LINK, "secret", "maxAttempts"];
const ISSUE = ["boundTo", "expiresIn"];
const VALIDATE = ["boundTo", "revoke"];
const READ = ["boundTo"];

/** Every function that takes options, and the options that it has. */
const FUNCTIONS: readonly (readonly [string, readonly string[], Take])[] = [
	["idToken()", LINK, (_, options) => idToken(sqlite.auth, "name", options)],
	["passwordToken()", CODE, (_, options) => passwordToken(sqlite.auth, "name", options)],
	["issue() of a link", ISSUE, ({ link }, given) => link.issue(user, given)],
	["issue() of a code", ISSUE, ({ code }, given) => code.issue(user, given)],
	["validate() of a link", VALIDATE, ({ link, token }, given) => link.validate(token, given)],
	[
		"validate() of a code",
		VALIDATE,
		({ code, digits }, given) => code.validate(digits, user, given),
	],
	["getToken() of a link", READ, ({ link, token }, given) => link.getToken(token, given)],
	["getToken() of a code", READ, ({ code, digits }, given) => code.getToken(digits, user, given)],
	["invalidate() of a link", READ, ({ link, token }, given) => link.invalidate(token, given)],
	[
		"invalidate() of a code",
		READ,
		({ code, digits }, given) => code.invalidate(digits, user, given),
	],
	["deleteExpiredTokens()", ["signal"], ({ link }, given) => link.deleteExpiredTokens(given)],
];

describe.each(FUNCTIONS)("the options of %s", (_, names, take) => {
	const [option = ""] = names;
	const inherited = (name: string) =>
		`${name} must be an own property of options, but it is inherited`;
	const unknown = (name: string) => `${name} is not an option: the options are ${names.join(", ")}`;
	const NO_OBJECT = "options must be an object";

	const expectRefusal = async (message: string, ...options: never[]): Promise<void> => {
		const world = await open();
		const before = sqlite.keys();
		sqlite.calls.length = 0;
		await expect((async () => take(world, ...options))()).rejects.toEqual(new TypeError(message));
		expect(sqlite.calls).toEqual([]);
		expect(sqlite.keys()).toEqual(before);
	};

	test.each([
		["a string", "options", NO_OBJECT],
		["an index, as map() passes it", 0, NO_OBJECT],
		["null", null, NO_OBJECT],
		["a function", () => ({}), NO_OBJECT],
		["an array", ["hashed"], NO_OBJECT],
		["a String object", new String("a"), NO_OBJECT],
		["a promise", Promise.resolve({}), NO_OBJECT],
		["a map", new Map([[option, "a"]]), NO_OBJECT],
		["a misspelled option", { storetoken: "hashed" }, unknown("storetoken")],
		["an undefined option", { expires: undefined }, unknown("expires")],
		["the name of a property of all objects", { toString: () => "" }, unknown("toString")],
		["a symbol", { [Symbol("secret")]: "" }, unknown("Symbol(secret)")],
		["an option of another function", { isUser: "a" }, unknown("isUser")],
		["an option of a prototype", Object.create({ [option]: "a" }), inherited(option)],
	])("may not be or have %s", (_, options, message) => expectRefusal(message, options as never));

	test.each(names)("may not have %s from a polluted Object.prototype", async (name) => {
		const world = await open();
		Object.assign(Object.prototype, { [name]: undefined });
		onTestFinished(() => void Reflect.deleteProperty(Object.prototype, name));
		for (const options of [[], [{}]] as never[][]) {
			await expect((async () => take(world, ...options))()).rejects.toThrow(inherited(name));
		}
	});
});

test("an object of options may have no prototype, be frozen, or have properties that are not enumerable", async () => {
	const { link } = await open();
	const options = Object.freeze(
		Object.defineProperty(Object.create(null), "boundTo", { value: "a" }) as { boundTo: string },
	);
	const token = await link.issue(user, options);
	await expect(link.validate(token)).rejects.toThrow("INVALID_TOKEN");
	await expect(link.validate(token, options)).resolves.toHaveProperty("userId", user);
});

describe.each(TOKEN_KINDS)(
	"the arguments of $kind",
	({ create: make, maxNameLength, maxLength }) => {
		const attempt = (given: object) => () => {
			const { name, ...options } = { name: "name", ...OPTIONS, ...given };
			return make(sqlite.auth, name, options);
		};

		const EXPECTED = {
			name: `name must be a string of 1 to ${maxNameLength} characters without ":", NUL, or lone surrogates`,
			expiresIn: "expiresIn must be a number of seconds from 0 to 100000000000",
			length: `length must be a whole number from 1 to ${maxLength}`,
			generate: "generate must be a function",
			alphabet: "alphabet must be a string of 2 to 94 different visible ASCII characters",
			maxTokensPerUser:
				"maxTokensPerUser must be a whole number from 1 to 9007199254740991, or Infinity",
			minInterval: "minInterval must be a number of seconds from 0 to 100000000000",
			storeToken: 'storeToken must be "plain" or "hashed"',
		};
		const ACCEPTED: Record<keyof typeof EXPECTED, readonly unknown[]> = {
			name: ["a", "E-Mail bestätigen 🔑 .%_'\"", "a".repeat(maxNameLength)],
			expiresIn: [0, 0.001, 100_000_000_000],
			length: [1, 100, maxLength],
			generate: [() => "a"],
			alphabet: ["01", VISIBLE],
			maxTokensPerUser: [1, Number.MAX_SAFE_INTEGER, Infinity],
			minInterval: [0, 0.001, 100_000_000_000],
			storeToken: ["plain"],
		};
		const OUT_OF_RANGE: Record<keyof typeof EXPECTED, readonly unknown[]> = {
			name: ["", "a:b", ":a", "a\0b", "a\ud800", "a".repeat(maxNameLength + 1)],
			expiresIn: [-1, Number.NaN, Infinity, -Infinity, 100_000_000_001],
			length: [0, -1, 1.5, Number.NaN, Infinity, maxLength + 1],
			generate: [],
			alphabet: ["", "a", "aa", "ab a", "abé", "ab\0", `${VISIBLE}a`],
			maxTokensPerUser: [0, -1, 1.5, Number.NaN, 2 ** 53],
			minInterval: [-1, Number.NaN, Infinity, 100_000_000_001],
			storeToken: ["", "hash", "Hashed"],
		};

		// The longest name leaves room for one character.
		const withRoom = (option: string, value: unknown) =>
			option === "name" ? { name: value, length: 1 } : { [option]: value };

		describe.each(Object.keys(EXPECTED) as (keyof typeof EXPECTED)[])("%s", (option) => {
			const type = typeof ACCEPTED[option][0];

			test.each([["a string", "60"] as const, ...NOT_STRINGS])(
				"is refused as %s if that has another type",
				(_, value) => {
					const call = attempt(withRoom(option, value));
					const isOfType = typeof value === type || (value === undefined && option !== "name");
					if (isOfType) expect(call).not.toThrow(TypeError);
					else expect(call).toThrow(new TypeError(EXPECTED[option]));
				},
			);

			test("is refused out of its range, and accepted within", () => {
				for (const value of OUT_OF_RANGE[option]) {
					expect(attempt(withRoom(option, value))).toThrow(new RangeError(EXPECTED[option]));
				}
				for (const value of ACCEPTED[option]) {
					expect(attempt(withRoom(option, value))).not.toThrow();
				}
			});
		});

		test("require a global WebCrypto, which Node 18 does not have", () => {
			vi.stubGlobal("crypto", undefined);
			onTestFinished(() => void vi.unstubAllGlobals());
			expect(attempt({})).toThrow(
				new TypeError(
					"There is no global crypto (WebCrypto): use Node 20 or later, or import lucia-auth/polyfill/node",
				),
			);
		});

		test("can omit expiresIn, which only issue needs", async () => {
			const token = await attempt({})().issue(user);
			for (const options of [undefined, {}, { expiresIn: undefined }]) {
				const handler = make(sqlite.auth, "name", options as typeof OPTIONS);
				await expect(handler.issue(user)).rejects.toEqual(
					new TypeError("issue() requires the option expiresIn"),
				);
				await expect(handler.getToken(token, user)).resolves.toHaveProperty("userId", user);
				expect(await handler.getAllUserTokens(user)).toHaveLength(1);
				await handler.deleteExpiredUserTokens(user);
			}
		});

		test("let all characters of an alphabet be drawn, and no others", async () => {
			for (const alphabet of ["01", "BCDFGHJKMNPQRSTVWXYZ", VISIBLE]) {
				const handler = attempt({ alphabet, length: 100 })();
				const drawn = new Set<string>();
				for (let issued = 0; issued < 30; issued++) {
					for (const character of `${await handler.issue(user)}`) drawn.add(character);
				}
				expect([...drawn].sort()).toEqual([...alphabet].sort());
			}
		});

		test("refuse an alphabet beside generate", () => {
			expect(attempt({ alphabet: "ab", generate: () => "ab" })).toThrow(
				new TypeError("alphabet cannot stand beside generate"),
			);
		});
	},
);
