import { suite } from "../support/suite.js";

export default suite("package", {
	include: ["test/package/**/*.test.ts"],
	testTimeout: 180_000,
	// One packs a clone, which builds it.
	hookTimeout: 600_000,
});
