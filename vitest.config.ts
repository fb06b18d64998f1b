import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin, type TestProjectInlineConfiguration } from "vitest/config";

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url));

// The worked stores import what an app imports; here it lies in test/matrix.
const workedStores: Plugin = {
	name: "worked-stores",
	enforce: "pre",
	resolveId(id) {
		return /^(drizzle-orm|kysely)(\/|$)/.test(id)
			? this.resolve(id, path("test/matrix/package.json"), { skipSelf: true })
			: undefined;
	},
};

const seconds = (timeout: number): { testTimeout: number; hookTimeout: number } => ({
	testTimeout: timeout * 1000,
	hookTimeout: Math.max(timeout, 60) * 1000,
});

// Each suite is a project, and `npm run test:NAME` runs it. A suite that races, or that fills the machine
// with processes, runs one file at a time.
const projects: TestProjectInlineConfiguration[] = [
	{
		test: {
			name: "unit",
			include: ["test/*.test.ts", "test/{fuzz,interleavings,limits,stores}/**/*.test.ts"],
			// Lucia's scrypt and the interleavings are slow on a busy machine.
			...seconds(60),
		},
	},
	{
		test: {
			name: "examples",
			include: ["test/{examples,guides}/**/*.test.ts"],
			...seconds(60),
		},
	},
	{
		plugins: [workedStores],
		resolve: { alias: { "@lucia-auth/tokens": path("src/index.ts") } },
		test: {
			name: "matrix",
			include: ["test/matrix/*.test.ts"],
			globalSetup: "test/matrix/setup.ts",
			...seconds(30),
		},
	},
	{
		// Its processes run on the databases of the matrix.
		test: {
			name: "races",
			include: ["test/races/**/*.test.ts"],
			globalSetup: "test/matrix/setup.ts",
			fileParallelism: false,
			// The default store loses a connection with each lost insert on PostgreSQL: see docs/stores.md.
			...seconds(600),
		},
	},
	{
		// Databases as production has them: behind poolers, replicated, clustered. It starts them all.
		test: {
			name: "worlds",
			include: ["test/worlds/**/*.test.ts"],
			globalSetup: "test/worlds/setup.ts",
			fileParallelism: false,
			...seconds(120),
		},
	},
	{
		test: {
			name: "browser",
			include: ["test/browser/**/*.test.ts"],
			fileParallelism: false,
			...seconds(60),
		},
	},
	{
		test: { name: "runtimes", include: ["test/runtimes/*.test.ts"], ...seconds(60) },
	},
	{
		// One file packs a clone, which builds it.
		test: { name: "package", include: ["test/package/**/*.test.ts"], ...seconds(600) },
	},
	{
		// `npm test` and the matrix run one hundredth of this.
		test: {
			name: "fuzz",
			include: ["test/fuzz/*.test.ts", "test/matrix/fuzz.test.ts"],
			globalSetup: "test/matrix/setup.ts",
			env: { FUZZ_RUNS: "100000" },
		},
	},
	{
		// These run on the sources alone: a mutant is not built. mysql2 and d1 stay out: a MariaDB server and a
		// worker would start for each of the processes. What opens a database in a hook stays out as well, since
		// it hides from Stryker which tests reach a statement.
		test: {
			name: "mutation",
			include: [
				"test/*.test.ts",
				"test/{limits,stores}/*.test.ts",
				"test/matrix/{arguments,pg,sqlite}.test.ts",
			],
			// The pages' examples show what other tests prove.
			exclude: ["test/readme.test.ts"],
			globalSetup: "test/mutation/setup.ts",
			...seconds(60),
		},
	},
];

export default defineConfig({
	test: {
		// Stryker cannot name a project.
		projects: process.env["STRYKER_MUTATOR_WORKER"]
			? projects.filter(({ test }) => test?.name === "mutation")
			: projects,
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
	},
});
