import { suite } from "../support/suite.js";

// Races, faults and scale, on the databases of the matrix. Its processes run the built package.
export default suite("races", {
	include: ["test/races/**/*.test.ts"],
	globalSetup: "test/matrix/setup.ts",
	// One file after the other: they are after the same processors and connections.
	fileParallelism: false,
	testTimeout: 120_000,
	hookTimeout: 60_000,
});
