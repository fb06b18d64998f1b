import { suite } from "../support/suite.js";

// These run on the sources alone: a mutant is not built. mysql2 and d1 stay out: a MariaDB server and a
// worker would start for each of the processes. What opens a database in a hook stays out as well, since
// it hides from Stryker which tests reach a statement.
export default suite("mutation", {
	include: [
		"test/*.test.ts",
		"test/{limits,stores}/*.test.ts",
		"test/matrix/{arguments,pg,sqlite}.test.ts",
	],
	// The statements are compared with a page as text, so that any mutant would count as noticed.
	exclude: ["test/{adapters,readme,statements}.test.ts"],
	globalSetup: "test/mutation/setup.ts",
	testTimeout: 60_000,
	hookTimeout: 60_000,
});
