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

/** Creates a racer in this process, whose users `auth` deletes. */
export const createRacer = (
	withSource: WithSource,
	auth: Auth,
	{ store, version, ...limits }: Task,
) => {
	const tokens = version === "published" ? (published as unknown as typeof current) : current;

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

	return {
		validate: (token: string, options?: current.ValidateOptions) =>
			use(({ links }) => links.validate(token, options)),
		guess: (code: string, userId: string, options?: current.ValidateOptions) =>
			use(({ codes }) => codes.validate(code, userId, options)),
		issue: (what: "links" | "codes" | "spaced", userId: string) =>
			use(async (handlers) => `${await handlers[what].issue(userId)}`),
		invalidate: (token: string) => use(({ links }) => links.invalidate(token)),
		invalidateAllUserTokens: (userId: string) =>
			use(({ links }) => links.invalidateAllUserTokens(userId)),
		deleteUser: (userId: string): Promise<void> => auth.deleteUser(userId),
	};
};
