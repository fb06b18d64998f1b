import { suite } from "./test/support/suite.js";

export default suite("unit", {
	include: ["test/**/*.test.ts"],
	exclude: ["test/{browser,matrix,package,races,runtimes,worlds}/**", "**/node_modules/**"],
	// Lucia's scrypt and the interleavings are slow on a busy machine.
	testTimeout: 60_000,
	hookTimeout: 60_000,
	coverage: {
		provider: "v8",
		include: ["src/**"],
		exclude: [
			// It has no statement: it only exports those of the others.
			"src/index.ts",
			// The matrix covers these, on their databases.
			"src/stores/{better-sqlite3,d1,libsql,mysql2,pg,pg-driver,sql,sqlite}.ts",
		],
		thresholds: { lines: 100, branches: 100, functions: 100, statements: 100 },
	},
});
