import { domainToASCII } from "node:url";
import { idToken, LuciaTokenError } from "@lucia-auth/tokens";
import { hash, verify } from "@node-rs/argon2";
import type { Request, Response } from "express";
import lucia, { LuciaError } from "lucia-auth";
import { express } from "lucia-auth/middleware";
import { baseUrl, secure } from "./config.js";
import { type Account, database } from "./database.js";

/** Whether this is the password of a hash. A hash of another kind, such as Lucia's own, is not. */
export const isPassword = (stored: string, typed: string): Promise<boolean> =>
	verify(stored, typed).catch(() => false);

export const auth = lucia({
	adapter: database.adapter,
	env: secure ? "PROD" : "DEV",
	middleware: express(),
	origin: [baseUrl],
	hash: {
		generate: (password) => hash(password),
		validate: (password, stored) => isPassword(stored, password),
	},
	// Where it fails, Lucia's own cleanup ends the process. `sweep()` of app.tsx does it instead.
	autoDatabaseCleanup: false,
	transformDatabaseUser: ({ id, email }) => ({ userId: id, email }),
});

declare global {
	/** Lucia 1 takes your app's types from this namespace: without it, `user.email` has no type. */
	namespace Lucia {
		type Auth = typeof auth;
		type UserAttributes = { email: string };
	}
}

/** Returns an address the way it is stored, however it was typed; an empty string if it is none. */
export const toAddress = (typed: string): string => {
	const address = typed.trim().normalize("NFC").toLowerCase();
	const [, local, host = ""] =
		/^([^\s\p{C}@,;:<>()[\]"\\]{1,64})@([^\s\p{C}@,;:<>()[\]"\\]{1,189})$/u.exec(address) ?? [];
	// One spelling for each domain: some browsers send `xn--…`, and others what was typed.
	const domain = domainToASCII(host);
	return local && domain && domain.length <= 189 ? `${local}@${domain}` : "";
};

/**
 * Returns the account of an address, or creates it: to sign in is also to sign up. Only someone who reads the mail
 * gets in, so an account that nobody has verified has no password and no session.
 */
export const findOrCreateAccount = async (email: string): Promise<Account> => {
	const found = await database.findAccount(email);
	if (found) return found;
	// With a primary key, Lucia would leave a user without a key behind when the key is taken.
	const user = { primaryKey: null, attributes: { email } };
	const result: unknown = await auth.createUser(user).catch((error: unknown) => error);
	const created = await database.findAccount(email); // by this request, or by another one
	if (!created) throw result;
	return created;
};

/** The tokens that let a user in. The use of one revokes the user's others. */
export const accountTokens = ["magic-link", "sign-in-code", "password-link"];

/** Revokes all that was mailed to a user. `idToken()` deletes codes, too. */
export const revokeMailed = (userId: string): Promise<unknown> =>
	Promise.all(
		[...accountTokens, "new-address"].map((name) =>
			idToken(database.tokens, name).invalidateAllUserTokens(userId),
		),
	);

/**
 * The address to mail a new token to. Read after the token was issued: a change of the address revokes what
 * was issued before it.
 */
export const addressOf = async (userId: string): Promise<string> =>
	(await auth.getUser(userId)).email;

/** The ID of a browser's session; an empty string for what can't be one, such as one that has NUL. */
export const sessionIdOf = (request: Request, response: Response): string => {
	const { storedSessionId } = auth.handleRequest(request, response);
	return /^[a-z0-9]{40}$/i.test(storedSessionId ?? "") ? (storedSessionId ?? "") : "";
};

/** The user and the session of a browser. This reads: it neither renews the session nor sets a cookie. */
export const currentSession = async (request: Request, response: Response) => {
	return auth.getSessionUser(sessionIdOf(request, response)).catch((error: unknown) => {
		if (error instanceof LuciaError) return undefined;
		throw error;
	});
};

/** The user and the session of a browser that is signed in. Any other browser goes to the sign-in page. */
export const requireSession = async (request: Request, response: Response) => {
	const session = await currentSession(request, response);
	if (!session) {
		response.redirect(303, `/sign-in?next=${encodeURIComponent(request.originalUrl)}`);
	}
	return session;
};

/** The address of the user whose link has expired. */
export const ownerOf = async (error: unknown): Promise<string | undefined> =>
	error instanceof LuciaTokenError && error.userId !== undefined
		? addressOf(error.userId)
		: undefined;

/**
 * Signs a user in. The new session replaces the one that the browser had before, even another user's.
 *
 * @param hash the hash of the password that was verified, if one was. The session starts only if the
 * account still has it
 * @returns whether the session started
 */
export const startSession = async (
	request: Request,
	response: Response,
	userId: string,
	hash?: string,
): Promise<boolean> => {
	const authRequest = auth.handleRequest(request, response);
	const former = sessionIdOf(request, response);
	const session = await auth.createSession(userId);
	// Afterwards: a change of the password ends the sessions that it finds.
	if (hash !== undefined && !(await database.isHash(userId, hash))) {
		await auth.invalidateSession(session.sessionId);
		return false;
	}
	if (former) await auth.invalidateSession(former);
	authRequest.setSession(session);
	return true;
};
