import { authJsLinks } from "./auth-js.js";
import { betterAuthContenders } from "./better-auth.js";
import { driverContenders } from "./driver.js";
import { luciaContenders } from "./lucia.js";

/** All that take part on a database: `{ links, codes }`. Auth.js is on PostgreSQL alone. */
export const allContenders = async ({
	statements,
	adapter,
	nativeStore,
	betterAuthDatabase,
	authJsPool,
}) => {
	const libraries = [
		driverContenders(statements),
		luciaContenders(adapter, nativeStore),
		await betterAuthContenders(betterAuthDatabase),
		...(authJsPool ? [authJsLinks(authJsPool)] : []),
	];
	return {
		links: libraries.flatMap(({ links }) => links),
		codes: libraries.flatMap(({ codes }) => codes ?? []),
	};
};
