import { suite } from "../support/suite.js";

// The examples in a real browser, driven from Node. Files run one after the other, so that no build of
// an app slows down the demo, whose links expire within seconds in one test.
export default suite("browser", {
	include: ["test/browser/**/*.test.ts"],
	fileParallelism: false,
	testTimeout: 60_000,
	hookTimeout: 60_000,
});
