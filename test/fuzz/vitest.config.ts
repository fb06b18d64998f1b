import { suite } from "../support/suite.js";

// The full fuzz suite. `npm test` and the matrix run one hundredth of it.
export default suite("fuzz", {
	include: ["test/fuzz/*.test.ts", "test/matrix/fuzz.test.ts"],
	globalSetup: "test/matrix/setup.ts",
	env: { FUZZ_RUNS: "100000" },
});
