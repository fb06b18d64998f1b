import { suite } from "../support/suite.js";

// Races, faults and scale, on the databases of the matrix. Its processes run the built package.
export default suite("races", {
	include: ["test/races/**/*.test.ts"],
	globalSetup: "test/matrix/setup.ts",
	// One file at a time, because the files compete for processors and connections.
	fileParallelism: false,
	// The default store loses a connection with each lost insert on PostgreSQL: see docs/stores.md.
	testTimeout: 600_000,
	hookTimeout: 60_000,
});
