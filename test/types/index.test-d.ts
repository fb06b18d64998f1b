import lucia, { type Auth, type SingleUseKey as LuciaSingleUseKey } from "lucia-auth";
import { node } from "lucia-auth/middleware";
import type * as published from "published";
import { describe, expectTypeOf, test } from "vitest";
import {
	type BindingOptions,
	type IssueOptions,
	type ValidateOptions,
	type IdTokenOptions,
	type IdTokenWrapper,
	idToken,
	type KeyStore,
	LuciaTokenError,
	type LuciaTokenErrorMessage,
	type PasswordTokenOptions,
	type PasswordTokenWrapper,
	passwordToken,
	type SingleUseKey,
	Token,
	type TokenHandler,
} from "../../src/index.js";

declare const auth: Auth;
declare const store: KeyStore;
declare const idHandler: IdTokenWrapper;
declare const passwordHandler: PasswordTokenWrapper;
declare const token: Token;

describe("idToken and passwordToken", () => {
	test("take a Lucia Auth, however configured, a KeyStore, or any as 1.0.2 did, and the options of their own type", () => {
		expectTypeOf(idToken).toBeCallableWith(auth, "name");
		const configured = lucia({
			adapter: null as never,
			env: "DEV",
			middleware: node(),
			transformDatabaseUser: ({ id, username }) => ({ userId: id, username }),
		});
		expectTypeOf(idToken).toBeCallableWith(configured, "name", { expiresIn: 60 });
		// eslint-disable-next-line @typescript-eslint/no-explicit-any
		expectTypeOf(idToken).toBeCallableWith(auth as any, "name", { expiresIn: 0 });
		expectTypeOf(idToken).toBeCallableWith(store, "name", {
			expiresIn: 60,
			maxTokensPerUser: 1,
			storeToken: "hashed",
		});
		expectTypeOf(passwordToken).toBeCallableWith(auth, "name", {});
		expectTypeOf(passwordToken).toBeCallableWith(store, "name", {
			length: undefined,
			generate: undefined,
			maxAttempts: Infinity,
			secret: "s",
		});
	});

	test("take nothing else", () => {
		// @ts-expect-error a string is no Auth
		idToken("auth", "name", { expiresIn: 60 });
		// @ts-expect-error an empty object is no Auth
		idToken({}, "name", { expiresIn: 60 });
		// @ts-expect-error expiresIn is a number
		idToken(auth, "name", { expiresIn: "60" });
		// @ts-expect-error generate returns a string
		passwordToken(auth, "name", { expiresIn: 60, generate: () => 1 });
		// @ts-expect-error there is no such option
		idToken(auth, "name", { expiresIn: 60, expires: 1 });
		// @ts-expect-error an id token can't be guessed
		idToken(auth, "name", { expiresIn: 60, maxAttempts: 5 });
		// @ts-expect-error nor does its digest need a key
		idToken(auth, "name", { expiresIn: 60, secret: "s" });
		// @ts-expect-error there is no such way to store a token
		idToken(auth, "name", { expiresIn: 60, storeToken: "encrypted" });
	});

	test("are declared exactly, not as any", () => {
		expectTypeOf(idToken).returns.toEqualTypeOf<IdTokenWrapper>();
		expectTypeOf(passwordToken).returns.toEqualTypeOf<PasswordTokenWrapper>();
		expectTypeOf(idToken).parameter(2).toEqualTypeOf<IdTokenOptions | undefined>();
		expectTypeOf(passwordToken).parameter(2).toEqualTypeOf<PasswordTokenOptions | undefined>();
		expectTypeOf<IdTokenOptions["generate"]>().not.toBeAny();
	});
});

describe("the handlers", () => {
	test("return promises of what their names say", () => {
		expectTypeOf(idHandler.issue).toEqualTypeOf<
			(userId: string, options?: IssueOptions) => Promise<Token>
		>();
		expectTypeOf(idHandler.validate).returns.resolves.toEqualTypeOf<Token>();
		expectTypeOf(idHandler.getToken).returns.resolves.toEqualTypeOf<Token>();
		expectTypeOf(idHandler.invalidate).returns.resolves.toEqualTypeOf<void>();
		expectTypeOf(idHandler.withdraw).toEqualTypeOf<(token: Token) => Promise<void>>();
		expectTypeOf(idHandler.invalidateAllUserTokens).returns.resolves.toEqualTypeOf<void>();
		expectTypeOf(idHandler.getAllUserTokens).returns.resolves.toEqualTypeOf<Token[]>();
		expectTypeOf(passwordHandler.validate).parameters.toEqualTypeOf<
			[token: string | Token, userId: string, options?: ValidateOptions]
		>();
		type Given = [token: string | Token, userId: string, options?: BindingOptions];
		expectTypeOf(passwordHandler.getToken).parameters.toEqualTypeOf<Given>();
		expectTypeOf(passwordHandler.invalidate).parameters.toEqualTypeOf<Given>();
	});

	test("share one interface, and differ in what comes after a token", () => {
		expectTypeOf<IdTokenWrapper>().toEqualTypeOf<TokenHandler<[]>>();
		expectTypeOf<PasswordTokenWrapper>().toEqualTypeOf<TokenHandler<[userId: string]>>();
		expectTypeOf<keyof IdTokenWrapper>().toEqualTypeOf<keyof PasswordTokenWrapper>();
	});

	test("refuse other arguments and options", () => {
		// @ts-expect-error a password token is nothing without its user
		void (() => passwordHandler.validate("12345678"));
		// @ts-expect-error a token is a string or a Token
		void (() => idHandler.validate(null));
		// @ts-expect-error there is no such option
		void (() => idHandler.issue("user", { boundto: "nonce" }));
		// @ts-expect-error an index is no option
		void (() => ["token"].map(idHandler.validate));
		// @ts-expect-error a user id belongs to password tokens alone
		void (() => idHandler.validate("token", "user"));
		// @ts-expect-error a value does not tell which interval it began
		void (() => idHandler.withdraw("token"));
	});

	test("can stand where those of 1.0.2 stood", () => {
		type Published<T extends (...args: never[]) => unknown> = {
			[Name in keyof ReturnType<T>]: Arguments<ReturnType<T>[Name]>;
		};
		type Arguments<Method> = Method extends (...args: infer A) => unknown ? A : never;
		type Current<Handler, Names extends keyof Handler> = {
			[Name in Names]: Arguments<Handler[Name]>;
		};
		type Links = Published<typeof published.idToken>;
		type Codes = Published<typeof published.passwordToken>;
		expectTypeOf<Links>().toExtend<Current<IdTokenWrapper, keyof Links>>();
		expectTypeOf<Codes>().toExtend<Current<PasswordTokenWrapper, keyof Codes>>();
		expectTypeOf<Parameters<typeof published.idToken>[1]>().toEqualTypeOf<string>();
		expectTypeOf<Parameters<typeof published.idToken>[2]>().toExtend<IdTokenOptions>();
		expectTypeOf<Parameters<typeof published.passwordToken>[2]>().toExtend<PasswordTokenOptions>();
	});
});

describe("Token", () => {
	test("has the members of 1.0.2 with their types", () => {
		type Members = Pick<published.Token, keyof published.Token>;
		expectTypeOf<{ -readonly [Name in keyof Members]: Token[Name] }>().toEqualTypeOf<{
			-readonly [Name in keyof Members]: Members[Name];
		}>();
		expectTypeOf(Token).constructorParameters.toEqualTypeOf<
			ConstructorParameters<typeof published.Token>
		>();
	});

	test("has a key of the shape of Lucia's SingleUseKey", () => {
		expectTypeOf<SingleUseKey>().toEqualTypeOf<LuciaSingleUseKey>();
	});

	test("is read-only", () => {
		// @ts-expect-error the user is not to be changed
		void (() => (token.userId = "other"));
		// @ts-expect-error the expiry is not to be changed
		void (() => (token.expiresAt = new Date()));
	});
});

describe("LuciaTokenError", () => {
	test("has one of five messages", () => {
		expectTypeOf<LuciaTokenErrorMessage>().toEqualTypeOf<
			"INVALID_TOKEN" | "EXPIRED_TOKEN" | "INVALID_USER_ID" | "DUPLICATE_TOKEN" | "ISSUED_RECENTLY"
		>();
		expectTypeOf<LuciaTokenError["message"]>().toEqualTypeOf<LuciaTokenErrorMessage>();
		expectTypeOf<published.LuciaTokenError["message"]>().toExtend<LuciaTokenError["message"]>();
		expectTypeOf<LuciaTokenError["retryAfter"]>().toEqualTypeOf<number | undefined>();
		// @ts-expect-error there is no such message
		void (() => new LuciaTokenError("UNKNOWN"));
	});
});
