import { suite } from "../support/suite.js";

// What runs on the sources alone: a mutant is not built.
export default suite("mutation", {
	include: ["test/*.test.ts", "test/{limits,stores,value}/*.test.ts"],
	exclude: ["test/readme.test.ts", "test/adapters.test.ts"],
});
