import { expect, test } from "vitest";
import { LuciaTokenError } from "../src/error.js";

test("a LuciaTokenError is an Error with its own name and the code as its message", () => {
	const error = new LuciaTokenError("INVALID_TOKEN");
	expect(error).toBeInstanceOf(Error);
	expect(error.message).toBe("INVALID_TOKEN");
	expect(error.name).toBe("LuciaTokenError");
	expect(error.stack).toContain("LuciaTokenError: INVALID_TOKEN");
	expect(error).not.toHaveProperty("cause");
});
