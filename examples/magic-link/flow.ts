import type { TokenHandler } from "@lucia-auth/tokens";
import type { Request, RequestParamHandler, Router } from "express";

interface Link {
	readonly href: string;
	readonly label: string;
}

/** The button of a form that asks for an address: the path that gets it, and the label. */
export interface Way {
	readonly action: string;
	readonly label: string;
}

/** A way to sign in, or something that a signed-in user can do. Each one works without the others. */
export interface Flow {
	readonly routes: Router;
	/** A button on the sign-in page. */
	readonly way?: Way;
	/** A link on the sign-in page. */
	readonly signInLink?: Link;
	/** A link on the home page. */
	readonly homeLink?: Link;
	/** The flow's tokens, to sweep. */
	readonly tokens?: readonly Pick<TokenHandler<[]>, "deleteExpiredTokens">[];
}

/** A field of a form; an empty string if there is none. */
export const field = (request: Request, name: string): string => {
	const value: unknown = (request.body as Record<string, unknown> | undefined)?.[name];
	return typeof value === "string" ? value : "";
};

/** A parameter of the URL's query; an empty string if there is none. */
export const query = (request: Request, name: string): string => {
	const value = request.query[name];
	return typeof value === "string" ? value : "";
};

/** Some mail clients add the punctuation after a link to it. Tokens are letters and digits. */
export const trimToken: RequestParamHandler = ({ params }, _response, next, token: string) => {
	params["token"] = token.replace(/[^a-z0-9].*/is, ""); // such as `>` or `.`
	next();
};
