import { defineConfig } from "tsup";

export default defineConfig({
	entry: {
		index: "src/index.ts",
		"better-sqlite3": "src/stores/better-sqlite3.ts",
		d1: "src/stores/d1.ts",
		libsql: "src/stores/libsql.ts",
		memory: "src/stores/memory.ts",
		mysql2: "src/stores/mysql2.ts",
		pg: "src/stores/pg.ts",
		testing: "src/testing.ts",
	},
	format: "esm",
	target: "es2022",
	// All entries must share one class LuciaTokenError, or instanceof fails.
	splitting: true,
	dts: true,
	clean: true,
});
