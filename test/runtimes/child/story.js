import { idToken, LuciaTokenError, passwordToken } from "@lucia-auth/tokens";

// What a runtime or its drivers could break, in plain JavaScript that runs on each of them.

const MINUTE = 60;

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

export const story = [
	{
		name: "issues a link, reads it, and validates it for one of 20 calls at once",
		async run(harness) {
			const userId = await newUser(harness);
			const { issue, getToken, validate } = idToken(harness.store, "link", { expiresIn: MINUTE });
			const idsOf = async () => (await harness.getRows(userId)).map(({ id }) => id);
			const token = await issue(userId);
			const value = `${token}`;
			equal(/^[a-zA-Z0-9]{43}$/.test(value), true);
			equal(await idsOf(), [`link:${value}`]);
			const read = await getToken(value);
			equal([read.userId, `${read}`, read.expired], [userId, value, false]);
			const calls = Array.from({ length: 20 }, () => validate(value));
			const results = await Promise.allSettled(calls);
			equal(
				results.flatMap(({ value }) => (value ? [[value.userId, value.expiresAt]] : [])),
				[[userId, token.expiresAt]],
			);
			equal(
				results.flatMap(({ reason }) => reason?.message ?? []),
				Array(19).fill("INVALID_TOKEN"),
			);
			await rejects(getToken(value), "INVALID_TOKEN");
			// A native store keeps nothing. The default store keeps the spent row until a sweep.
			const spent = `:link:${value} ${token.expiresAt.getTime()}`;
			equal(await idsOf(), harness.isNative ? [] : [spent]);
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
		name: "stores a code as its HMAC, and validates it once, for its user alone",
		async run(harness) {
			const [userId, other] = [await newUser(harness), await newUser(harness)];
			const secret = "0123456789abcdef0123456789abcdef";
			const options = { expiresIn: MINUTE, storeToken: "hashed", secret };
			const code = passwordToken(harness.store, "code", options);
			const value = `${await code.issue(userId)}`;
			equal(/^[0-9]{8}$/.test(value), true);
			const [{ id }] = await harness.getRows(userId);
			equal(/^code:.*[.]hmac-sha256 [0-9a-f]{64}$/.test(id), true);
			equal(id.includes(value), false);

			await rejects(code.validate(value, other), "INVALID_TOKEN");
			const wrong = `${(Number(value[0]) + 1) % 10}${value.slice(1)}`;
			await rejects(code.validate(wrong, userId), "INVALID_TOKEN");
			const otherwise = { ...options, secret: secret.toUpperCase() };
			const another = passwordToken(harness.store, "code", otherwise);
			await rejects(another.validate(value, userId), "INVALID_TOKEN");
			equal((await code.getToken(value, userId)).userId, userId);
			equal((await code.validate(value, userId)).userId, userId);
			await rejects(code.validate(value, userId), "INVALID_TOKEN");
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
		name: "rejects an expired token once as expired, sweeps another, and revokes the rest",
		async run(harness) {
			const userId = await newUser(harness);
			const link = idToken(harness.store, "expired", { expiresIn: MINUTE });
			const [value] = [`${await link.issue(userId)}`, await link.issue(userId)];
			await harness.sql("UPDATE auth_key SET expires = 1 WHERE user_id = ?", [userId]);
			await rejects(link.getToken(value), "EXPIRED_TOKEN");
			await rejects(link.validate(value), "EXPIRED_TOKEN");
			await rejects(link.validate(value), "INVALID_TOKEN");

			const fresh = `${await link.issue(userId)}`;
			await link.deleteExpiredUserTokens(userId);
			equal((await link.getAllUserTokens(userId)).map(String), [fresh]);
			await link.invalidateAllUserTokens(userId);
			await rejects(link.validate(fresh), "INVALID_TOKEN");
		},
	},
	{
		name: "rejects an unknown user, and what is no token",
		async run({ store }) {
			const link = idToken(store, "unknown", { expiresIn: MINUTE });
			await rejects(link.issue("nobody"), "INVALID_USER_ID");
			for (const value of ["unknown", "", "a\0b", "é", undefined, null, 1, {}]) {
				await rejects(link.validate(value), "INVALID_TOKEN");
			}
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
