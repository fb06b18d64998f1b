import { building } from "$app/environment";
import { env } from "$env/dynamic/private";
import { betterSqlite3 } from "@lucia-auth/adapter-sqlite";
import { idToken } from "@lucia-auth/tokens";
import { betterSqlite3 as tokenStore } from "@lucia-auth/tokens/better-sqlite3";
import Database from "libsql";
import lucia from "lucia-auth";
import { sveltekit } from "lucia-auth/middleware";
import { origin } from "./origin";

// A build imports this file, too, and must not leave a database behind.
const db = new Database(building ? ":memory:" : (env.DATABASE ?? "app.db"));
db.pragma("journal_mode = WAL");
db.pragma("busy_timeout = 5000");
db.pragma("foreign_keys = ON");
db.exec(`
	CREATE TABLE IF NOT EXISTS auth_user (
		id TEXT NOT NULL PRIMARY KEY,
		email TEXT NOT NULL UNIQUE
	);
	CREATE TABLE IF NOT EXISTS auth_session (
		id TEXT NOT NULL PRIMARY KEY,
		user_id TEXT NOT NULL REFERENCES auth_user (id),
		active_expires BIGINT NOT NULL,
		idle_expires BIGINT NOT NULL
	);
	CREATE TABLE IF NOT EXISTS auth_key (
		id TEXT NOT NULL PRIMARY KEY,
		user_id TEXT NOT NULL REFERENCES auth_user (id),
		primary_key INTEGER NOT NULL,
		hashed_password TEXT,
		expires BIGINT
	);
	CREATE INDEX IF NOT EXISTS auth_key_user_id ON auth_key (user_id);
`);

export const auth = lucia({
	// libsql has the interface of better-sqlite3.
	adapter: betterSqlite3(db as never),
	env: origin.startsWith("https:") ? "PROD" : "DEV",
	middleware: sveltekit(),
	origin: [origin],
	// Where it fails, Lucia's own cleanup ends the process. `sweepDaily()` does it instead.
	autoDatabaseCleanup: false,
	transformDatabaseUser: ({ id, email }) => ({ userId: id, email }),
});

export const magicLink = idToken(tokenStore(db), "magic-link", {
	expiresIn: 60 * 10, // ten minutes
	storeToken: "hashed",
	maxTokensPerUser: 3,
	// Otherwise, anyone could fill a user's mailbox, and end the user's link with three newer ones.
	minInterval: 60, // a minute
});

const shared = globalThis as typeof globalThis & { sweeper?: NodeJS.Timeout };

/** Deletes sessions that have ended, and the expired tokens of users who don't come back: now, and daily. */
export const sweepDaily = () => {
	const sweep = async () => {
		db.prepare("DELETE FROM auth_session WHERE idle_expires < ?").run(Date.now());
		await magicLink.deleteExpiredTokens();
	};
	const run = () => void sweep().catch(console.error);
	run();
	clearInterval(shared.sweeper);
	shared.sweeper = setInterval(run, 1000 * 60 * 60 * 24).unref();
};

const findUserId = (email: string) =>
	(db.prepare("SELECT id FROM auth_user WHERE email = ?").get(email) as { id: string } | undefined)
		?.id;

/**
 * Returns the user of an address, or creates one: signing in is also signing up, so no response reveals
 * whether an address has an account.
 */
export const userIdOf = async (email: string): Promise<string> => {
	const known = findUserId(email);
	if (known !== undefined) return known;
	try {
		return (await auth.createUser({ primaryKey: null, attributes: { email } })).userId;
	} catch (error) {
		// Another request for the same address may have come first.
		const other = findUserId(email);
		if (other !== undefined) return other;
		throw error;
	}
};
