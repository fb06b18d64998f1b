import { suite } from "./vitest.shared.js";

export default suite("package", {
	include: ["test/package/**/*.test.ts"],
	testTimeout: 180_000,
	hookTimeout: 180_000,
});
