/**
 * What is imported of each package, and so is weighed. That of 2.0 and 1.0.2 comes to an app that has
 * Lucia, that of Auth.js to one that has the rest of it; better-auth is all there.
 */
export const ENTRIES = [
	{ name: "2.0, default store", imports: ["@lucia-auth/tokens"] },
	{ name: "2.0, native on pg", imports: ["@lucia-auth/tokens", "@lucia-auth/tokens/pg"] },
	{ name: "2.0, native on mysql2", imports: ["@lucia-auth/tokens", "@lucia-auth/tokens/mysql2"] },
	{
		name: "2.0, native on SQLite",
		imports: ["@lucia-auth/tokens", "@lucia-auth/tokens/better-sqlite3"],
	},
	{ name: "2.0, suite for stores", imports: ["@lucia-auth/tokens/testing"] },
	{ name: "1.0.2", imports: ["published"] },
	{ name: "Auth.js, adapter alone", imports: ["@auth/pg-adapter"] },
	{
		name: "better-auth, magic link",
		imports: ["better-auth/minimal", "better-auth/plugins/magic-link"],
	},
];
