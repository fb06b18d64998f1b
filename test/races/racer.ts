import type { Auth } from "lucia-auth";
import * as published from "published";
import * as current from "../../src/index.js";
import { NAME, options } from "./tokens.js";

/** What a racer runs. */
export interface Task {
	readonly store: "default" | "native";
	/** @default "current" */
	readonly version?: "current" | "published";
	/** The limit of its codes. */
	readonly maxAttempts?: number;
}

/** Makes a call with the source of its handlers. */
type WithSource = <Result>(
	call: (source: Auth | current.KeyStore) => Promise<Result>,
) => Promise<Result>;

/** Takes part in a race. */
export type Racer = ReturnType<typeof createRacer>;

const DEADLOCK = "Deadlock found when trying to get lock; try restarting transaction";

/** What came of each call: `"ok"`, or the message of its error. */
const outcomesOf = async (calls: readonly Promise<unknown>[]): Promise<string[]> =>
	(await Promise.allSettled(calls)).map((result) =>
		result.status === "fulfilled" ? "ok" : (result.reason as Error).message,
	);

/**
 * Creates a racer in this process.
 *
 * @param auth deletes users
 * @param onWin is told each token that `validateAll()` has validated
 */
export const createRacer = (
	withSource: WithSource,
	auth: Auth,
	{ store, version, ...limits }: Task,
	onWin: (token: string) => void = () => {},
) => {
	const tokens = version === "published" ? (published as unknown as typeof current) : current;
	const revoke = [NAME, `${NAME}-code`];
	const won: string[] = [];

	const handlersOn = (source: Auth | current.KeyStore) => ({
		links: tokens.idToken(source, NAME, options),
		codes: tokens.passwordToken(source, `${NAME}-code`, { ...options, ...limits }),
		spaced: tokens.idToken(source, `${NAME}-spaced`, { ...options, minInterval: 600 }),
	});

	// MySQL and MariaDB roll back one of two statements that wait for each other. The default store passes
	// that error on, and the caller tries again, as docs/stores.md says.
	const use = async <Result>(
		call: (handlers: ReturnType<typeof handlersOn>) => Promise<Result>,
	): Promise<Result> => {
		for (;;) {
			try {
				return await withSource((source) => call(handlersOn(source)));
			} catch (error) {
				if (store === "native" || (error as Error).message !== DEADLOCK) throw error;
			}
		}
	};
	const validate = (token: string, options?: current.ValidateOptions) =>
		use(({ links }) => links.validate(token, options));
	const guess = (code: string, userId: string, options?: current.ValidateOptions) =>
		use(({ codes }) => codes.validate(code, userId, options));

	return {
		/** The tokens that `validateAll()` has validated, one entry for each success. */
		won: won as readonly string[],

		validate,
		guess,
		invalidate: (token: string) => use(({ links }) => links.invalidate(token)),
		invalidateAllUserTokens: (userId: string) =>
			use(({ links }) => links.invalidateAllUserTokens(userId)),
		deleteUser: (userId: string): Promise<void> => auth.deleteUser(userId),

		/** Tries codes of a user at once. */
		guessAll: (userId: string, codes: readonly string[]) =>
			outcomesOf(codes.map((code) => guess(code, userId))),

		/** Uses links and codes of a user at once, each of which revokes all of them. */
		useAll: (userId: string, links: readonly string[], codes: readonly string[]) =>
			outcomesOf([
				...links.map((link) => validate(link, { revoke })),
				...codes.map((code) => guess(code, userId, { revoke })),
			]),

		/** Issues tokens to a user at once, with a `minInterval`. */
		issueAll: (userId: string, count: number) =>
			outcomesOf(Array.from({ length: count }, () => use(({ spaced }) => spaced.issue(userId)))),

		/**
		 * Validates tokens in the given order, and reports each success at once, because the process may be killed.
		 *
		 * @param atOnce how many of them at once
		 * @param calls how often each, at once
		 * @returns the number of failures by message
		 */
		validateAll: async (tokens: readonly string[], atOnce: number, calls: number) => {
			const failures: Record<string, number> = {};
			const queue = tokens.values();
			const win = (token: string): void => {
				won.push(token);
				onWin(token);
			};
			const run = async (): Promise<void> => {
				for (const token of queue) {
					const outcomes = await outcomesOf(
						Array.from({ length: calls }, () => validate(token).then(() => win(token))),
					);
					for (const outcome of outcomes) {
						if (outcome !== "ok") failures[outcome] = (failures[outcome] ?? 0) + 1;
					}
				}
			};
			await Promise.all(Array.from({ length: atOnce }, run));
			return failures;
		},
	};
};
