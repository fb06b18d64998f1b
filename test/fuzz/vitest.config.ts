import { suite } from "../support/suite.js";

// The fuzz suite at its full length, of which `npm test` and the matrix run the hundredth part.
export default suite("fuzz", {
	include: ["test/fuzz/*.test.ts", "test/matrix/fuzz.test.ts"],
	globalSetup: "test/matrix/setup.ts",
	env: { FUZZ_RUNS: "100000" },
});
