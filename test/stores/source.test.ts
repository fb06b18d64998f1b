import { describe, expect, test } from "vitest";
import type { KeyStore, LuciaAuth } from "../../src/index.js";
import { TOKEN_KINDS } from "../support/handlers.js";
import { NOT_STRINGS } from "../support/values.js";

const refuse = async (): Promise<never> => {
	throw new Error("not asked");
};

describe.each(TOKEN_KINDS)("the first argument of $kind", ({ make, keyId }) => {
	const stringsToo = [["a string", "auth"], ...NOT_STRINGS.filter(([n]) => !n.includes("throw"))];

	test.each(stringsToo as [string, unknown][])("may not be %s", (_, source) => {
		expect(() => make(source as LuciaAuth, "name", { expiresIn: 60 })).toThrow(
			new TypeError("auth must be an initialized Lucia Auth or a KeyStore"),
		);
	});

	test("may be any KeyStore, whose methods keep their `this`", async () => {
		class OneKeyStore implements KeyStore {
			stored: string[] = [];
			insert = refuse;
			getAllByUser = refuse;
			deleteAllByUser = refuse;
			delete = refuse;
			deleteExpiredByUser = refuse;
			async get(id: string, userId?: string) {
				this.stored.push(`${id} ${userId}`);
				return null;
			}
			async consume(id: string, userId = "anyone") {
				this.stored.push(`${id} ${userId}`);
				return { id, userId: "user", expires: Date.now() + 60_000 };
			}
		}
		const store = new OneKeyStore();
		const handler = make(store, "name", { expiresIn: 60 });
		const token = await handler.validate("token", "user");
		expect(token.userId).toBe("user");
		expect(`${token}`).toBe("token");
		await expect(handler.getToken("token", "user")).rejects.toThrow("INVALID_TOKEN");
		expect(store.stored).toHaveLength(2);
		expect(store.stored[0]).toContain(keyId("name", "user", "token"));
	});
});
