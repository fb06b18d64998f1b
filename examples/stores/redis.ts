// A store of your own on Redis 6.2 or later. test/matrix/worked-stores.test.ts tests it.
//
// A token works once as long as Redis keeps what it has acknowledged. That takes:
//
// - a single instance. A failover may bring a used token back, even after WAIT. On a cluster, the hash tag in
//   every name keeps all tokens on one node, and the same is true of that node.
// - `appendonly yes` and `appendfsync always`. With `everysec`, a power failure may undo the last second.
// - `maxmemory-policy noeviction`. Any other policy may delete the attempts at a code, and outstanding tokens.
//
// Redis has no users, so deleting a user does not delete the user's tokens: call invalidateAllUserTokens().
import { type KeyStore, LuciaTokenError, type StoredKey } from "@lucia-auth/tokens";

/** What the store uses of a client of the package `redis`: of `createClient()`, or of a pool or a cluster. */
export interface RedisClient {
	eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>;
}

export interface RedisStoreOptions {
	/** Whether there is such a user, in the database that has your users. Without it, every id is a user's. */
	readonly isUser?: (userId: string) => boolean | Promise<boolean>;
}

const HOUR = 60 * 60 * 1000;

// How long Redis keeps a key after it expires. Until then, its token is EXPIRED_TOKEN. An internal key, whose id
// begins with a colon, is needed for an hour: a call in flight may still look for it, and clocks may differ.
const KEPT = 24 * HOUR;

const MAX_CODES = 10;

const keyName = (id: string): string => `{lucia_tokens}:key:${id}`;
const userName = (userId: string): string => `{lucia_tokens}:user:${userId}`;

// Redis runs a script alone, so each operation is one step. A key is a string, `EXPIRES USERID`. A sorted set has
// the ids of a user's keys by expiry. It may also have ids of keys that Redis has deleted since.
const LIBRARY = `
	local function keyName(id) return '${keyName("")}' .. id end
	local function userName(userId) return '${userName("")}' .. userId end

	local function begins(id, prefix) return string.sub(id, 1, #prefix) == prefix end

	-- A user's key, or anybody's.
	local function read(id, user)
		local value = redis.call('GET', keyName(id))
		if not value then return nil end
		local expires, userId = string.match(value, '^(%S+) (.*)$')
		if user and user ~= userName(userId) then return nil end
		return { id, userId, expires }
	end

	-- A user's keys whose ids begin with one of the prefixes, the newest first.
	local function list(user, ...)
		local keys = {}
		for _, id in ipairs(redis.call('ZREVRANGE', user, 0, -1)) do
			local isAsked = false
			for _, prefix in ipairs({ ... }) do isAsked = isAsked or begins(id, prefix) end
			local key = isAsked and read(id, user)
			if key then table.insert(keys, key) end
		end
		return keys
	end

	-- In digits: a round number might be written as 2e+12, which is no time to Redis.
	local function keptUntil(expires) return string.format('%.0f', expires + ${KEPT}) end

	local function insert(id, userId, expires)
		local user = userName(userId)
		redis.call('SET', keyName(id), expires .. ' ' .. userId, 'PXAT', keptUntil(expires))
		redis.call('ZADD', user, expires, id)
		local last = redis.call('ZREVRANGE', user, 0, 0, 'WITHSCORES')[2]
		redis.call('PEXPIREAT', user, keptUntil(last))
		return { id, userId, expires }
	end

	local function delete(key)
		redis.call('DEL', keyName(key[1]))
		redis.call('ZREM', userName(key[2]), key[1])
	end
`;

// In each script, KEYS[1] and KEYS[2] are the names of what it is about: of a key, and of its user if one is
// given, or of a user alone.
const SCRIPTS = {
	insert: `
		local id, userId, expires = unpack(ARGV)
		if redis.call('EXISTS', KEYS[1]) == 1 then return nil end
		return insert(id, userId, expires)`,

	get: `return read(ARGV[1], KEYS[2])`,

	consume: `
		local key = read(ARGV[1], KEYS[2])
		if key then delete(key) end
		return key`,

	consumeAndRevoke: `
		local id, now = unpack(ARGV)
		local key = read(id, KEYS[2])
		if not key then return nil end
		delete(key)
		if tonumber(key[3]) >= tonumber(now) and #ARGV > 2 then
			for _, other in ipairs(list(userName(key[2]), unpack(ARGV, 3))) do delete(other) end
		end
		return key`,

	consumeAndDelete: `
		local id, expires, attemptId = unpack(ARGV)
		local key = read(id, KEYS[2])
		if not key or key[3] ~= expires then return nil end
		delete(key)
		local attempt = read(attemptId, KEYS[2])
		if attempt then delete(attempt) end
		return key`,

	list: `return list(KEYS[1], unpack(ARGV))`,

	deleteAll: `for _, key in ipairs(list(KEYS[1], ARGV[1])) do delete(key) end`,

	deleteExpired: `
		local prefix, now, internalBefore = unpack(ARGV)
		for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. now)) do
			local key = read(id, KEYS[1])
			if not key then
				redis.call('ZREM', KEYS[1], id)
			elseif begins(id, prefix)
				or (begins(id, ':' .. prefix) and tonumber(key[3]) < tonumber(internalBefore)) then
				delete(key)
			end
		end`,

	deleteOldest: `
		local prefix, max, latest = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
		local newestFirst, older = {}, {}
		for _, key in ipairs(list(KEYS[1], prefix)) do
			table.insert(tonumber(key[3]) > latest and older or newestFirst, key)
		end
		for _, key in ipairs(older) do table.insert(newestFirst, key) end
		for at = max + 1, #newestFirst do delete(newestFirst[at]) end`,

	takeAttempts: `
		local prefix, guess, max, now = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
		local codes = {}
		local expired = nil
		for _, key in ipairs(list(KEYS[1], prefix)) do
			if tonumber(key[3]) >= now then
				if #codes < ${MAX_CODES} then table.insert(codes, key) end
			elseif key[1] == guess then
				expired = key
			end
		end
		if expired then table.insert(codes, expired) end

		local good = {}
		for _, code in ipairs(codes) do
			local start = ':' .. code[1] .. ' ' .. code[3] .. ' '
			if #list(KEYS[1], start) < max then
				table.insert(good, { code, start })
				if code[1] == guess then good = { good[#good] } break end
			end
		end

		local taken = {}
		for _, one in ipairs(good) do
			local code, start = unpack(one)
			local number = 1
			while redis.call('EXISTS', keyName(start .. number)) == 1 do number = number + 1 end
			table.insert(taken, insert(start .. number, code[2], code[3]))
		end
		return taken`,
};

type Row = readonly [id: string, userId: string, expires: string];

const toStoredKey = ([id, userId, expires]: Row): StoredKey => ({
	id,
	userId,
	expires: Number(expires),
});

export const redisStore = (
	client: RedisClient,
	{ isUser = () => true }: RedisStoreOptions = {},
): KeyStore => {
	const run = (
		script: keyof typeof SCRIPTS,
		keys: string[],
		...values: readonly (string | number)[]
	): Promise<unknown> =>
		client.eval(LIBRARY + SCRIPTS[script], { keys, arguments: values.map(String) });

	const runForKey = async (
		script: keyof typeof SCRIPTS,
		id: string,
		userId: string | undefined,
		...values: readonly (string | number)[]
	): Promise<StoredKey | null> => {
		const keys = [keyName(id), ...(userId === undefined ? [] : [userName(userId)])];
		const row = (await run(script, keys, id, ...values)) as Row | null;
		return row && toStoredKey(row);
	};

	const runForUser = async (
		script: keyof typeof SCRIPTS,
		userId: string,
		...values: readonly (string | number)[]
	): Promise<StoredKey[]> => {
		const rows = (await run(script, [userName(userId)], ...values)) as Row[] | null;
		return (rows ?? []).map(toStoredKey);
	};

	const checkUser = async (userId: string): Promise<void> => {
		if (!(await isUser(userId))) throw new LuciaTokenError("INVALID_USER_ID");
	};

	return {
		async insert({ id, userId, expires }) {
			await checkUser(userId);
			const inserted = await runForKey("insert", id, userId, userId, expires);
			if (!inserted) throw new LuciaTokenError("DUPLICATE_TOKEN");
		},

		get: (id, userId) => runForKey("get", id, userId),

		consume: (id, userId) => runForKey("consume", id, userId),

		consumeAndRevoke: (id, userId, prefixes, now) =>
			runForKey("consumeAndRevoke", id, userId, now, ...prefixes),

		consumeAndDelete: ({ id, userId, expires }, attemptId) =>
			runForKey("consumeAndDelete", id, userId, expires, attemptId),

		async delete(id, userId) {
			await runForKey("consume", id, userId);
		},

		async getAllByUser(userId, prefix, orPrefix = prefix) {
			await checkUser(userId);
			return runForUser("list", userId, prefix, orPrefix);
		},

		async deleteAllByUser(userId, prefix) {
			await runForUser("deleteAll", userId, prefix);
		},

		// There is no deleteExpired, because Redis itself deletes the expired keys of all users.
		async deleteExpiredByUser(userId, prefix, now) {
			await runForUser("deleteExpired", userId, prefix, now, now - HOUR);
		},

		async deleteOldest(userId, prefix, max, latest) {
			await runForUser("deleteOldest", userId, prefix, max, latest);
		},

		takeAttempts: ({ userId, prefix, id, maxAttempts, now }) =>
			runForUser("takeAttempts", userId, prefix, id, maxAttempts, now),
	};
};
