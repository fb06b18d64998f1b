import type { KeyStore } from "@lucia-auth/tokens";
import type { Configuration } from "lucia-auth";
import { databaseUrl } from "./config.js";

export interface Account {
	readonly id: string;
	readonly email: string;
}

/** An account as its table has it. */
export interface StoredAccount extends Account {
	/** Whether a mailed token was ever used, so that the address belongs to the account's owner. */
	readonly isVerified: boolean;
}

/**
 * What the flows need of a database. The last four hold under attack: whatever happens at the same time,
 * each one takes effect as a whole, or not at all.
 */
export interface Database {
	/** Lucia's adapter. */
	readonly adapter: Configuration["adapter"];
	/** Where tokens are kept. */
	readonly tokens: KeyStore;

	findAccount(email: string): Promise<StoredAccount | undefined>;

	/** The hash of an account's password. */
	findHash(userId: string): Promise<string | undefined>;

	/** Notes that a mailed token was used, so the address belongs to the account's owner. */
	markVerified(userId: string): Promise<void>;

	/** Deletes sessions that have ended, and accounts that are a day old and that nobody ever signed in to. */
	sweep(): Promise<void>;

	/** Tells whether `hash` is still the account's, and waits for a change that has begun. */
	isHash(userId: string, hash: string): Promise<boolean>;

	/**
	 * Changes the hash from the one that was verified, and ends all sessions.
	 *
	 * @returns whether it did: not if the hash has changed since
	 */
	changeHash(userId: string, verified: string, hash: string): Promise<boolean>;

	/**
	 * Sets the hash whatever it was, ends all sessions, and gives the account the address that the link
	 * was mailed to. So it wins over every change that has begun. An unverified account there is deleted.
	 */
	resetHash(account: Account, hash: string): Promise<void>;

	/**
	 * Gives an account another address, and moves its password there, if the session has not ended. An
	 * unverified account there is deleted.
	 *
	 * @returns whether it did: not if another account has the address
	 */
	changeAddress(userId: string, sessionId: string, email: string): Promise<boolean>;

	close(): Promise<void>;
}

const { openDatabase } = await (databaseUrl.startsWith("postgres")
	? import("./database/postgresql.js")
	: import("./database/sqlite.js"));

export const database: Database = await openDatabase(databaseUrl);
