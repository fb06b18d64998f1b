import { ownOptions } from "./check.js";
import { isExpired, now, secondsFromNow } from "./clock.js";
import { isTokenError } from "./error.js";
import type { TokenHandler } from "./handler.js";
import type { UserScope } from "./key-id.js";
import { type KeyStore, refuseTransaction, type StoredKey } from "./key-store.js";
import { issueInterval } from "./limits/interval.js";
import { tokenLimit } from "./limits/token-limit.js";
import { checkBinding, checkSeconds, type Settings } from "./options.js";
import { type Token, tokenKeyId, toToken } from "./token.js";

// An app that never sweeps keeps a bounded number of rows: one call to issue() in so many sweeps.
const CALLS_PER_SWEEP = 8;

// A fixed `generate` must not make two tokens of one id and expiry: internal ids name both.
const SAME_MOMENT = 1000;

/** Makes a function that draws a new token and stores it. */
const drawer = (store: KeyStore, { generate, redraws, atRest }: Settings, isKnownUser: boolean) => {
	let lastExpires = 0;

	const apart = (expires: number): number => {
		if (redraws > 0) return expires;
		const isSame = expires <= lastExpires && expires > lastExpires - SAME_MOMENT;
		lastExpires = isSame ? lastExpires + 1 : expires;
		return lastExpires;
	};

	// Deletes the key that has the id, if it has expired. Returns whether it had.
	const clear = async (id: string): Promise<boolean> => {
		const taken = await store.get(id);
		if (!taken || !isExpired(taken.expires, now())) return false;
		await store.deleteExpiredByUser(taken.userId, id, now());
		return true;
	};

	const insert = async (key: StoredKey): Promise<void> => {
		try {
			await store.insert(key, isKnownUser);
		} catch (error) {
			if (!isTokenError(error, "DUPLICATE_TOKEN") || !(await clear(key.id))) throw error;
			await store.insert(key, true);
		}
	};

	return async (
		{ prefix, userId }: UserScope,
		boundTo: string | undefined,
		expires: number,
	): Promise<Token> => {
		for (let draws = 0; ; draws++) {
			const value = generate(prefix);
			const id = (await atRest.keyId(value, prefix, boundTo)) as string;
			const key = { id, userId, expires: apart(expires) };
			try {
				await insert(key);
				return toToken(key, value, now());
			} catch (error) {
				if (draws === redraws || !isTokenError(error, "DUPLICATE_TOKEN")) throw error;
			}
		}
	};
};

/** Makes `issue()` and `withdraw()`. */
export const issuer = (
	store: KeyStore,
	settings: Settings,
	knownUserScope: (userId: unknown) => UserScope,
): Pick<TokenHandler<[]>, "issue" | "withdraw"> => {
	const { expiresIn, atRest, maxAttempts, maxTokensPerUser, minInterval } = settings;
	const tokens = maxTokensPerUser < Infinity ? tokenLimit(store, maxTokensPerUser) : null;
	const interval = minInterval > 0 ? issueInterval(store, minInterval) : null;
	const isKnownUser = Boolean(tokens ?? interval);
	const draw = drawer(store, settings, isKnownUser);
	// A native store without limits keeps to one statement: the app can sweep for all users.
	const sweeps = isKnownUser || maxAttempts < Infinity || !store.deleteExpired;
	const intervals = new WeakMap<Token, () => Promise<void>>();

	const issueLimited = async (
		scope: UserScope,
		boundTo: string | undefined,
		seconds: number,
	): Promise<Token> => {
		const insert = (expires: number) => draw(scope, boundTo, expires);
		const issue = () =>
			tokens ? tokens.issue(scope, seconds, insert) : insert(secondsFromNow(seconds));
		if (!interval) return issue();
		await refuseTransaction(store, "minInterval");
		const [token, end] = await interval.issue(scope, issue, (token) =>
			store.delete(String(tokenKeyId(token)), scope.userId),
		);
		intervals.set(token, end);
		return token;
	};

	return {
		async issue(userId, options) {
			const given = ownOptions(options, ["boundTo", "expiresIn"]);
			const { expiresIn: seconds = expiresIn } = given;
			if (seconds === undefined) throw new TypeError("issue() requires the option expiresIn");
			checkSeconds("expiresIn", seconds);
			// An undefined boundTo, such as a missing cookie's, must not issue an unbound token.
			if ("boundTo" in given) checkBinding(given.boundTo, atRest);
			const scope = knownUserScope(userId);
			const token = await issueLimited(scope, given.boundTo as string | undefined, seconds);
			if (sweeps && token.expiresAt.getTime() % CALLS_PER_SWEEP === 0) {
				// The token is stored: a failed sweep must not report it as not issued.
				await store.deleteExpiredByUser(scope.userId, scope.prefix, now()).catch(() => {});
			}
			return token;
		},

		async withdraw(token) {
			const id = tokenKeyId(token);
			if (!id?.startsWith(knownUserScope(token?.userId).prefix)) {
				throw new TypeError("token must be what issue() of this handler returned");
			}
			await store.delete(id, token.userId);
			await intervals.get(token)?.();
		},
	};
};
