import { suite } from "../support/suite.js";

// The demo in a real browser, driven from Node.
export default suite("browser", {
	include: ["test/browser/**/*.test.ts"],
	testTimeout: 60_000,
	hookTimeout: 60_000,
});
