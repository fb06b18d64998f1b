import { suite } from "../support/suite.js";

export default suite("package", {
	include: ["test/package/**/*.test.ts"],
	testTimeout: 180_000,
	hookTimeout: 180_000,
});
