import { suite } from "../support/suite.js";

// Races, crashes, and migrations on databases as production has them: behind poolers, replicated, clustered.
// The suite starts them all. Its processes run the built package.
export default suite("worlds", {
	include: ["test/worlds/**/*.test.ts"],
	globalSetup: "test/worlds/setup.ts",
	// One file at a time, because the files compete for processors.
	fileParallelism: false,
	testTimeout: 120_000,
	hookTimeout: 120_000,
});
