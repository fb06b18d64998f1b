/**
 * What the bench imports and weighs. 2.0 and 1.0.2 exclude Lucia, and Auth.js is its adapter alone.
 * better-auth is everything.
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
