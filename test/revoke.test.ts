import { describe, expect, test, vi } from "vitest";
import { idToken, passwordToken } from "../src/index.js";
import { toKeyStore } from "../src/stores/lucia.js";
import { outcomeOf, tokenError } from "./support/errors.js";
import { openForEach, sqlite, STORES } from "./support/sqlite.js";

const MINUTE = 60;
const NAMES = ["link", "code"];

const user = "user";
openForEach();

describe.each(STORES)("validate() with revoke on %s", (_, source) => {
	const open = () => ({
		links: idToken(source(sqlite), "link", { expiresIn: MINUTE }),
		codes: passwordToken(source(sqlite), "code", { expiresIn: MINUTE }),
	});

	const issueAll = async ({ links, codes }: ReturnType<typeof open>) => {
		for (let issued = 0; issued < 3; issued++) {
			await links.issue(user);
			await codes.issue(user);
		}
	};

	test.each(["link", "code"] as const)(
		"uses a %s and revokes its user's others, of both kinds",
		async (kind) => {
			const { links, codes } = open();
			const other = await sqlite.createUser("other");
			const kept = await idToken(source(sqlite), "kept", { expiresIn: MINUTE }).issue(user);
			const theirs = await links.issue(other);
			await issueAll({ links, codes });
			const token = await { link: links, code: codes }[kind].issue(user);
			const options = { revoke: NAMES };
			const used = await (kind === "link"
				? links.validate(token, options)
				: codes.validate(token, user, options));
			expect([used.userId, `${used}`]).toEqual([user, `${token}`]);
			expect(sqlite.tokens().map(({ id }) => id)).toEqual([`kept:${kept}`, `link:${theirs}`]);
		},
	);

	test("succeeds in one of a user's concurrent calls, and beside a plain use of another token", async () => {
		const { links } = open();
		const issued = [await links.issue(user), await links.issue(user), await links.issue(user)];
		const calls = issued.map((token) => outcomeOf(links.validate(token, { revoke: NAMES })));
		expect((await Promise.all(calls)).sort()).toEqual(["INVALID_TOKEN", "INVALID_TOKEN", "ok"]);

		const [plain, own] = [await links.issue(user), await links.issue(user)];
		const uses = [links.validate(plain), links.validate(own, { revoke: NAMES })];
		expect(await Promise.all(uses.map(outcomeOf))).toEqual(["ok", "ok"]);
	});

	test("keeps the others of its own name unless that is listed", async () => {
		const { links, codes } = open();
		await issueAll({ links, codes });
		const [token] = await links.getAllUserTokens(user);
		await links.validate(`${token}`, { revoke: ["code"] });
		expect(await links.getAllUserTokens(user)).toHaveLength(2);
		expect(await codes.getAllUserTokens(user)).toHaveLength(0);
		await links.validate(await links.issue(user), { revoke: [] });
		expect(await links.getAllUserTokens(user)).toHaveLength(2);
	});

	test("revokes nothing with a wrong, used, or expired token", async () => {
		const { links, codes } = open();
		const [used, expired] = [await links.issue(user), await links.issue(user, { expiresIn: 1 })];
		await links.validate(used);
		await issueAll({ links, codes });
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
			await expect(call).rejects.toThrow(type);
			await expect(call).rejects.toThrow(message);
		}
		expect(sqlite.tokens()).toHaveLength(2);
	});
});

test("on the default store, what a failed delete has left does not stop a later call", async () => {
	const links = idToken(sqlite.auth, "link", { expiresIn: MINUTE });
	const [used, other] = [await links.issue(user), await links.issue(user)];
	const left = sqlite.tokens();
	await links.validate(used, { revoke: ["link"] });
	for (const row of left) sqlite.insertKey(row);
	await expect(links.validate(other)).rejects.toEqual(tokenError("INVALID_TOKEN"));
	await links.validate(await links.issue(user), { revoke: ["link"] });
	expect(sqlite.tokens()).toEqual(left);
	expect(await links.getAllUserTokens(user)).toEqual([]);
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
