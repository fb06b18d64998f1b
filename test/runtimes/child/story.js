import { idToken, LuciaTokenError, passwordToken } from "@lucia-auth/tokens";

// What the library promises, told once, in plain JavaScript that runs on every runtime.

const MINUTE = 60;
const SECRET = "0123456789abcdef0123456789abcdef";

const equal = (actual, expected) => {
	const [seen, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
	if (seen !== wanted) throw new Error(`expected ${wanted}, but got ${seen}`);
};

const rejects = async (promise, message) => {
	const error = await promise.then(
		() => undefined,
		(reason) => reason,
	);
	if (!(error instanceof LuciaTokenError) || error.name !== "LuciaTokenError") {
		throw new Error(`expected LuciaTokenError ${message}, but got ${String(error)}`);
	}
	equal(error.message, message);
};

const newUser = async ({ createUser }) => {
	const userId = crypto.randomUUID();
	await createUser(userId);
	return userId;
};

const expireAll = ({ sql }, userId) =>
	sql("UPDATE auth_key SET expires = 1 WHERE user_id = ?", [userId]);

// A used token leaves nothing on a native store. The default store keeps its spent row until a sweep.
const leavesItsSpentRow = async ({ getRows, isNative }, { key, userId, expiresAt }) => {
	const spent = `:${key.providerId}:${key.providerUserId} ${expiresAt.getTime()}`;
	equal(
		(await getRows(userId)).map(({ id }) => id),
		isNative ? [] : [spent],
	);
};

const validatesOneOf20 = async (harness, options) => {
	const userId = await newUser(harness);
	const link = idToken(harness.store, "at-once", { expiresIn: MINUTE, ...options });
	const token = await link.issue(userId);
	const calls = Array.from({ length: 20 }, () => link.validate(`${token}`));
	const results = await Promise.allSettled(calls);
	const lost = results.filter(({ status }) => status === "rejected");
	equal(
		lost.map(({ reason }) => reason.message),
		Array(19).fill("INVALID_TOKEN"),
	);
	await leavesItsSpentRow(harness, token);
};

// Another code of as many digits.
const wrong = (code) => `${(Number(`${code}`[0]) + 1) % 10}${`${code}`.slice(1)}`;

export const story = [
	{
		name: "issues a link, looks at it, and validates it once",
		async run(harness) {
			const userId = await newUser(harness);
			const { issue, getToken, validate } = idToken(harness.store, "link", { expiresIn: MINUTE });
			const token = await issue(userId);
			const value = `${token}`;
			equal(/^[a-zA-Z0-9]{43}$/.test(value), true);
			equal(token.expired, false);
			equal(
				(await harness.getRows(userId)).map(({ id }) => id),
				[`link:${value}`],
			);
			const seen = await getToken(value);
			equal([seen.userId, `${seen}`], [userId, value]);
			const used = await validate(value);
			equal([used.userId, used.expiresAt], [userId, token.expiresAt]);
			await rejects(validate(value), "INVALID_TOKEN");
			await rejects(getToken(value), "INVALID_TOKEN");
			await leavesItsSpentRow(harness, token);
		},
	},
	{
		name: "validates a link for one of 20 calls at once",
		run: (harness) => validatesOneOf20(harness, {}),
	},
	{
		name: "validates a hashed link for one of 20 calls at once",
		run: (harness) => validatesOneOf20(harness, { storeToken: "hashed" }),
	},
	{
		name: "validates a code once, for its user alone",
		async run(harness) {
			const [userId, other] = [await newUser(harness), await newUser(harness)];
			const code = passwordToken(harness.store, "code", { expiresIn: MINUTE });
			const value = `${await code.issue(userId)}`;
			equal(/^[0-9]{8}$/.test(value), true);
			await rejects(code.validate(value, other), "INVALID_TOKEN");
			await rejects(code.validate(wrong(value), userId), "INVALID_TOKEN");
			equal((await code.getToken(value, userId)).userId, userId);
			equal((await code.validate(value, userId)).userId, userId);
			await rejects(code.validate(value, userId), "INVALID_TOKEN");
		},
	},
	{
		name: "takes no code after five wrong ones, and a new one has all its attempts",
		async run(harness) {
			const userId = await newUser(harness);
			const code = passwordToken(harness.store, "attempts", { expiresIn: MINUTE });
			const fail = async (value, times) => {
				for (let n = 0; n < times; n++) {
					await rejects(code.validate(wrong(value), userId), "INVALID_TOKEN");
				}
			};
			const first = `${await code.issue(userId)}`;
			await fail(first, 5);
			await rejects(code.validate(first, userId), "INVALID_TOKEN");
			const second = `${await code.issue(userId)}`;
			await fail(second, 4);
			equal((await code.validate(second, userId)).userId, userId);
		},
	},
	{
		name: "stores a hashed link as its SHA-256",
		async run(harness) {
			const userId = await newUser(harness);
			// Of its own, since the token is always the same.
			const name = crypto.randomUUID();
			const link = idToken(harness.store, name, {
				expiresIn: MINUTE,
				storeToken: "hashed",
				generate: () => "abcdefghijklmnopqrstuvwxyz0123456789",
			});
			const token = await link.issue(userId);
			// As `printf abc… | sha256sum` has it.
			const digest = "011fc2994e39d251141540f87a69092b3f22a86767f7283de7eeedb3897bedf6";
			equal(
				(await harness.getRows(userId)).map(({ id }) => id),
				[`${name}:sha256 ${digest}`],
			);
			equal((await link.validate(`${token}`)).userId, userId);
			await rejects(link.validate(`${token}`), "INVALID_TOKEN");
		},
	},
	{
		name: "stores a hashed code as its HMAC",
		async run(harness) {
			const userId = await newUser(harness);
			const options = { expiresIn: MINUTE, storeToken: "hashed", secret: SECRET };
			const code = passwordToken(harness.store, "hashed-code", options);
			const value = `${await code.issue(userId)}`;
			const [{ id }] = await harness.getRows(userId);
			equal(id.startsWith(`hashed-code:${userId}.hmac-sha256 `), true);
			equal(/ [0-9a-f]{64}$/.test(id), true);
			equal(id.includes(value), false);
			const another = passwordToken(harness.store, "hashed-code", {
				...options,
				secret: SECRET.toUpperCase(),
			});
			await rejects(another.validate(value, userId), "INVALID_TOKEN");
			equal((await code.validate(value, userId)).userId, userId);
		},
	},
	{
		name: "lets one of ten concurrent calls issue within an interval, until its token is withdrawn",
		async run(harness) {
			const userId = await newUser(harness);
			const link = idToken(harness.store, "interval", { expiresIn: MINUTE, minInterval: MINUTE });
			const calls = Array.from({ length: 10 }, () => link.issue(userId));
			const results = await Promise.allSettled(calls);
			const lost = results.filter(({ status }) => status === "rejected");
			equal(
				lost.map(({ reason }) => [reason.message, reason.retryAfter]),
				Array(9).fill(["ISSUED_RECENTLY", MINUTE]),
			);
			const [token] = results.flatMap(({ value }) => value ?? []);
			await link.withdraw(token);
			await rejects(link.validate(token), "INVALID_TOKEN");
			equal((await link.issue(userId)).userId, userId);
		},
	},
	{
		name: "validates a bound link with its text alone",
		async run(harness) {
			const userId = await newUser(harness);
			const link = idToken(harness.store, "bound", { expiresIn: MINUTE, storeToken: "hashed" });
			const value = `${await link.issue(userId, { boundTo: "é@example.com" })}`;
			await rejects(link.validate(value), "INVALID_TOKEN");
			await rejects(link.validate(value, { boundTo: "e@example.com" }), "INVALID_TOKEN");
			equal((await link.validate(value, { boundTo: "é@example.com" })).userId, userId);
		},
	},
	{
		name: "lists a user's tokens, the first to expire first",
		async run(harness) {
			const [userId, other] = [await newUser(harness), await newUser(harness)];
			const late = idToken(harness.store, "list", { expiresIn: 2 * MINUTE });
			const early = idToken(harness.store, "list", { expiresIn: MINUTE });
			const values = [`${await late.issue(userId)}`, `${await early.issue(userId)}`];
			await late.issue(other);
			const listed = await late.getAllUserTokens(userId);
			equal(listed.map(String), values.reverse());
			equal(
				listed.map((token) => token.expired),
				[false, false],
			);
		},
	},
	{
		name: "revokes one token, and all of a user",
		async run(harness) {
			const [userId, other] = [await newUser(harness), await newUser(harness)];
			const link = idToken(harness.store, "revoke", { expiresIn: MINUTE });
			const [one, two, three] = [
				await link.issue(userId),
				await link.issue(userId),
				await link.issue(userId),
			];
			const others = await link.issue(other);
			await link.invalidate(one);
			await rejects(link.validate(one), "INVALID_TOKEN");
			await link.invalidate(`${two}`);
			await rejects(link.validate(two), "INVALID_TOKEN");
			await link.invalidateAllUserTokens(userId);
			await rejects(link.validate(three), "INVALID_TOKEN");
			equal(await harness.getRows(userId), []);
			equal((await link.validate(others)).userId, other);
		},
	},
	{
		name: "sweeps a user's expired tokens",
		async run(harness) {
			const userId = await newUser(harness);
			const link = idToken(harness.store, "sweep", { expiresIn: MINUTE });
			await link.issue(userId);
			await expireAll(harness, userId);
			const value = `${await link.issue(userId)}`;
			await link.deleteExpiredUserTokens(userId);
			equal((await link.getAllUserTokens(userId)).map(String), [value]);
		},
	},
	{
		name: "sweeps all users' expired tokens on a native store, and says that the default store can't",
		async run(harness) {
			const [userId, other] = [await newUser(harness), await newUser(harness)];
			const link = idToken(harness.store, "sweep-all", { expiresIn: MINUTE });
			await link.issue(userId);
			await link.issue(other);
			await expireAll(harness, userId);
			const error = await link.deleteExpiredTokens().catch((reason) => reason);
			const left = (await harness.getRows(userId)).length;
			equal([error instanceof TypeError, left], harness.isNative ? [false, 0] : [true, 1]);
			equal((await harness.getRows(other)).length, 1);
		},
	},
	{
		name: "rejects an expired token once as expired, then as invalid",
		async run(harness) {
			const userId = await newUser(harness);
			const link = idToken(harness.store, "expired", { expiresIn: MINUTE });
			const value = `${await link.issue(userId)}`;
			await expireAll(harness, userId);
			equal(
				(await link.getAllUserTokens(userId)).map((token) => token.expired),
				[true],
			);
			await rejects(link.getToken(value), "EXPIRED_TOKEN");
			await rejects(link.validate(value), "EXPIRED_TOKEN");
			await rejects(link.validate(value), "INVALID_TOKEN");
		},
	},
	{
		name: "rejects unknown users, duplicates, and what is no token",
		async run(harness) {
			const userId = await newUser(harness);
			const link = idToken(harness.store, crypto.randomUUID(), {
				expiresIn: MINUTE,
				generate: () => "always-the-same",
			});
			await rejects(link.issue("nobody"), "INVALID_USER_ID");
			await rejects(link.getAllUserTokens("nobody"), "INVALID_USER_ID");
			await link.issue(userId);
			await rejects(link.issue(userId), "DUPLICATE_TOKEN");
			for (const value of ["unknown", "", "a\0b", "é", undefined, null, 1, {}]) {
				await rejects(link.validate(value), "INVALID_TOKEN");
			}
		},
	},
	{
		name: "refuses wrong options when a handler is made",
		async run({ store }) {
			const errorOf = (make) => {
				try {
					make();
				} catch (error) {
					return error.constructor.name;
				}
			};
			equal(
				errorOf(() => idToken(store, "a", { expiresIn: "60" })),
				"TypeError",
			);
			equal(
				errorOf(() => idToken(store, "a", { expiresIn: -1 })),
				"RangeError",
			);
			equal(
				errorOf(() => idToken({}, "a", { expiresIn: 60 })),
				"TypeError",
			);
		},
	},
	{
		name: "shows no secret where a token is logged or serialized",
		async run(harness) {
			const userId = await newUser(harness);
			const link = idToken(harness.store, "log", { expiresIn: MINUTE });
			const token = await link.issue(userId);
			for (const text of [JSON.stringify(token), harness.inspect(token)]) {
				equal([text.includes(userId), text.includes(`${token}`)], [true, false]);
			}
		},
	},
];
