import { defineConfig } from "tsup";

const entries = {
	index: "src/index.ts",
	"better-sqlite3": "src/stores/better-sqlite3.ts",
	d1: "src/stores/d1.ts",
	libsql: "src/stores/libsql.ts",
	memory: "src/stores/memory.ts",
	mysql2: "src/stores/mysql2.ts",
	pg: "src/stores/pg.ts",
	testing: "src/testing.ts",
};

// One build for each entry, so that each is one file of code and one of types.
export default defineConfig(
	Object.entries(entries).map(([name, file]) => ({
		entry: { [name]: file },
		format: "esm",
		target: "es2022",
		splitting: false,
		dts: true,
	})),
);
