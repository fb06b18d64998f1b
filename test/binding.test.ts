import { createHash, createHmac } from "node:crypto";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { idToken, passwordToken, type Token } from "../src/index.js";
import { tokenError } from "./support/errors.js";
import { openSqlite, type Sqlite } from "./support/sqlite.js";
import { NOT_STRINGS } from "./support/values.js";

const INVALID = tokenError("INVALID_TOKEN");
const SECRET = "0123456789abcdef0123456789abcdef";
const BOUND = { boundTo: "a@example.com" };
const OTHERS = [undefined, {}, { boundTo: "b@example.com" }, { boundTo: "" }, { boundTo: "a" }];

let sqlite: Sqlite;
let user: string;
beforeEach(async () => {
	sqlite = openSqlite();
	user = await sqlite.createUser("user");
});
afterEach(() => sqlite.db.close());

type Options = { boundTo?: string } | undefined;
interface Handler {
	issue(userId: string, options?: Options): Promise<Token>;
	validate(token: string | Token, options?: Options): Promise<Token>;
	getToken(token: string | Token, options?: Options): Promise<Token>;
	invalidate(token: string | Token, options?: Options): Promise<void>;
	getAllUserTokens(userId: string): Promise<Token[]>;
}

const links = (storeToken: "plain" | "hashed" = "hashed"): Handler =>
	idToken(sqlite.auth, "link", { expiresIn: 60, storeToken });

const codes = (storeToken: "plain" | "hashed" = "hashed", maxAttempts = Infinity): Handler => {
	const handler = passwordToken(sqlite.auth, "code", {
		expiresIn: 60,
		maxAttempts,
		storeToken,
		secret: storeToken === "hashed" ? SECRET : undefined,
	});
	return {
		issue: handler.issue,
		validate: (token, options) => handler.validate(token, user, options),
		getToken: (token, options) => handler.getToken(token, user, options),
		invalidate: (token, options) => handler.invalidate(token, user, options),
		getAllUserTokens: handler.getAllUserTokens,
	};
};

describe.each([
	["a link", links],
	["a code", codes],
])("%s that is bound to a text", (_, open) => {
	test("validates with that text only, and stays valid after a call without it", async () => {
		const token = await open().issue(user, BOUND);
		for (const options of [...OTHERS, ...NOT_STRINGS.map(([, boundTo]) => ({ boundTo }))]) {
			const given = options as Options;
			await expect(open().getToken(`${token}`, given)).rejects.toEqual(INVALID);
			await expect(open().validate(token, given)).rejects.toEqual(INVALID);
		}
		await expect(open().getToken(`${token}`, BOUND)).resolves.toHaveProperty("userId", user);
		await expect(open().validate(token, BOUND)).resolves.toHaveProperty("userId", user);
		await expect(open().validate(token, BOUND)).rejects.toEqual(INVALID);
	});

	test("does not stand in for an unbound token, or the other way around", async () => {
		const token = await open().issue(user);
		await expect(open().validate(token, BOUND)).rejects.toEqual(INVALID);
		await expect(open().validate(token, {})).resolves.toHaveProperty("userId", user);
	});

	test("can be invalidated by its value with the text, or as a Token without the text", async () => {
		const token = await open().issue(user, BOUND);
		for (const options of OTHERS) await open().invalidate(`${token}`, options);
		expect(sqlite.keys()).toHaveLength(1);
		await open().invalidate(`${token}`, BOUND);
		expect(sqlite.keys()).toEqual([]);
		await open().invalidate(await open().issue(user, BOUND));
		await open().issue(user, BOUND);
		for (const listed of await open().getAllUserTokens(user)) await open().invalidate(listed);
		expect(sqlite.keys()).toEqual([]);
	});

	test("leaves no trace of the text in the database or in a printed token", async () => {
		const token = await open().issue(user, BOUND);
		expect(JSON.stringify([sqlite.keys(), token, token.key])).not.toContain(BOUND.boundTo);
	});

	test.each([
		["the empty string", ""],
		["a lone surrogate, which has no UTF-8 encoding", "a\ud800"],
	])("refuses %s", async (_, boundTo) => {
		await expect(open().issue(user, { boundTo })).rejects.toEqual(
			new RangeError("boundTo must be a non-empty string without lone surrogates"),
		);
		expect(sqlite.keys()).toEqual([]);
	});

	test.each(NOT_STRINGS.filter(([, value]) => value !== undefined))(
		"refuses %s",
		async (_, boundTo) => {
			await expect(open().issue(user, { boundTo } as never)).rejects.toThrow(TypeError);
			expect(sqlite.keys()).toEqual([]);
		},
	);

	test("requires a handler that hashes tokens", async () => {
		await expect(open("plain").issue(user, BOUND)).rejects.toEqual(
			new TypeError('boundTo needs storeToken: "hashed"'),
		);
		const token = await open("plain").issue(user);
		await expect(open("plain").validate(token, BOUND)).rejects.toEqual(INVALID);
		await expect(open("plain").validate(token)).resolves.toHaveProperty("userId", user);
	});
});

test("a bound code with another text counts as an attempt", async () => {
	const token = await codes("hashed", 2).issue(user, BOUND);
	for (const options of [undefined, { boundTo: "other" }]) {
		await expect(codes("hashed", 2).validate(token, options)).rejects.toEqual(INVALID);
	}
	await expect(codes("hashed", 2).validate(token, BOUND)).rejects.toEqual(INVALID);
});

test("the digest includes the text after a NUL, and digests of unbound tokens do not change", async () => {
	const [link, code] = [await links().issue(user, BOUND), await codes().issue(user, BOUND)];
	const [plainLink, plainCode] = [await links().issue(user), await codes().issue(user)];
	const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
	const hmac = (text: string) => createHmac("sha256", SECRET).update(text).digest("hex");
	expect(
		sqlite
			.keys()
			.map(({ id }) => id)
			.sort(),
	).toEqual(
		[
			`link:sha256 ${sha256(`${link}\0${BOUND.boundTo}`)}`,
			`link:sha256 ${sha256(`${plainLink}`)}`,
			`code:user.hmac-sha256 ${hmac(`code:user.\0${code}\0${BOUND.boundTo}`)}`,
			`code:user.hmac-sha256 ${hmac(`code:user.\0${plainCode}`)}`,
		].sort(),
	);
});

test("no two pairs of token and text share a digest", async () => {
	const part = fc.string({
		unit: fc.constantFrom("a", "b", "!", "\0"),
		minLength: 1,
		maxLength: 4,
	});
	const value = part.map((text) => text.replaceAll("\0", "~"));
	await fc.assert(
		fc.asyncProperty(value, part, value, part, async (token, text, otherToken, otherText) => {
			fc.pre(token !== otherToken || text !== otherText);
			const handler = passwordToken(sqlite.auth, "pair", {
				expiresIn: 60,
				maxAttempts: Infinity,
				storeToken: "hashed",
				secret: SECRET,
				generate: () => token,
			});
			await handler.issue(user, { boundTo: text });
			const other = handler.validate(otherToken, user, { boundTo: otherText });
			await expect(other).rejects.toEqual(INVALID);
			await handler.validate(token, user, { boundTo: text });
		}),
	);
});
