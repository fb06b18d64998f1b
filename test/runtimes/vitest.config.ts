import { suite } from "../support/suite.js";

// The packed package on every runtime of the README.
export default suite("runtimes", {
	include: ["test/runtimes/*.test.ts"],
	testTimeout: 60_000,
	hookTimeout: 60_000,
});
