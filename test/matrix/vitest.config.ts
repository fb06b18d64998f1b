import { fileURLToPath } from "node:url";
import { mergeConfig, type Plugin } from "vitest/config";
import { suite } from "../support/suite.js";

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

// The worked stores import what an app imports; here it lies in test/matrix.
const workedStores: Plugin = {
	name: "worked-stores",
	enforce: "pre",
	resolveId(id) {
		return /^(drizzle-orm|kysely)(\/|$)/.test(id)
			? this.resolve(id, path("package.json"), { skipSelf: true })
			: undefined;
	},
};

export default mergeConfig(
	{
		plugins: [workedStores],
		resolve: { alias: { "@lucia-auth/tokens": path("../../src/index.ts") } },
	},
	suite("matrix", {
		include: ["test/matrix/*.test.ts"],
		globalSetup: "test/matrix/setup.ts",
		testTimeout: 30_000,
		hookTimeout: 60_000,
		coverage: {
			provider: "v8",
			// The rest of src is covered by the tests that need no server.
			include: ["src/stores/{better-sqlite3,d1,libsql,mysql2,pg,pg-driver,row,sql,sqlite}.ts"],
			reportsDirectory: "coverage/matrix",
			thresholds: { lines: 100, branches: 100, functions: 100, statements: 100 },
		},
	}),
);
