import fc from "fast-check";
import { inspect } from "node:util";
import { expect } from "vitest";
import {
	idToken,
	type KeyStore,
	type LuciaAuth,
	LuciaTokenError,
	passwordToken,
	Token,
} from "../../src/index.js";
import type { Database } from "./database.js";
import { NOT_STRINGS, UNSTORABLE_STRINGS } from "./values.js";

// Calls every public function with arbitrary values. After each call, checks three things: only documented
// errors are thrown, no key of another type changes, and no error contains a secret.

const SECRET = "0123456789abcdef0123456789abcdef";
const USERS = ["alice", "bob", "a.b", "a", "100%", "o'b"];

const hostile = fc.oneof(
	fc.anything({
		withBigInt: true,
		withBoxedValues: true,
		withDate: true,
		withMap: true,
		withNullPrototype: true,
		withObjectString: true,
		withSet: true,
		withSparseArray: true,
		withTypedArray: true,
		withUnicodeString: true,
	}),
	fc.string({ unit: "binary", maxLength: 300 }),
	fc.string({ unit: "grapheme", maxLength: 300 }),
	fc.constantFrom<unknown>(
		...[...NOT_STRINGS, ...UNSTORABLE_STRINGS].map(([, value]) => value),
		...["__proto__", "constructor", "a".repeat(255)],
		...[Number.MAX_SAFE_INTEGER, Number.MIN_VALUE, -0],
	),
);

/** The errors that each method may throw. */
const DOCUMENTED = {
	issue: ["INVALID_USER_ID", "DUPLICATE_TOKEN", "ISSUED_RECENTLY"],
	validate: ["INVALID_TOKEN", "EXPIRED_TOKEN"],
	getToken: ["INVALID_TOKEN", "EXPIRED_TOKEN"],
	invalidate: [],
	invalidateToken: [],
	withdraw: [],
	invalidateAllUserTokens: [],
	getAllUserTokens: ["INVALID_USER_ID"],
	getUserTokens: ["INVALID_USER_ID"],
	deleteExpiredUserTokens: [],
} as const;

type Method = keyof typeof DOCUMENTED;

// What a method throws for options that are none, or for what it cannot take back.
const REFUSED =
	/^(options must be an object|.* is not an option: the options are boundTo|token must be what issue\(\) )/s;

/** An argument: something hostile, a user, or a token that was issued. */
type Argument = { anything: unknown } | { user: string } | { issued: number; asToken: boolean };

const argument: fc.Arbitrary<Argument> = fc.oneof(
	{ weight: 3, arbitrary: hostile.map((anything) => ({ anything })) },
	{ weight: 2, arbitrary: fc.constantFrom(...USERS).map((user) => ({ user })) },
	{ weight: 2, arbitrary: fc.record({ issued: fc.nat(), asToken: fc.boolean() }) },
);

const call = fc.record({
	handler: fc.nat(),
	method: fc.constantFrom(...(Object.keys(DOCUMENTED) as Method[])),
	first: argument,
	second: argument,
	options: fc.oneof(
		hostile,
		fc.constant(undefined),
		fc.constant({}),
		fc.record({ boundTo: hostile }),
		fc.record({ boundTo: fc.constant("a@example.com") }),
	),
});

const optional = (arbitrary: fc.Arbitrary<unknown> = hostile) =>
	fc.option(arbitrary, { nil: undefined });

const OF_ALL = {
	expiresIn: fc.oneof(hostile, fc.constant(60)),
	length: optional(),
	generate: optional(fc.oneof(hostile, fc.func(hostile))),
	maxTokensPerUser: optional(),
	minInterval: optional(),
	storeToken: optional(fc.oneof(hostile, fc.constantFrom("plain", "hashed"))),
};

const linkOptions = fc.record(OF_ALL);
const codeOptions = fc.record({
	...OF_ALL,
	maxAttempts: optional(),
	secret: optional(fc.oneof(hostile, fc.constant(SECRET))),
});

type Handler = Record<Method, (...args: unknown[]) => Promise<unknown>>;

const handlersOn = (source: LuciaAuth | KeyStore): Handler[] => {
	const hashed = { expiresIn: 60, storeToken: "hashed" } as const;
	return [
		idToken(source, "fuzz-link", { expiresIn: 60 }),
		idToken(source, "fuzz-link-hashed", { ...hashed, maxTokensPerUser: 3, minInterval: 0.001 }),
		passwordToken(source, "fuzz-code", { expiresIn: 60 }),
		passwordToken(source, "fuzz-code-hashed", { ...hashed, secret: SECRET, maxTokensPerUser: 2 }),
	] as unknown as Handler[];
};

/** Rows that no handler here may touch: of other types, or no tokens at all. */
const insertBystanders = async (db: Database): Promise<void> => {
	for (const user of USERS) {
		for (const [name, expires, password] of [
			["fuzz-link", "NULL", "NULL"],
			["fuzz-code", "NULL", "NULL"],
			["fuzz-link", "1", "'hash'"],
			["fuzz", "1", "NULL"],
			["fuzz-link2", "1", "NULL"],
			// Any sweep of the user's may delete an internal row that has expired.
			[":fuzz-link2", "9000000000000", "NULL"],
		] as const) {
			const id = `${name}:${user}.bystander-${password.length}`;
			await db.sql(
				`INSERT INTO auth_key (id, user_id, primary_key, hashed_password, expires)
				VALUES (?, ?, FALSE, ${password}, ${expires})`,
				[id, user],
			);
		}
	}
};

const bystandersIn = async (db: Database) => {
	const rows = (await db.keys()).filter(({ id }) => id.includes(".bystander-"));
	return new Map(rows.map((row) => [row.id, row]));
};

/** @returns how many calls succeeded: a fuzz without successes tests nothing */
export const fuzz = async (db: Database, numRuns: number): Promise<number> => {
	for (const user of USERS) await db.sql("INSERT INTO auth_user (id) VALUES (?)", [user]);
	await insertBystanders(db);
	const bystanders = await bystandersIn(db);
	const handlers = [...handlersOn(db.defaultSource), ...handlersOn(db.nativeSource)];
	const issued: Token[] = [];
	let succeeded = 0;

	const toArgument = (value: Argument): unknown => {
		if ("user" in value) return value.user;
		if ("anything" in value) return value.anything;
		const token = issued[value.issued % Math.max(1, issued.length)];
		return value.asToken ? token : token?.toString();
	};

	/** Makes a call, and checks its error, and the rows that it may not touch. */
	const attempt = async (call: () => Promise<unknown>, isKnown: (error: Error) => boolean) => {
		try {
			const result = await call();
			succeeded++;
			if (result instanceof Token) issued.push(result);
			if (issued.length > 50) issued.shift();
		} catch (error) {
			const text = inspect(error, { depth: null, showHidden: true });
			for (const secret of [SECRET, ...issued]) expect(text.includes(`${secret}`)).toBe(false);
			// "got" is what a getter of the caller's own throws.
			if ((error as Error).message !== "got" && !isKnown(error as Error)) throw error;
		}
		expect(await bystandersIn(db)).toEqual(bystanders);
	};

	await fc.assert(
		fc.asyncProperty(call, async ({ handler, method, first, second, options }) => {
			const target = handlers[handler % handlers.length] as Handler;
			const ofLink = handler % 4 < 2 && method !== "issue";
			await attempt(
				async () => {
					const rest = method === "issue" || ofLink ? [options] : [toArgument(second), options];
					return target[method](toArgument(first), ...rest);
				},
				({ message, constructor }) => {
					if (constructor === LuciaTokenError) {
						return (DOCUMENTED[method] as readonly string[]).includes(message);
					}
					const isOfBinding = method === "issue" && message.startsWith("boundTo ");
					if (constructor === RangeError) return isOfBinding;
					return constructor === TypeError && (isOfBinding || REFUSED.test(message));
				},
			);
		}),
		{ numRuns: Math.ceil(numRuns * 0.8) },
	);

	await fc.assert(
		fc.asyncProperty(
			fc.boolean(),
			fc.oneof(hostile, fc.constant("fuzz-made")),
			fc.oneof({ weight: 1, arbitrary: hostile }, { weight: 3, arbitrary: linkOptions }),
			fc.oneof({ weight: 1, arbitrary: hostile }, { weight: 3, arbitrary: codeOptions }),
			async (guessable, name, forLinks, forCodes) => {
				const make = (guessable ? passwordToken : idToken) as (...args: unknown[]) => Handler;
				const known: unknown[] = [TypeError, RangeError, LuciaTokenError];
				await attempt(
					async () => {
						const handler = make(db.nativeSource, name, guessable ? forCodes : forLinks);
						const token = await handler.issue("alice");
						await handler.validate(token, ...(guessable ? ["alice"] : []));
					},
					({ constructor }) => known.includes(constructor),
				);
			},
		),
		{ numRuns: Math.floor(numRuns * 0.2) },
	);
	return succeeded;
};
