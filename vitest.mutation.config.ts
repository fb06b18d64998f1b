import { suite } from "./vitest.shared.js";

// What runs on the sources alone: a mutant is not built.
export default suite("mutation", {
	include: ["test/*.test.ts", "test/stores/**/*.test.ts"],
	exclude: ["test/readme.test.ts", "test/adapters.test.ts"],
});
